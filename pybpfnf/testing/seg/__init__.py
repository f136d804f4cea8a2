"""Test files of packets in and packets out (`.seg`): read, run on a router, and said what differs. Which router is not known here.

A file is read by `reader` into the `model`; `wire` turns the model's packets into bytes and back, `text` into what stands in a file,
`compare` holds one against the other. `ip` reads the commands between backticks, `run` goes through a file.
"""
