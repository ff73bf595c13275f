"""Own checks of a CDA: what the official XSD and Schematron leave unchecked (cda.md §2, « NOT caught »).

Each rule is a named function; `RULES` is their table, with the source of each. A rule yields findings located
by element path and never repeats a value of the document. Errors are breaches of a written rule; warnings
(CDA-ADVICE) are recommendations, and what official examples themselves get wrong.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from gateway.cda.built import Built
from gateway.cda.checks_body import (
    base64_strict,
    media_sound,
    n1_templates,
    pdf_magic,
    references_resolve,
    sections_present,
    text_representation,
)
from gateway.cda.contents import lean
from gateway.cda.reader import UNREADABLE, document, header, remember
from gateway.cda.tree import Element, descendants, paths
from gateway.cda.values import CdaHeader, Party
from gateway.cda.vocabulary import MODALITIES, PRACTICE_SETTINGS, REGIONS, REPORT_CODE
from gateway.cda.xml import CdaError, attribute, children
from gateway.model.findings import Finding, Severity, finding
from gateway.model.terms import LOINC, PS_IDNAT, SNOMED_CT

_PATIENT_ID: Final = "ClinicalDocument/recordTarget/patientRole/id"


class Rule(NamedTuple):
    """`look` yields the findings of one rule on a document; `source` is the clause that it follows."""

    title: str
    source: str
    look: Callable[[Element, CdaHeader], Iterator[Finding]]


def check(data: bytes, *, for_dmp: bool = False) -> tuple[Finding, ...]:
    """All findings of the own rules on a CDA.

    A missing INS (CDA-INS-MISSING) is an error only `for_dmp`: a document of an unqualified identity may go
    to a professional and to the folder (architecture decision 15). An unreadable document gives its
    CDA-INVALID finding instead of raising.
    """
    try:
        root = document(lean(data).data)
        return _judged(data, root, for_dmp)
    except CdaError as error:
        return error.findings


def check_built(built: Built) -> tuple[Finding, ...]:
    """The same of a document that was just built, from its elements: its bytes need not be read for it."""
    return _judged(built.data, built.root, for_dmp=False)


def _judged(data: bytes, root: Element, for_dmp: bool) -> tuple[Finding, ...]:
    """Raises CdaError."""
    values = header(root)
    found = [item for rule in RULES for item in rule.look(root, values)]
    if not any(item.code in UNREADABLE for item in found):
        remember(data, values)  # each delivery asks for the header of what was just built
    if for_dmp:
        found = [_required_of_dmp(item) for item in found]
    return tuple(dict.fromkeys(found))


def _required_of_dmp(item: Finding) -> Finding:
    return finding(item.code, item.location) if item.code == "CDA-INS-MISSING" else item


def _ins_present(root: Element, values: CdaHeader) -> Iterator[Finding]:
    if values.patient.ins is None:
        yield finding("CDA-INS-MISSING", _PATIENT_ID, severity=Severity.WARNING)


def _ins_key(root: Element, values: CdaHeader) -> Iterator[Finding]:
    ins = values.patient.ins
    if ins is not None and not has_key(ins.value):
        yield finding("INS-KEY", _PATIENT_ID, f"{len(ins.value)} characters")


_CORSICA: Final = {"2A": "19", "2B": "18"}


def has_key(matricule: str) -> bool:
    """13 characters and their key, 97 − (number mod 97); departments 2A and 2B count as 19 and 18."""
    department = matricule[5:7].upper()
    digits = matricule[:5] + _CORSICA.get(department, department) + matricule[7:]
    return len(digits) == 15 and digits.isdecimal() and 97 - int(digits[:13]) % 97 == int(digits[13:])


_MOMENT: Final = re.compile(r"\d{14}[+-]\d{4}")
_TIME_OR_DATE: Final = re.compile(r"\d{4}|\d{6}|\d{8}|\d{12}[+-]\d{4}|\d{14}[+-]\d{4}")


def _effective_time(root: Element, values: CdaHeader) -> Iterator[Finding]:
    if not _MOMENT.fullmatch(values.effective_time):
        yield finding("CDA-ADVICE", "ClinicalDocument/effectiveTime", "not AAAAMMJJhhmmss±ZZZZ")


_TIMED: Final = frozenset(("time", "effectiveTime", "low", "high", "birthTime"))
"""Elements of the header that hold a TS in @value."""


def _other_times(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """Date, or time with offset, never finer than seconds; official RIS documents break this: a warning."""
    for part in root.children:
        if part.tag == "component":
            return
        if part.tag == "effectiveTime":
            continue
        for node in descendants(part):
            value = attribute(node, "value") if node.tag in _TIMED else ""
            if value and not _TIME_OR_DATE.fullmatch(value):
                ((path, _),) = paths(root, [(node, "")])
                yield finding("CDA-ADVICE", path, "a time without offset, or finer than seconds")


_NATIONAL_ID: Final = re.compile(r"8\d{11}|(?!\d{11}$)[013456].+")
"""PS_IdNat: 8 + RPPS, or another type digit (dmp-mss.md §1.2); 11 digits are an RPPS that lost its 8."""


def _national_ids(root: Element, values: CdaHeader) -> Iterator[Finding]:
    for party, path in _professionals(values):
        if party.id is None or party.id.system != PS_IDNAT or _NATIONAL_ID.fullmatch(party.id.value):
            continue
        answerable = party.type_code in ("AUT", "LA", "AUTHEN", "PRF")
        detail = f"{len(party.id.value)} characters"
        yield finding("RPPS-FORM", f"{path}/id", detail, None if answerable else Severity.WARNING)


def _professionals(values: CdaHeader) -> Iterator[tuple[Party, str]]:
    """Every person of the header, with the path of the entity."""
    for index, party in enumerate(values.authors, 1):
        yield party, f"ClinicalDocument/author[{index}]/assignedAuthor"
    if values.legal_authenticator is not None:
        yield values.legal_authenticator, "ClinicalDocument/legalAuthenticator/assignedEntity"
    for index, party in enumerate(values.authenticators, 1):
        yield party, f"ClinicalDocument/authenticator[{index}]/assignedEntity"
    for index, party in enumerate(values.participants, 1):
        yield party, f"ClinicalDocument/participant[{index}]/associatedEntity"
    for index, event in enumerate(values.service_events, 1):
        if event.performer is not None:
            entity = f"ClinicalDocument/documentationOf[{index}]/serviceEvent/performer/assignedEntity"
            yield event.performer, entity


def _author_profession(root: Element, values: CdaHeader) -> Iterator[Finding]:
    for index, party in enumerate(values.authors, 1):
        if not party.is_device and party.practitioner.specialty is None:
            yield finding("CDA-ADVICE", f"ClinicalDocument/author[{index}]/assignedAuthor/code", "missing")


def _practice_settings(root: Element, values: CdaHeader) -> Iterator[Finding]:
    for party, path in _professionals(values):
        structure = party.practitioner.organization
        setting = structure.practice_setting if structure is not None else None
        if setting is not None and setting.code not in PRACTICE_SETTINGS:
            place = f"{path}/representedOrganization/standardIndustryClassCode"
            yield finding("CDA-RULE", place, "code outside JDV_J04")


def _confidentiality(root: Element, values: CdaHeader) -> Iterator[Finding]:
    if values.confidentiality is None or values.confidentiality.code != "N":
        yield finding("CDA-ADVICE", "ClinicalDocument/confidentialityCode", "not N")


def _versions(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """setId always; version ≥ 2 ⇔ relatedDocument RPLC, and no other relation.

    Official MDM examples come without setId: a warning here, an error of the official Schematron.
    """
    if values.set_id is None:
        yield finding("CDA-ADVICE", "ClinicalDocument/setId", "missing")
    if values.version_number >= 2 and not values.replaces:
        yield finding("CDA-RULE", "ClinicalDocument/relatedDocument", "version 2 or later replaces nothing")
    if values.version_number == 1 and values.replaces:
        yield finding("CDA-ADVICE", "ClinicalDocument/versionNumber", "a first version replaces another")
    for related in children(root, "relatedDocument"):
        if related.get("typeCode") != "RPLC":
            yield finding("CDA-ADVICE", "ClinicalDocument/relatedDocument/@typeCode", "not RPLC")


def _orders(root: Element, values: CdaHeader) -> Iterator[Finding]:
    if values.code.code == REPORT_CODE and not values.orders:
        yield finding("CDA-ADVICE", "ClinicalDocument/inFulfillmentOf", "missing")


def _acts(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """Modality and region of each act of a report, against the value sets; an error in N3 only (SCH)."""
    if values.code.code != REPORT_CODE:
        return
    code = "CDA-RULE" if values.body == "structured" else "CDA-ADVICE"
    for index, event in enumerate(values.service_events, 1):
        path = f"ClinicalDocument/documentationOf[{index}]/serviceEvent/code/translation"
        if event is values.principal and not event.modalities:
            yield finding(code, path, "no modality for the principal act")
        if any(item.code not in MODALITIES for item in event.modalities):
            yield finding(code, path, "modality outside 1.2.250.1.213.1.1.5.618")
        if any(item.code not in REGIONS for item in event.regions if item.system == SNOMED_CT):
            yield finding("CDA-ADVICE", path, "region outside 1.2.250.1.213.1.1.5.695")


_CCAM_CODE: Final = re.compile(r"[A-Z]{4}\d{3}([-.]?\w+)*")
_LOINC_CODE: Final = re.compile(r"(\d{1,7})-(\d)")


def _code_forms(root: Element, values: CdaHeader) -> Iterator[Finding]:
    """LOINC ends with its check digit; a CCAM act is four letters and three digits (with its extensions).

    No official rule looks at either in a translation, nor at LOINC at all without its terminology file.
    """
    for index, event in enumerate(values.service_events, 1):
        path = f"ClinicalDocument/documentationOf[{index}]/serviceEvent/code"
        if event.loinc is not None and not has_check_digit(event.loinc.code):
            yield finding("CDA-ADVICE", path, "LOINC code with a wrong check digit")
        if event.ccam is not None and not _CCAM_CODE.fullmatch(event.ccam.code):
            yield finding("CDA-ADVICE", path, "no CCAM code under the OID of the CCAM")
    if any(item.system == LOINC and not has_check_digit(item.code) for item in values.code_translations):
        path = "ClinicalDocument/code/translation"
        yield finding("CDA-ADVICE", path, "LOINC code with a wrong check digit")


def has_check_digit(code: str) -> bool:
    """`18748-4`: the digit after the hyphen is the mod 10 check of the number (LOINC Users' Guide)."""
    match = _LOINC_CODE.fullmatch(code)
    if match is None:
        return False
    doubled = (
        sum(divmod(int(digit) * 2, 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(match[1]))
    )
    return (10 - sum(doubled) % 10) % 10 == int(match[2])


RULES: Final = (
    Rule("the patient has an INS", "cda.md §2; REQ-15, DMP: no feed without INS", _ins_present),
    Rule("the INS fits its key", "référentiel INS; REQ-13", _ins_key),
    Rule("effectiveTime has seconds and offset", "cda.md §3 row 7", _effective_time),
    Rule("other times have an offset", "kit, abstract IVL_TS rule", _other_times),
    Rule("a RPPS has its leading 8", "cda.md §3.3", _national_ids),
    Rule(
        "an author names his profession", "cda.md §3.3, comment of the official example", _author_profession
    ),
    Rule("practice settings are of JDV_J04", "kit of October 2025 (K10): error", _practice_settings),
    Rule("confidentiality is N", "cda.md §3 row 8; volet Transmission 2.0", _confidentiality),
    Rule("versions form a chain", "cda.md §0.3, §3 row 23", _versions),
    Rule("a report answers a request", "volet IMG-CR-IMG 2024.01 (STD 1..*)", _orders),
    Rule("acts name modality and region", "volet IMG-CR-IMG 2024.01 (SCH)", _acts),
    Rule("N1 carries exactly three templateIds", "cda.md §3.1", n1_templates),
    Rule("N1 text is Base64 of a PDF or a text", "cda.md §5", text_representation),
    Rule("Base64 is strict", "cda.md §5; RFC 4648 §4", base64_strict),
    Rule("the PDF is a PDF", "cda.md §5", pdf_magic),
    Rule("references lead to a text", "cda.md §2", references_resolve),
    Rule("a structured body says something", "CDA R2 §4.3.5: the text is the content", sections_present),
    Rule("documents inside are sound", "cda.md §5; RFC 4648 §4", media_sound),
    Rule("codes of acts have the form of their system", "cda.md §2: unknown codes pass", _code_forms),
)
