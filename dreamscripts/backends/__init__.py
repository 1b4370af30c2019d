"""Where passes run: a module for each backend, the machine, and the start of the command."""
