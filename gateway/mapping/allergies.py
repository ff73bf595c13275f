"""An allergy as the contra-indication that imaging documents know, the same from HL7 v2 and FHIR."""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.mapping.code_rows import Hit
from gateway.mapping.codes import CodeMaps
from gateway.model.imaging import ContraIndication
from gateway.model.terms import ATC, Code

_ATC_GROUPS = (5, 4)
"""Lengths of the ATC groups that the table `allergy` names, the narrower first."""


class Allergy(NamedTuple):
    """`kind` in words (« Allergie médicamenteuse »); to what, by `code` or in `words`, or both."""

    kind: str
    code: Code | None
    words: str
    severity: str = ""
    reactions: tuple[str, ...] = ()


def contraindication(told: Allergy, codes: CodeMaps) -> tuple[ContraIndication, str]:
    """(contra-indication, row): with a code of JDV 5.659 where a row of the table `allergy` gives one.

    Nothing of the words is lost: what the code's display does not say stands in the comment.
    """
    hit = _known(told, codes)
    code = hit.value if hit is not None else told.code
    shown = code.display if code is not None else ""
    named = f"{told.kind} : {told.words}" if told.words not in ("", shown) else told.kind
    details = (f"sévérité : {told.severity}" if told.severity else "", _reactions(told.reactions))
    return ContraIndication(code=code, comment=" ; ".join(filter(None, (named, *details)))), (
        hit.rule if hit is not None else ""
    )


def _reactions(reactions: Iterable[str]) -> str:
    named = ", ".join(filter(None, reactions))
    return f"réaction : {named}" if named else ""


def _known(told: Allergy, codes: CodeMaps) -> Hit[Code] | None:
    words = [told.words, told.code.display if told.code is not None else ""]
    if told.code is not None and told.code.system == ATC:
        words = [*(told.code.code[:length] for length in _ATC_GROUPS), *words]
    found = (codes.allergy(word) for word in words if word)
    return next((hit for hit in found if hit is not None), None)
