"""What the lowering of one function shares: its text, places, types, fault exits, and what is known of the packet."""
