"""Capture files: pcap and pcapng read and written one record at a time, the packets in their frames, and a file in parts for processes."""
