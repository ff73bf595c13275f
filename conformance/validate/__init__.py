"""Validators behind one door: `Validator(kit).judge(name, data)` → `Verdict`; the kind is recognised.

`kinds` says what a file is, one module a kind judges it, `report` writes verdicts as text, JSON, JUnit, HTML.
"""

from conformance.validate.validator import Validator

__all__ = ["Validator"]
