"""Why a document says what it says: builder trace, provenance and coverage joined (architecture 15 to 18).

Each element that carries a value is led back to a field of the message, a row of a code map, a constant of
the profile or of the standard; each field of the message to all that it became.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from gateway import cda
from gateway.cda.tree import Element
from gateway.cda.xml import parse
from gateway.mapping.sites import Profile
from gateway.model.base import Value
from gateway.model.narrative import BULLETS
from gateway.model.site import CdaLevel
from gateway.model.submission import Mapped
from gateway.model.version import ReportVersion
from gateway.pipeline.identity import identity, set_key
from gateway.pipeline.origins import Origin, OriginKind, Origins


class ElementLine(Value):
    """One element that carries a value. `path` is the canonical path, "" for what no report says."""

    element: str
    value: str
    path: str = ""
    origins: tuple[Origin, ...] = ()


class FieldLine(Value):
    """One populated field of the message.

    `fate`: mapped, ignored (by `rule`) or kept (in the stored message only). A mapped field without `paths`
    told how to read others (the type of an observation, the version of the message).
    """

    location: str
    fate: str
    rule: str = ""
    paths: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()


class Explanation(Value):
    """All of one report; `elements` is () when the input makes no report. Order: document, message."""

    elements: tuple[ElementLine, ...] = ()
    fields: tuple[FieldLine, ...] = ()


_STANDARD: Final = {
    "realmCode": "CI-SIS, en-tête CDA: realm FR",
    "typeId": "CDA R2: POCD_HD000040",
    "templateId": "CI-SIS: templates of this kind of document",
    "code": "LOINC 18748-4, the document type of imaging reports (JDV_J07)",
    "confidentialityCode": "N: masks travel in the XDS metadata",
    "signatureCode": "CDA R2: S, signed",
    "qualifier/name": "CI-SIS: what the translation holds (modality, anatomic region)",
    "translation/qualifier": "CI-SIS: what the translation holds (modality, anatomic region)",
    "recordTarget/patientRole/patient": "CDA R2: classCode",
    "documentationOf/serviceEvent": "CDA R2: classCode",
    "serviceEvent/performer": "CDA R2: typeCode PRF",
    "participant/associatedEntity": "CDA R2: classCode",
    "relatedDocument": "CDA R2: RPLC, the version before is replaced",
}
"""End of an element's path, without indexes → the clause that fixes its attributes."""
_WHOLE = frozenset({"code", "templateId", "confidentialityCode", "realmCode", "typeId"})
"""Those that are meant at the top of the document only; other codes are the report's own."""

_READ_FOR: Final = {
    "MSH-3": "context.sending_application",
    "MSH-4": "context.sending_facility",
    "MSH-5": "context.receiving_application",
    "MSH-6": "context.receiving_facility",
    "MSH-7": "context.sent_at",
    "MSH-9": "context.message_type",
    "MSH-10": "context.control_id",
    "MSH-11": "context.processing_id",
}
"""Fields of every message that become part of its context, without provenance of their own."""

INDEX = re.compile(r"\[\d+\]")
_FIELD = re.compile(r"[A-Z][A-Z0-9]{2}(?:\(\d+\))?-\d+")
_STAND_IN: Final = b"%PDF-1.4\n%%EOF\n"
"""In place of the page: its bytes say nothing about where values come from."""
_BODY: Final = "ClinicalDocument/component/"
"""Inside, only what a report says is explained: the rest is the frame that the volet gives every N3."""
_NARRATIVE: Final = "/section/text/"
_LONGEST = 80


def explain(
    mapped: Mapped, profile: Profile, *, environment: str, now: datetime, level: CdaLevel | None = None
) -> Explanation:
    """What there is to explain of one report. A held report is shown as the document that it would become.

    `level`: that of the document, else the site's, which falls back to N1. Raises ValueError when N3 is asked
    for and the report cannot be one. A received CDA is explained as it came.
    """
    origins = Origins(mapped, profile.site)
    elements: tuple[ElementLine, ...] = ()
    if mapped.report is not None:
        elements = tuple(_document(mapped, profile, origins, environment, now, level))
    return Explanation(elements=elements, fields=tuple(_fields(mapped, elements)))


def _document(
    mapped: Mapped,
    profile: Profile,
    origins: Origins,
    environment: str,
    now: datetime,
    level: CdaLevel | None,
) -> Iterator[ElementLine]:
    assert mapped.report is not None
    if received := mapped.context.received_document:
        data = next(blob.data for blob in mapped.blobs if blob.sha256 == received)
        yield from _received(data, mapped)
        return
    made = identity(
        mapped,
        environment=environment,
        site=profile.site,
        key=set_key(mapped.report.report_set),
        number=1,
        known=None,
        now=now,
    )
    version = ReportVersion(
        version_id=0, identity=made, report=mapped.report, context=mapped.context, site=profile.site
    )
    if level is None and profile.site.cda_level is CdaLevel.N3 and not cda.n3_possible(mapped.report):
        level = CdaLevel.N3
    built = cda.build_n3(version) if level is CdaLevel.N3 else cda.build_n1(version, _STAND_IN)
    trace = dict(built.trace)
    for path, node in _valued(parse(built.data)):
        line = _line(path, node, trace, mapped, origins)
        if line.path or not path.startswith(_BODY):
            yield line


