"""Why an exam is asked for (ServiceRequest.reasonCode, reasonReference), and AllergyIntolerance."""

from collections.abc import Iterator
from typing import Final

from gateway.fhir import Node
from gateway.mapping.allergies import Allergy, contraindication
from gateway.mapping.fhir_walk import Walk, codes
from gateway.model.imaging import ContraIndication
from gateway.model.terms import Code

_NOT_SO: Final = frozenset({"refuted", "entered-in-error", "inactive", "resolved"})
"""Codes of verificationStatus and clinicalStatus under which a patient is not, or no longer, allergic."""
_KINDS: Final = {
    "medication": "Allergie médicamenteuse",
    "food": "Allergie alimentaire",
    "environment": "Allergie à un facteur de l'environnement",
}
_SEVERITIES: Final = {"severe": "sévère", "moderate": "modérée", "mild": "légère"}


def reasons(walk: Walk, request: Node, path: str) -> tuple[str, tuple[Code, ...]]:
    """(words, codes) of a ServiceRequest, as `hl7_clinical.reasons` gives them; `path` is the order's.

    A concept without text is said by its display; a code whose system no document can name is words.
    """
    words: list[str] = []
    made: dict[tuple[str, str], Code] = {}
    for concept in _concepts(walk, request):
        text = walk.take(f"{path}reason", concept, "text")
        for one in codes(concept):
            if not one.system or "://" in one.system:
                text = text or one.display
            elif (one.system, one.code) not in made:
                walk.trail.source(f"{path}reasons[{len(made)}]", concept.path)
                made[one.system, one.code] = one
                text = text or one.display
        words.append(text)
    return "\n".join(dict.fromkeys(filter(None, words))), tuple(made.values())


def _concepts(walk: Walk, request: Node) -> Iterator[Node]:
    yield from request.all("reasonCode")
    for reference in request.all("reasonReference"):
        found = walk.follow(reference)
        if found is not None and found.kind in ("Condition", "Observation"):
            yield found.get("code")


def allergies(walk: Walk, report: Node, before: int) -> list[ContraIndication]:
    """One contra-indication for each AllergyIntolerance of the report's patient that holds today."""
    made: list[ContraIndication] = []
    patient = walk.bundle.resolve(report.get("subject"))
    for node in walk.bundle.entries("AllergyIntolerance", walk.reads):
        whose = walk.bundle.resolve(node.get("patient"))
        if patient is None or whose is None or whose.path != patient.path or _void(node):
            continue
        told = _allergy(node)
        if told.code is None and not told.words:
            continue
        walk.used[node.path] = node
        stated, rule = contraindication(told, walk.profile.codes)
        walk.trail.source(f"contraindications[{before + len(made)}]", node.path, rule)
        made.append(stated)
    return made


def _void(node: Node) -> bool:
    stated = (one.code for name in ("verificationStatus", "clinicalStatus") for one in codes(node.get(name)))
    return any(code in _NOT_SO for code in stated)


def _allergy(node: Node) -> Allergy:
    concept = node.get("code")
    named = codes(concept)
    code = next((one for one in named if one.system and "://" not in one.system), None)
    text = concept.text("text") or next((one.display for one in named if one.display), "")
    reactions = node.all("reaction")
    severities = (_SEVERITIES.get(one.text("severity"), "") for one in reactions)
    shown = (one for reaction in reactions for one in reaction.all("manifestation"))
    return Allergy(
        kind=_KINDS.get(node.text("category"), "Allergie"),
        code=code,
        words=text,
        severity=next(filter(None, severities), ""),
        reactions=tuple(filter(None, (one.text("text") or one.text("coding", "display") for one in shown))),
    )
