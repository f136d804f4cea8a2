"""What a run is fed and watched with, for commands and for tests of functions alike: packets, comparisons of the VM with the
kernel and with the reference evaluator, coverage, traces, profiles, recordings, the debugger's history, `.seg` files.

The project's own tests are in `tests/`.
"""
