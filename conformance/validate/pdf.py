"""A PDF page: what it declares of itself (PDF/A-1), whether it has text."""

from typing import TYPE_CHECKING

from conformance.validate.validator import OWN_RULES, Judgement, of_findings, timed

if TYPE_CHECKING:
    from conformance.validate.validator import Validator


def judge(validator: "Validator", data: bytes) -> Judgement:
    """The gateway's own inspection; it reads the declaration and does not replace veraPDF."""
    from gateway.pdf import inspect

    return timed(OWN_RULES, lambda: of_findings(inspect(data).findings))
