"""What the constructs are built with: the builder and its dispatchers, values and what goes where, what is known at a point.

No construct of the language has a line here; each of them uses most of what is here.
"""
