"""The body of a received imaging order (IMG-DA-IMG): what is wanted, why, and what it says of the patient."""

from typing import Final

from gateway.cda.contents import lean
from gateway.cda.reader import document
from gateway.cda.reader_body import body_sections
from gateway.cda.reader_parts import code
from gateway.cda.tree import Element, descendants
from gateway.cda.vocabulary_n3 import ENTRIES
from gateway.cda.xml import attribute, child, children, text
from gateway.model.base import Value
from gateway.model.narrative import Block, text_of
from gateway.model.report import SectionKind
from gateway.model.terms import Code

_WANTED: Final = ENTRIES + "27.3"
_TITLES: Final = {"Justification de la demande": "reason", "Finalité de l'examen": "question"}
_HISTORIES: Final = (SectionKind.HISTORY, SectionKind.MEDICAL_HISTORY, SectionKind.SURGICAL_HISTORY)
_NOT_SAID: Final = "Non renseigné"
_RISKS, _PREGNANCY = "MED-1130", "364320009"


class WantedAct(Value):
    """One observation of the plan (E.27.3). `modality` is of JDV 5.660, `start` a TS as written."""

    modality: Code | None
    sites: tuple[Code, ...] = ()
    side: Code | None = None
    start: str = ""
    urgent: bool = False
    label: str = ""


class OrderBody(Value):
    """`informed_of_risks` None: not said. `history` keeps the titles inside its sections."""

    acts: tuple[WantedAct, ...] = ()
    reason: str = ""
    question: str = ""
    history: str = ""
    pregnancy: Code | None = None
    informed_of_risks: bool | None = None


def order_body(data: bytes) -> OrderBody:
    """The body of a CDA that `read` has taken; what is absent stays empty. Raises CdaError for no CDA."""
    root = document(lean(data).data)
    told: dict[str, list[Block]] = {}
    for section in body_sections(root):
        told.setdefault(section.code, []).extend(section.blocks)
    reason, question = _why(told.get(SectionKind.REQUEST, []))
    acts: list[WantedAct] = []
    pregnancy: Code | None = None
    informed: bool | None = None
    for node in descendants(root):
        if node.tag != "observation":
            continue
        stated = attribute(child(node, "code"), "code")
        if any(attribute(one, "root") == _WANTED for one in children(node, "templateId")):
            acts.append(_wanted(root, node))
        elif stated == _PREGNANCY:
            pregnancy = code(child(node, "value"))
        elif stated == _RISKS:
            informed = {"true": True, "false": False}.get(attribute(child(node, "value"), "value"))
    return OrderBody(
        acts=tuple(acts),
        reason=reason,
        question=question,
        history=_words_of([block for kind in _HISTORIES for block in told.get(kind, ())]),
        pregnancy=pregnancy,
        informed_of_risks=informed,
    )


def _words_of(blocks: list[Block]) -> str:
    """A title under which nothing is said goes with its « Non renseigné »."""
    silent = {place for place, block in enumerate(blocks) if block.text.rstrip(".") == _NOT_SAID}
    titled = {place - 1 for place in silent if place and blocks[place - 1].heading}
    return "\n".join(text_of((one,)) for place, one in enumerate(blocks) if place not in silent | titled)


def _why(blocks: list[Block]) -> tuple[str, str]:
    """(justification, purpose) of the section of the request, which tells them apart by titles."""
    told: dict[str, list[Block]] = {"reason": [], "question": []}
    kind = "reason"
    for block in blocks:
        title = block.text if block.heading else ""
        if title in _TITLES:
            kind = _TITLES[title]
        else:
            told[kind].append(block)
    return _words_of(told["reason"]), _words_of(told["question"])


def _wanted(root: Element, node: Element) -> WantedAct:
    places = tuple(children(node, "targetSiteCode"))
    sides = (code(child(place, "qualifier/value")) for place in places)
    comment = child(node, "entryRelationship/act/text")
    return WantedAct(
        modality=code(child(node, "code")),
        sites=tuple(found for place in places if (found := code(place)) is not None),
        side=next((side for side in sides if side is not None), None),
        start=attribute(child(node, "effectiveTime"), "value"),
        urgent=child(node, "priorityCode") is not None,
        label=_words(root, comment),
    )


def _words(root: Element, node: Element | None) -> str:
    """The words that an entry refers to in the narrative, else its own; the first line of several."""
    target = attribute(child(node, "reference"), "value").removeprefix("#")
    shown = [one for one in descendants(root) if one.get("ID") == target] if target else []
    found = shown[0] if shown else node
    lead = found.text.strip() if found is not None else ""
    return " ".join(lead.split()) or text(found)
