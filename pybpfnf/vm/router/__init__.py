"""A router in this process: devices, a FIB with tables and rules, the encapsulations of routes, forwarding. What one does with a packet
is what Linux 6.18 does; `docs/seg.md` says what it leaves out. `VmRouter` is in `router`, a module up from its parts."""
