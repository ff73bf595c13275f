"""One exam, two messages: HL7 v2 and FHIR give equal canonical reports (REQ-10; tests/fixtures/EXAM.md)."""

import msgspec
import pytest

from gateway.fhir import read as read_bundle
from gateway.hl7v2 import read as read_message
from gateway.mapping import fhir, hl7
from gateway.model.base import encode
from gateway.model.report import ImagingReport
from tests.fhir_cases import profile
from tests.support import FIXTURES


def from_hl7() -> ImagingReport:
    (mapped,) = hl7.reports(read_message((FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()), profile())
    assert mapped.report is not None, mapped.findings
    return mapped.report


def from_fhir() -> ImagingReport:
    (mapped,) = fhir.reports(read_bundle((FIXTURES / "fhir" / "report.json").read_bytes()), profile())
    assert mapped.report is not None, mapped.findings
    assert mapped.findings == ()
    return mapped.report


@pytest.mark.req("REQ-10")
def test_oru_and_bundle_of_one_exam_give_the_same_report() -> None:
    one, other = from_hl7(), from_fhir()
    differing = [
        name for name in ImagingReport.__struct_fields__ if getattr(one, name) != getattr(other, name)
    ]
    assert differing == []
    assert encode(one) == encode(other)


@pytest.mark.req("REQ-10")
def test_the_canonical_report_survives_its_json() -> None:
    report = from_fhir()
    assert msgspec.json.decode(encode(report), type=ImagingReport) == report
