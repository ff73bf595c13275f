"""The body of a received imaging order (IMG-DA-IMG): what is wanted, why, and what it says of the patient."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from gateway.cda.contents import lean
from gateway.cda.reader import document
from gateway.cda.reader_body import BodySection, body_sections
from gateway.cda.reader_order_parts import (
    NOT_SAID,
    Shown,
    WantedAct,
    coded_reason,
    contraindication,
    is_wanted,
    said,
    unread_of,
    wanted,
)
from gateway.cda.reader_parts import code
from gateway.cda.tree import Element, descendants
from gateway.cda.xml import attribute, child, places
from gateway.model.base import Value, replace
from gateway.model.imaging import ContraIndication
from gateway.model.narrative import Block, text_of
from gateway.model.report import SectionKind
from gateway.model.terms import Code

_REQUEST_PARTS: Final = {"justification de la demande": "reason", "finalité de l'examen": "question"}
"""Begin of a title → what follows it."""
_AGAINST: Final = "contre-indication"
"""Begin of the title, or head, of what contra-indications say in words."""
_HISTORIES: Final = (SectionKind.HISTORY, SectionKind.MEDICAL_HISTORY, SectionKind.SURGICAL_HISTORY)
_AROUND: Final = (SectionKind.CLINICAL, SectionKind.PRIOR_RESULTS)
"""Sections whose words are history to who makes the exam: beside the request, and results of other exams."""
_PLAN: Final = "18776-5"
_SECTIONS: Final = frozenset(
    {*_HISTORIES, *_AROUND, SectionKind.REQUEST, SectionKind.PATIENT_INFORMATION, _PLAN}
)
"""Sections that are read; beside them the volet has added documents (55107-7)."""
_OF_PLAN: Final = {"Protocole": "protocol", "Annulation": "cancellation", "Demande urgente": "urgency"}
"""Paragraphs of the plan beside its table of acts, as this room writes them."""
_RISKS, _PREGNANCY, _CONTRAINDICATION, _REASON = "MED-1130", "364320009", "64100-1", "59768-2"
_IN_WORDS: Final = frozenset({SectionKind.MEDICAL_HISTORY, SectionKind.SURGICAL_HISTORY, "ORG-192"})
"""Observations that point at narrative, which is read."""


class OrderBody(Value):
    """`informed_of_risks` None: not said. `history` keeps the titles inside its sections, `urgency` says why.
    `unread`: of what nothing is read, the place (path from the root) and the code."""

    acts: tuple[WantedAct, ...] = ()
    reason: str = ""
    reasons: tuple[Code, ...] = ()
    question: str = ""
    history: str = ""
    urgency: str = ""
    protocol: str = ""
    cancellation: str = ""
    pregnancy: Code | None = None
    contraindications: tuple[ContraIndication, ...] = ()
    informed_of_risks: bool | None = None
    unread: tuple[tuple[str, str], ...] = ()


class _Statements:
    """The coded entries of the body."""

    def __init__(self, root: Element) -> None:
        self.acts: list[WantedAct] = []
        self.reasons: list[Code] = []
        self.contraindications: list[ContraIndication] = []
        self.pregnancy: Code | None = None
        self.informed_of_risks: bool | None = None
        self.words: set[str] = set()
        """Of the narrative, which contra-indications say as well."""
        self.why: set[str] = set()
        """Of the narrative, which coded reasons say as well."""
        self.unread = [one for one in _named(root, "section") if _code_of(one) not in _SECTIONS]
        shown = {one.get("ID"): one for one in reversed(descendants(root)) if one.get("ID")}
        within = {node for section in self.unread for node in _named(section, "observation")}
        for node in _named(root, "observation"):
            if is_wanted(node):
                self.acts.append(wanted(shown, node))
                self.unread += unread_of(node)
                within.update(_named(node, "observation"))
            elif node not in within:
                self._read(shown, node)

    def _read(self, shown: Shown, node: Element) -> None:
        stated, value = _code_of(node), child(node, "value")
        if stated == _PREGNANCY:
            self.pregnancy = code(value)
        elif stated == _RISKS:
            self.informed_of_risks = {"true": True, "false": False}.get(attribute(value, "value"))
        elif stated == _CONTRAINDICATION:
            if (found := contraindication(shown, node)) is not None:
                self.contraindications.append(found.stated)
                self.words |= found.words
        elif stated == _REASON and (reason := coded_reason(node)) is not None:
            self.reasons.append(reason)
            self.why.add(said(shown, child(node, "text")))
        elif stated not in _IN_WORDS:
            self.unread.append(node)


def order_body(data: bytes) -> OrderBody:
    """The body of a CDA that `read` has taken; what is absent stays empty. Raises CdaError for no CDA."""
    root = document(lean(data).data)
    stated, sections = _Statements(root), body_sections(root)
    place = places(root) if stated.unread else {}
    told: dict[str, list[Block]] = {}
    for section in sections:
        told.setdefault(section.code, []).extend(section.blocks)
    asked = [block for block in told.get(SectionKind.REQUEST, []) if block.text not in stated.why]
    reason, question = _why(asked)
    past = [block for kind in _HISTORIES for block in told.get(kind, ())]
    return OrderBody(
        acts=tuple(stated.acts),
        reason=reason,
        reasons=tuple(stated.reasons),
        question=question,
        history="\n".join(filter(None, (_words_of(tuple(_past(past, stated.words))), *_around(sections)))),
        **_plan(told.get(_PLAN, [])),
        pregnancy=stated.pregnancy,
        contraindications=tuple(stated.contraindications),
        informed_of_risks=stated.informed_of_risks,
        unread=tuple((place[node], _code_of(node)) for node in stated.unread),
    )


def _named(node: Element, tag: str) -> Iterator[Element]:
    return (one for one in descendants(node) if one.tag == tag)


def _code_of(node: Element) -> str:
    return attribute(child(node, "code"), "code")


def _words_of(blocks: Sequence[Block]) -> str:
    """What nobody said goes with its title."""
    silent = {place for place, block in enumerate(blocks) if block.text.rstrip(".") == NOT_SAID}
    titled = {place - 1 for place in silent if place and blocks[place - 1].heading}
    return "\n".join(text_of((one,)) for place, one in enumerate(blocks) if place not in silent | titled)


def _past(blocks: Sequence[Block], elsewhere: Collection[str]) -> Iterator[Block]:
    """Without the contra-indications that are `elsewhere` word for word, and their title with them."""
    against: Block | None = None
    for block in blocks:
        if title := _title(block):
            against = block if title.startswith(_AGAINST) else None
        if against is None:
            yield block
        elif not block.heading and not all(one in elsewhere for one in _words_in(block)):
            if against.heading:
                yield against
            yield block


def _words_in(block: Block) -> list[str]:
    cells = (cell for row in block.rows for cell in row)
    return [one for one in (block.text, *block.items, *cells) if one and one.rstrip(".") != NOT_SAID]


def _title(block: Block) -> str:
    """What a block says of those that follow, or of itself: a heading, the first head of a table."""
    title = block.text if block.heading else block.header[0] if block.header else ""
    return title.replace("’", "'").lower()


def _around(sections: Sequence[BodySection]) -> Iterator[str]:
    for section in sections:
        if section.code in _AROUND and (words := _words_of(section.blocks)):
            yield f"{section.title}\n{words}" if section.code != SectionKind.CLINICAL else words


def _plan(blocks: Sequence[Block]) -> dict[str, str]:
    """What is said beside the table of acts."""
    found: dict[str, str] = {}
    for block in blocks:
        label, colon, words = block.text.partition(" : ")
        if colon and label in _OF_PLAN:
            found[_OF_PLAN[label]] = words
    return found


def _why(blocks: Sequence[Block]) -> tuple[str, str]:
    """(justification, purpose) of the section of the request, which tells them apart by titles, or by the
    head of a table each."""
    told: dict[str, list[Block]] = {"reason": [], "question": []}
    kind = "reason"
    for block in blocks:
        title = _title(block)
        named = next((part for begin, part in _REQUEST_PARTS.items() if title.startswith(begin)), "")
        kind = named or kind
        if not named:
            told[kind].append(block)
        elif block.rows:
            told[kind].append(replace(block, header=()))
    return _words_of(told["reason"]), _words_of(told["question"])
