"""Delay monitoring: answers to the probes that `end_dm` has seen, probes of our own, and what becomes of the delays."""
