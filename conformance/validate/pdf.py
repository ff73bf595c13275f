"""A PDF page: what it declares of itself (PDF/A-1), whether it has text."""

from typing import TYPE_CHECKING

from conformance.validate.judgement import OWN_RULES, Judgement, Validators, of_findings, timed

if TYPE_CHECKING:
    from conformance.validate.judgement import Validators


def judge(validator: Validators, data: bytes) -> Judgement:
    """The gateway's own inspection; it reads the declaration and does not replace veraPDF."""
    from gateway.pdf import inspect

    return timed(OWN_RULES, lambda: of_findings(inspect(data).findings))
