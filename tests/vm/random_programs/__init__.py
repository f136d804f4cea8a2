"""Random programs that the kernel's verifier accepts: made, laid out, run by the VM and the kernel, and made small where they differ."""
