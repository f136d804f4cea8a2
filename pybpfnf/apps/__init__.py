"""What runs beside network functions in user space: the daemon of any function (`serve`), and applications made with it."""
