"""Typed IR to LLVM text, a module a construct: `module` and `function` begin, `expressions` and `function` have the tables."""
