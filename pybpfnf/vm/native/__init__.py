"""The compiled engine: a program's instructions as machine code of this computer, every access still checked.

Native code does what it can do and stops in front of what it cannot (a helper, an access that fails its check, an unset register); there
the reference machine's own step runs, and may raise the fault. So both engines give the same results and the same faults by construction,
and what is missing here is slow, not wrong.
"""
