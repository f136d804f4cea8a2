"""How fast: building against clang, running in the kernel against the same function in C. `scripts/bench` runs it."""
