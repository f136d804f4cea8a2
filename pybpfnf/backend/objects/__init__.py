"""Objects as LLVM wrote them, read and rewritten: sections, line tables, loops for older kernels."""
