"""What no document can hold (XML 1.0 §2.2) is left out of it, and told with its place."""

import pytest

from gateway import hl7v2
from gateway.fhir import read
from gateway.mapping import fhir, fhir_order, hl7, sites
from gateway.model.findings import Finding
from gateway.model.submission import Mapped
from tests.fhir_cases import Change, bundle, encode, setting, without
from tests.support import FIXTURES
from tests.unit.mapping_messages import changed

CODE = "TEXT-CONTROL-CHARACTER"
ORU = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes().decode()


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(one.location, one.detail) for one in findings if one.code == CODE]


def by_hl7(*pairs: tuple[str, str]) -> Mapped:
    message = hl7v2.read(changed(*pairs, message=ORU).encode())
    (mapped,) = hl7.reports(message, sites.load().match(message))
    return mapped


@pytest.mark.parametrize(
    ("sent", "places"),
    [
        ("Examen \x1b[1msans\x1b[0m", [("OBX(5)-5", "U+001B")]),
        ("Examen \\X1B\\sans", [("OBX(5)-5", "U+001B")]),
        ("Examen\x00\x07 sans", [("OBX(5)-5", "U+0000, U+0007")]),
        ("Examen \\X0A\\sans", []),
        ("Examen\tsans", []),
    ],
)
def test_a_terminal_code_in_a_text_is_told(sent: str, places: list[tuple[str, str]]) -> None:
    assert told(by_hl7(("Examen sans", sent)).findings) == places


def test_the_field_is_named_wherever_it_stands() -> None:
    found = by_hl7(("PAT-TROIS^", "PAT-\x02TROIS^"), ("Examen sans", "Examen \x1bsans"))
    assert told(found.findings) == [("PID-5", "U+0002"), ("OBX(5)-5", "U+001B")]


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\\X0C\\"])
def test_a_page_break_in_a_narrative_is_the_end_of_a_line(end: str) -> None:
    """Old RIS part pages so: nothing of the text is lost, hence nothing is told."""
    mapped = by_hl7(("Examen sans", f"Examen{end}sans"))
    assert told(mapped.findings) == []
    assert mapped.report is not None
    assert any("Examen\nsans" in section.text for section in mapped.report.sections)


def test_what_stands_in_a_document_is_its_own_affair() -> None:
    """Blanks in Base64 are tolerated, and mean nothing."""
    oru = (FIXTURES / "hl7v2" / "oru_pdf.er7").read_bytes()
    message = hl7v2.read(oru.replace(b"^Base64^", b"^Base64^\x0c"))
    (mapped,) = hl7.reports(message, sites.load().match(message))
    assert told(mapped.findings) == []


def by_fhir(*changes: Change) -> tuple[Finding, ...]:
    (mapped,) = fhir.reports(read(encode(bundle(*changes))), sites.load().named("default"))
    return mapped.findings


def test_a_fhir_value_that_is_read_is_told_by_its_path() -> None:
    assert told(by_fhir()) == []
    (found,) = told(by_fhir(setting("Patient", gender="male\u0007", language="fr\u0007-FR")))
    assert found == ("Bundle.entry[0].resource.gender", "U+0007")


def test_an_order_tells_it_as_well() -> None:
    asked = bundle(
        without("DiagnosticReport"),
        without("Observation"),
        setting("ServiceRequest", note=[{"text": "Chute\u001b récente"}]),
    )
    (order, *_) = fhir_order.orders(read(encode(asked)), sites.load().named("default"))
    ((place, detail),) = told(order.findings)
    assert (place.partition(".note")[1:], detail) == ((".note", "[0].text"), "U+001B")
