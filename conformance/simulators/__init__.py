"""Peers for tests, as processes: they share no wire code with the gateway."""
