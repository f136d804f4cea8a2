"""Delay monitoring: probes are made on a route (`delay_probe`), and times taken at a SID (`end_dm`)."""
