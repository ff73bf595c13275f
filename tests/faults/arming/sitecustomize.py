"""Python runs this at the start of every process that has this folder in PYTHONPATH: the stage under test."""

import os

if os.environ.get("FAULT_ARMED") or os.environ.get("FAULT_CLOCK"):
    from tests.faults import points

    points.install()
