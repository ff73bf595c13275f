"""The canonical model and the values that travel between rooms.

Frozen, loss-free as JSON, without behaviour beyond derived properties. Import the modules, not this file.
"""
