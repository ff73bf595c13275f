"""Codes of a document against the large official value sets, read from the kit that the site configured.

The official rules do not look at LOINC codes of acts (cda.md §2); the value set of exam codes has thousands
of rows, so it is not shipped. Sets are found by OID, never by file name (cda.md §0.7).
"""

import difflib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from lxml import etree

from gateway import cda
from gateway.mapping.code_rows import fold
from gateway.model.findings import Finding, Severity, finding
from gateway.model.terms import LOINC, Code
from gateway.ports import Validator

EXAM_CODES = "1.2.250.1.213.1.1.5.687"
"""JDV code document imagerie: LOINC codes of exams, for code/translation and serviceEvent/code."""
REPORT = "18748-4"
NEAREST = 3
_CONCEPT = "{urn:ihe:iti:svs:2008}Concept"
_CLOSE = 0.4
_ORDER = tuple(Severity)


class ValueSetRules:
    """`ports.Validator`: the findings of `rules`, and those on codes that their value set does not hold."""

    def __init__(self, rules: Validator, kit: Path) -> None:
        self._rules, self._kit = rules, kit

    def judge(self, document: bytes) -> tuple[Finding, ...]:
        found = (*self._rules.judge(document), *unknown_codes(document, self._kit))
        return tuple(sorted(found, key=lambda one: _ORDER.index(one.severity)))

    def close(self) -> None:
        self._rules.close()


def unknown_codes(document: bytes, kit: Path) -> tuple[Finding, ...]:
    """A warning for each exam code outside its value set, with the nearest known codes; empty without set."""
    known = value_set(kit, EXAM_CODES)
    if not known:
        return ()
    try:
        header = cda.read(document)
    except cda.CdaError:
        return ()  # the rules have said so
    if header.code.code != REPORT:
        return ()
    return tuple(
        finding("CODE-UNKNOWN", place, _detail(code, known))
        for place, code in _exam_codes(header)
        if code.system == LOINC and code.code not in known
    )


def _exam_codes(header: cda.CdaHeader) -> Iterator[tuple[str, Code]]:
    for number, code in enumerate(header.code_translations, 1):
        yield f"ClinicalDocument/code/translation[{number}]", code
    for number, event in enumerate(header.service_events, 1):
        if event.code is not None:
            yield f"ClinicalDocument/documentationOf[{number}]/serviceEvent/code", event.code


def _detail(code: Code, known: dict[str, str]) -> str:
    near = nearest(code, known)
    text = f"LOINC {code.code[:12]} is not in {EXAM_CODES}"
    return f"{text}; nearest: {', '.join(f'{one} {known[one]}' for one in near)}" if near else text


def nearest(code: Code, known: dict[str, str]) -> tuple[str, ...]:
    """Known codes with the most similar label, else (no label, or nothing like it) the most similar code."""
    labels: dict[str, str] = {}
    for one, label in known.items():
        labels.setdefault(fold(label), one)
    close = difflib.get_close_matches(fold(code.display), labels, NEAREST, _CLOSE) if code.display else []
    return tuple(labels[label] for label in close) or tuple(
        difflib.get_close_matches(code.code, known, NEAREST, _CLOSE)
    )


@lru_cache(maxsize=8)
def value_set(kit: Path, oid: str) -> dict[str, str]:
    """Codes and labels of a value set of the kit; empty when the kit has none with this OID."""
    wanted = re.compile(rb'\bid="' + re.escape(oid).encode() + rb'"')
    for folder in (kit / "jeuxDeValeurs", kit / "cisis" / "jeuxDeValeurs"):
        for path in sorted(folder.glob("*.xml")):
            with path.open("rb") as file:
                head = file.read(4096)
            if wanted.search(head):
                parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
                root = etree.parse(str(path), parser).getroot()
                return {one.get("code", ""): one.get("displayName", "") for one in root.iter(_CONCEPT)}
    return {}
