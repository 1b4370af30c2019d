"""`python -m dreamscripts` is the command `dreamscripts`."""

from dreamscripts.scripts import main

main()
