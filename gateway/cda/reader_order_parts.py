"""The coded statements of a received imaging order: one act that is wanted, a contra-indication, a reason."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from gateway.cda.reader_body import words_of
from gateway.cda.reader_parts import code
from gateway.cda.tree import Element
from gateway.cda.vocabulary_n3 import ENTRIES
from gateway.cda.xml import attribute, child, children, text
from gateway.model.base import Value
from gateway.model.imaging import ContraIndication
from gateway.model.terms import Code

WANTED: Final = ENTRIES + "27.3"
"""Template of the observation of an act that is wanted (E.27.3)."""
NOT_SAID: Final = "Non renseigné"
_FUNCTION: Final = "MED-1133"


Shown = Mapping[str, Element]
"""What of the narrative entries may refer to: ID → element."""


class WantedAct(Value):
    """One observation of the plan. `modality` is of JDV 5.660, `start` a TS as written; `label` the first
    line of its comment, `words` what else is said of it (the other lines, how the modality is qualified)."""

    modality: Code | None
    sites: tuple[Code, ...] = ()
    side: Code | None = None
    start: str = ""
    urgent: bool = False
    label: str = ""
    words: tuple[str, ...] = ()
    function: Code | None = None


class Against(NamedTuple):
    """A contra-indication, and the words of the narrative that say the same."""

    stated: ContraIndication
    words: frozenset[str]


def is_wanted(node: Element) -> bool:
    return any(attribute(one, "root") == WANTED for one in children(node, "templateId"))


def wanted(shown: Shown, node: Element) -> WantedAct:
    places = tuple(children(node, "targetSiteCode"))
    sides = (code(child(place, "qualifier/value")) for place in places)
    label, *more = said(shown, child(node, "entryRelationship/act/text")).split("\n")
    stated = child(node, "code")
    how = (code(child(one, "value")) for one in children(stated, "qualifier"))
    when = child(node, "effectiveTime")
    return WantedAct(
        modality=code(stated),
        sites=tuple(found for place in places if (found := code(place)) is not None),
        side=next((side for side in sides if side is not None), None),
        start=attribute(when, "value") or attribute(child(when, "low"), "value"),
        urgent=child(node, "priorityCode") is not None,
        label=label,
        words=(*more, *(one.display or one.code for one in how if one is not None)),
        function=next((code(child(one, "value")) for one in inner(node) if _is(one, _FUNCTION)), None),
    )


def unread_of(node: Element) -> Iterator[Element]:
    """What of a wanted act is not read: who shall do it, events (GEN-296), the wish of a call (GEN-297)."""
    yield from children(node, "performer")
    yield from (one for one in inner(node) if not _is(one, _FUNCTION))


def inner(node: Element) -> Iterator[Element]:
    """Observations inside an entry."""
    for relation in children(node, "entryRelationship"):
        yield from children(relation, "observation")


def contraindication(shown: Shown, node: Element) -> Against | None:
    """By code with its comment, else in words; None where nothing is said."""
    value = child(node, "value")
    named, told = said(shown, child(value, "originalText")), said(shown, child(node, "text"))
    words = frozenset(filter(None, (named, told)))
    if (stated := code(value)) is not None:
        comment = "" if told == named or told.endswith(f"[{stated.code}]") else told
        return Against(ContraIndication(code=stated, comment=comment), words)
    own = text(value)
    comment = told if own in " ".join(told.split()) else "\n".join(filter(None, (own, told)))
    if (comment or named) in ("", NOT_SAID):
        return None
    return Against(ContraIndication(comment=comment or named), words)


def coded_reason(node: Element) -> Code | None:
    """The reason of the request by the sender's own code, which stands as translation of the words."""
    value = child(node, "value")
    return code(value) or code(child(value, "translation"))


def said(shown: Shown, node: Element | None) -> str:
    """The words of the narrative that an element refers to, else its own, in their lines."""
    if node is None:
        return ""
    target = attribute(child(node, "reference"), "value").removeprefix("#")
    found = shown.get(target, node)
    return words_of(found)


def _is(node: Element, stated: str) -> bool:
    return attribute(child(node, "code"), "code") == stated
