"""Network functions for IPv6 Segment Routing, written in Python (the public names follow)."""
