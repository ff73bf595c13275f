"""Revisions of the schema (Alembic) and `upgrade`, which brings a store to the newest.

A new revision: change `tables.py` and its REVISION, add `versions/rNNNN_….py`; a test compares the two. No
downgrade: go back by restoring the copy that was made before.
"""
