"""A program printed for people: instructions with their source lines, names for what they touch, tables of what they use."""

from pybpfnf.listing.page import listing

__all__ = ["listing"]
