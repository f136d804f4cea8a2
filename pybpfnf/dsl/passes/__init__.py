"""Passes over the IR of a whole function: what must hold of it, what it needs of stack and verifier, what is said of it as text."""