def _received(data: bytes, mapped: Mapped) -> Iterator[ElementLine]:
    """A CDA that passes through: each of its elements stood in the message as it is."""
    place = next(
        (one.source.partition("/")[0] for one in mapped.provenance if "/ClinicalDocument/" in one.source),
        "OBX-5.5",
    )
    for path, node in _valued(parse(data)):
        origin = Origin(kind=OriginKind.FIELD, place=f"{place}/{path}")
        yield ElementLine(element=path, value=_value(node), origins=(origin,))


# --- elements


def _valued(root: Element) -> Iterator[tuple[str, Element]]:
    """Elements with attributes or text of their own, with the path that builders trace them by."""
    for node, path in _walk(root, "ClinicalDocument"):
        if node is not root and (node.attributes or node.text.strip()):
            yield path, node


def _walk(node: Element, path: str) -> Iterator[tuple[Element, str]]:
    yield node, path
    counts: dict[str, int] = {}
    for child in node.children:
        counts[child.tag] = counts.get(child.tag, 0) + 1
    seen: dict[str, int] = {}
    for child in node.children:
        seen[child.tag] = seen.get(child.tag, 0) + 1
        name = child.tag.rpartition("}")[2]
        index = f"[{seen[child.tag]}]" if counts[child.tag] > 1 else ""
        yield from _walk(child, f"{path}/{name}{index}")


def _line(path: str, node: Element, trace: dict[str, str], mapped: Mapped, origins: Origins) -> ElementLine:
    source = trace.get(path, "")
    value = _value(node)
    if rule := _standard(path):
        origin = Origin(kind=OriginKind.STANDARD, rule=rule)
        return ElementLine(element=path, value=value, path=source, origins=(origin,))
    if node.get("nullFlavor") and not node.text.strip():
        origin = Origin(kind=OriginKind.ABSENT, rule=f"nullFlavor {node.get('nullFlavor')}")
        return ElementLine(element=path, value=value, path=source, origins=(origin,))
    if path.endswith("/nonXMLBody/text"):
        source = "attachments" if mapped.report and mapped.report.attachments else "sections"
    if not source and _NARRATIVE in path:
        source = _section_of(" ".join(node.text.split()), mapped)
    owner = path
    while not source and "/" in owner:  # part of a value that was traced as a whole: a name, an address
        owner = owner.rpartition("/")[0]
        source = trace.get(owner, "")
    found = origins.of(source) if source else (Origin(kind=OriginKind.UNKNOWN),)
    return ElementLine(element=path, value=value, path=source, origins=found)


def _section_of(text: str, mapped: Mapped) -> str:
    """The section that says `text`, "" when none does: builders write narrative line by line."""
    sections = mapped.report.sections if mapped.report is not None else ()
    for place, section in enumerate(sections):
        lines = (" ".join(line.lstrip(f" \t{BULLETS}").split()) for line in section.text.split("\n"))
        if text and text in lines:
            return f"sections[{place}].text"
    return ""


def _standard(path: str) -> str:
    bare = INDEX.sub("", path).removeprefix("ClinicalDocument/")
    for end, rule in _STANDARD.items():
        if bare == end or (end not in _WHOLE and bare.endswith(f"/{end}")):
            return rule
    return ""


def _value(node: Element) -> str:
    """What the element says, in one line: its text, else its attributes."""
    text = " ".join(node.text.split())
    said = (f"{key.rpartition('}')[2].rpartition(':')[2]}={value}" for key, value in node.attributes.items())
    shown = text or " ".join(said)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


# --- fields


def _fields(mapped: Mapped, elements: tuple[ElementLine, ...]) -> Iterator[FieldLine]:
    paths: dict[str, list[str]] = {}
    for entry in mapped.provenance:
        if entry.source:
            paths.setdefault(field_of(entry.source), []).append(entry.path)
    shown: dict[str, list[str]] = {}
    for line in elements:
        for origin in line.origins:
            if origin.place:
                shown.setdefault(field_of(origin.place), []).append(line.element)
    for location in mapped.coverage.mapped:
        became = paths.get(location) or ([_READ_FOR[location]] if location in _READ_FOR else [])
        yield FieldLine(
            location=location,
            fate="mapped",
            paths=tuple(dict.fromkeys(became)),
            elements=tuple(dict.fromkeys(shown.get(location, []))),
        )
    for location, rule in mapped.coverage.ignored:
        yield FieldLine(location=location, fate="ignored", rule=rule)
    for location in mapped.coverage.kept:
        yield FieldLine(location=location, fate="kept")


def field_of(place: str) -> str:
    """The field of a place in an HL7 message (`PID-3` of `PID-3[2].4`); any other place as it is."""
    found = _FIELD.match(place)
    return found[0] if found else place
