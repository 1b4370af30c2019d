"""The benchmark: the time of one pass in dreamscripts and in other programs, each in its own process.

Separate processes are needed because a backend reads its switches only when it is imported, and because memory is
counted per process. Passes of the programs alternate, because the speed of a shared machine changes over time. Only
ratios of alternating passes are reliable.

`measuring.measure` runs in the parent process and imports nothing heavy. It sends requests through `process` to
`preparing`, which writes the weights, and to the programs `ours`, `plain_tensorflow`, `plain_torch` and `matrices`,
which reply through `program`.
"""
