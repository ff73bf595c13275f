"""What the report says: Observations, notes, Composition sections, conclusion, attached documents."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from html.parser import HTMLParser

from gateway.fhir import Node
from gateway.mapping.fhir_facts import VOID
from gateway.mapping.fhir_people import professional
from gateway.mapping.fhir_walk import Walk, binary, codes
from gateway.model.base import replace
from gateway.model.people import Practitioner
from gateway.model.report import Attachment, Section, SectionKind
from gateway.model.submission import Blob
from gateway.model.terms import LOINC

NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
NOTE_TYPE = "http://hl7.org/fhir/StructureDefinition/annotationType"
STUDY_SECTIONS = frozenset({"18726-0"})
"""Composition sections that list the studies: generated from ImagingStudy, which is mapped itself."""
_KINDS = {"LP173421-1": SectionKind.REPORT, "73568-8": SectionKind.COMMENT}
"""Section codes of the EU profile that the volet IMG-CR-IMG has no section for."""

PDF = "application/pdf"
_MARKUP = frozenset({"text/html", "application/xhtml", "application/xhtml+xml"})


def sections(
    walk: Walk, report: Node, composition: Node | None, taken: frozenset[str] = frozenset()
) -> tuple[Section, ...]:
    """Narrative by section: results, notes, then what only the Composition says, then the conclusion.

    The same text travels twice in EU documents (note and Composition section): the typed element wins over
    the generated page. Several texts of one kind become paragraphs of one section, but for addenda, which
    have authors of their own. `taken`: Observations that are no narrative (`fhir_facts`).
    """
    made = _joined((*_results(walk, report, taken), *_notes(walk, report)))
    kinds = {section.kind for section in made}
    composed = [] if composition is None else _composed(walk, composition)
    conclusion = walk.take("sections", report, "conclusion")
    if conclusion:
        composed = [one for one in composed if one.kind is not SectionKind.CONCLUSION]
        if SectionKind.CONCLUSION not in kinds:
            composed.append(Section(kind=SectionKind.CONCLUSION, text=_lines(conclusion)))
    return made + _joined(one for one in composed if one.kind not in kinds)


def _joined(found: Iterable[Section]) -> tuple[Section, ...]:
    by_kind: dict[tuple[SectionKind, Practitioner | None, datetime | None], Section] = {}
    for one in found:
        key = (one.kind, one.author, one.authored_at)
        before = by_kind.get(key)
        by_kind[key] = replace(before, text=f"{before.text}\n\n{one.text}") if before else one
    return tuple(by_kind.values())


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _kind(walk: Walk, concept: Node) -> SectionKind | None:
    """The section that a LOINC code names, None for a code that names none."""
    for one in codes(concept):
        hit = walk.profile.codes.section("loinc", one.code) if one.system == LOINC else None
        if hit is not None or one.code in _KINDS:
            return hit.value if hit is not None else _KINDS[one.code]
    return None


def _results(walk: Walk, report: Node, taken: frozenset[str]) -> list[Section]:
    """Observations of `result`, one level of `hasMember` included. What is no section is a finding (`label :
    value`), withdrawn ones are left out."""
    made: list[Section] = []
    for reference in report.all("result"):
        node = walk.follow(reference)
        if node is None or node.kind != "Observation":
            continue
        members = [found for one in node.all("hasMember") if (found := walk.follow(one)) is not None]
        for one in (node, *members):
            if one.kind != "Observation" or one.path in taken or one.text("status") in VOID:
                continue
            kind = _kind(walk, one.get("code"))
            text = _lines(_observed(one, labelled=kind is None))
            if text:
                walk.trail.source(f"sections[{kind or SectionKind.FINDINGS}]", one.path)
                made.append(Section(kind=kind or SectionKind.FINDINGS, text=text))
    return made


def _observed(node: Node, *, labelled: bool) -> str:
    """Value (or component values) and notes of an Observation, as text."""
    parts = [_value(node)]
    parts += [f"{_label(one)} : {_value(one)}" for one in node.all("component") if _value(one)]
    text = "\n".join(part for part in parts if part)
    label = _label(node) if labelled and text else ""
    notes = [note.text("text") for note in node.all("note")]
    return "\n".join(part for part in (f"{label} : {text}" if label else text, *notes) if part)


def _label(node: Node) -> str:
    concept = node.get("code")
    return concept.text("text") or next((one.display for one in codes(concept) if one.display), "")


def _value(node: Node) -> str:
    concept = node.get("valueCodeableConcept")
    quantity = node.get("valueQuantity")
    amount = " ".join(
        part
        for part in (
            quantity.text("comparator"),
            quantity.text("value"),
            quantity.text("unit") or quantity.text("code"),
        )
        if part
    )
    plain = (node.text(name) for name in ("valueString", "valueInteger", "valueDateTime", "valueTime"))
    coded = concept.text("text") or ", ".join(one.display or one.code for one in codes(concept))
    return next((text for text in (*plain, coded, amount) if text), "")


def _notes(walk: Walk, report: Node) -> list[Section]:
    """Notes typed by section code (extension backported from R5); an untyped one is a comment."""
    made: list[Section] = []
    for extension in report.extensions(NOTE):
        note = extension.get("valueAnnotation")
        kind = _kind(walk, note.extension(NOTE_TYPE).get("valueCodeableConcept")) or SectionKind.COMMENT
        text = "\n".join(line.strip() for line in _lines(note.text("text")).split("\n"))
        if text:
            walk.trail.source(f"sections[{kind}]", note.path)
            made.append(_signed(walk, Section(kind=kind, text=text), note, "authorReference"))
    return made


def _signed(walk: Walk, section: Section, node: Node, author: str) -> Section:
    """An addendum with its author and, of an Annotation, its time."""
    if section.kind is not SectionKind.ADDENDUM:
        return section
    who = professional(walk, f"sections[{section.kind}].author", node.get(author))
    moment = walk.moment(f"sections[{section.kind}].authored_at", node, "time")
    return replace(section, author=who, authored_at=moment)


def _composed(walk: Walk, composition: Node) -> list[Section]:
    """Sections of a Composition and their subsections; empty ones (`emptyReason`) say nothing."""
    made: list[Section] = []
    pending = list(composition.all("section"))
    while pending:
        node = pending.pop(0)
        pending[:0] = node.all("section")
        named = {one.code for one in codes(node.get("code"))}
        text = narrative(node.text("text", "div"))
        if node.text("emptyReason", "coding", "code") or named & STUDY_SECTIONS or not text:
            continue
        kind = _kind(walk, node.get("code"))
        # Text under a code that we do not know is kept under its own heading, never dropped.
        title = "" if kind else node.text("title")
        walk.trail.source(f"sections[{kind or SectionKind.REPORT}]", node.path)
        section = Section(kind=kind or SectionKind.REPORT, text=text, title=title)
        made.append(_signed(walk, section, node, "author"))
    return made


# --- attached documents


def attachments(
    walk: Walk, report: Node
) -> tuple[tuple[Attachment, ...], tuple[Blob, ...], tuple[Section, ...]]:
    """PDFs of `presentedForm` as attachments with their bytes; text and HTML as the whole report's text.

    Bytes stand in `data`, or in a Binary of the Bundle that `url` names. A `url` that leads outside is never
    fetched: REF-DANGLING (REQ-07).
    """
    made: dict[str, Attachment] = {}
    blobs: dict[str, Blob] = {}
    texts: list[Section] = []
    for form in report.all("presentedForm"):
        data, media_type = _bytes(walk, form)
        if data is None:
            continue
        if data.startswith(b"%PDF-"):
            sha256 = hashlib.sha256(data).hexdigest()
            walk.trail.source(f"attachments[{len(made)}]", form.path)
            made.setdefault(
                sha256, Attachment(sha256=sha256, media_type=PDF, size=len(data), title=form.text("title"))
            )
            blobs.setdefault(sha256, Blob(sha256=sha256, media_type=PDF, data=data))
        elif media_type == PDF:
            walk.trail.at("PDF-INVALID", form.path, f"{len(data)} bytes without the mark of a PDF")
        elif media_type == "text/plain" or media_type in _MARKUP:
            text = data.decode("utf-8", "replace")
            text = narrative(text) if media_type in _MARKUP else _lines(text)
            if text:
                texts.append(Section(kind=SectionKind.REPORT, text=text))
        else:
            walk.trail.at("ATTACHMENT-IGNORED", form.path, f"media type {media_type[:60]}")
    return tuple(made.values()), tuple(blobs.values()), tuple(texts)


def _bytes(walk: Walk, form: Node) -> tuple[bytes | None, str]:
    """(bytes, media type) of an Attachment; None when it holds none, with a finding unless it is empty."""
    media_type = form.text("contentType").partition(";")[0].lower()
    node = form.get("data")
    if not node and form.text("url"):
        found = walk.bundle.resolve_url(form.get("url"))
        if found is None or found.kind != "Binary":
            walk.trail.at("REF-DANGLING", f"{form.path}.url", "the document is not in the Bundle")
            return None, media_type
        media_type = media_type or found.text("contentType").partition(";")[0].lower()
        node = found.get("data")
    if not node:
        return None, media_type
    data = binary(node)
    if data is None:
        walk.trail.at("FHIR-INVALID", node.path, "not Base64")
    return data, media_type


# --- narrative


class _Text(HTMLParser):
    """XHTML narrative → lines: block elements and rows break, cells are separated by a space."""

    BREAKS = frozenset(
        {"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "dt", "dd"}
    )
    SILENT = frozenset({"style", "script", "head", "title"})

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SILENT:
            self._silent += 1
        self.parts.append("\n" if tag in self.BREAKS else " " if tag in ("td", "th") else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self._silent = max(0, self._silent - 1)
        self.parts.append("\n" if tag in self.BREAKS else "")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def narrative(markup: str) -> str:
    """Text of an XHTML fragment, one line a block, no empty lines; malformed markup gives what it can."""
    if not markup:
        return ""
    parser = _Text()
    parser.feed(markup)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)
