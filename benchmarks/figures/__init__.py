"""The paper's figures about forwarding, measured again on this machine: `scripts/figures`."""
