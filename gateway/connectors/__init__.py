"""Every socket and every file that leaves: one module per kind of peer, each with its table of errors."""
