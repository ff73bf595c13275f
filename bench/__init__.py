"""Figures as ratios against a peer in the same run, on the same machine. Never part of the test suite."""
