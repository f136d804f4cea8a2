"""The catalogue: network functions that come with pybpfnf, one file each, the program named as the file.

`pybpfnf list` shows them; each file's docstring says what it does and how to attach it.
"""
