"""The rules: INS, professionals, completeness, visibility, destination plan and the decision over them.

Pure functions: values in, findings and decisions out. Policies of a site override usual severities.
"""

from gateway.rules.decide import decide

__all__ = ["decide"]
