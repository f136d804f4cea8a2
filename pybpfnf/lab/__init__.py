"""Networks for experiments: a topology as data (`topology`), read from a file (`read_topology`), planned out (`plan`), and what runs it.

FILE.toml -> read_topology -> Topology -> plan -> Plan -> what runs it: namespaces of this machine, or routers in this process
"""
