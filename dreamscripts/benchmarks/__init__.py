"""The scoreboard: how long a pass takes in our hands and in others', each in a process of its own.

Processes, because a backend reads its switches only once, when it is imported, and because memory is counted by
process; one pass of each in turn, because the speed of a shared machine drifts, so that only ratios of interleaved
passes mean much. `measuring.measure` is the parent; it imports nothing heavy and asks the others through `process`:
`preparing`, which hands out the weights, and the contestants `ours`, `plain_tensorflow`, `plain_torch` and `matrices`,
which answer as `contestant` has it.
"""
