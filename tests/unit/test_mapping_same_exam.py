"""One exam, two messages: HL7 v2 and FHIR give equal canonical reports (REQ-10; tests/fixtures/EXAM.md)."""

import json
from typing import NamedTuple

import msgspec
import pytest

from gateway.fhir import read as read_bundle
from gateway.hl7v2 import read as read_message
from gateway.mapping import fhir, hl7
from gateway.model.base import encode
from gateway.model.report import ImagingReport
from tests.fhir_cases import profile
from tests.support import FIXTURES
from tests.unit.mapping_messages import changed

Pairs = tuple[tuple[str, str], ...]
STATUS_HL7 = "||CT|F||||||"


class Exam(NamedTuple):
    """What makes another exam of the fixture: texts to exchange in both messages, and in each."""

    both: Pairs = ()
    hl7: Pairs = ()
    fhir: Pairs = ()


def status(code: str, word: str) -> Exam:
    return Exam(hl7=((STATUS_HL7, f"||CT|{code}||||||"),), fhir=(("final", word),))


EXAMS = {
    "the scan of head and trunk": Exam(),
    "a thorax by magnetic resonance": Exam(
        both=(("ACQH004", "ZBQN001"),),
        hl7=(("Scanner du crâne et du tronc avec injection", "IRM du thorax"), ("||CT|F||", "||MR|F||")),
        fhir=(
            ("Scanner du crâne et du tronc avec injection", "IRM du thorax"),
            ('"CT"', '"MR"'),
            ("24727-0", "36442-2"),
        ),
    ),
    "another place in time, other numbers": Exam(
        both=(("105234751", "205234752"), ("984375862", "984375000"), ("123.1876360", "123.99")),
        hl7=(("20210108102500+0100", "20210709082500+0200"), ("20210108111700+0100", "20210709091700+0200")),
        fhir=(
            ("2021-01-08T10:25:00+01:00", "2021-07-09T08:25:00+02:00"),
            ("2021-01-08T11:17:00+01:00", "2021-07-09T09:17:00+02:00"),
        ),
    ),
    "a corrected report with other words": Exam(
        both=(("Examen sans anomalie décelable.", "Nodule « suspect » de 3 mm : contrôle < 6 mois, œdème."),),
        hl7=status("C", "").hl7,
        fhir=status("", "corrected").fhir,
    ),
    "a preliminary report": status("P", "preliminary"),
    "a withdrawn report": status("D", "entered-in-error"),
    "an identity in doubt": Exam(both=(("VALI", "DOUT"),)),
    "a man": Exam(hl7=(("|19790328|F|", "|19790328|M|"),), fhir=(('"female"', '"male"'),)),
    "other people, another birth place": Exam(
        both=(
            *(("BIDEAULT", "DURAND-LÉGER"), ("01234560801", "01234560810"), ("DUPONT", "D'ARC")),
            *(("51215", "99109"), ("DOMPREMY", "BERLIN")),
        ),
    ),
}


def from_hl7(exam: Exam = EXAMS["the scan of head and trunk"]) -> ImagingReport:
    text = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes().decode()
    message = read_message(changed(*exam.both, *exam.hl7, message=text).encode())
    (mapped,) = hl7.reports(message, profile())
    assert mapped.report is not None, mapped.findings
    return mapped.report


def from_fhir(exam: Exam = EXAMS["the scan of head and trunk"]) -> ImagingReport:
    bundle = json.loads((FIXTURES / "fhir" / "report.json").read_bytes())
    report = bundle["entry"].pop()
    words = dict(exam.fhir)
    report["resource"]["status"] = words.pop("final", "final")
    text = json.dumps({**bundle, "entry": [*bundle["entry"], report]}, ensure_ascii=False)
    for old, new in (*exam.both, *words.items()):
        assert old in text, f"{old} is not in the Bundle"
        text = text.replace(old, new)
    (mapped,) = fhir.reports(read_bundle(text.encode()), profile())
    assert mapped.report is not None, mapped.findings
    return mapped.report


@pytest.mark.req("REQ-10")
@pytest.mark.parametrize("name", EXAMS)
def test_oru_and_bundle_of_one_exam_give_the_same_report(name: str) -> None:
    one, other = from_hl7(EXAMS[name]), from_fhir(EXAMS[name])
    differing = [
        field for field in ImagingReport.__struct_fields__ if getattr(one, field) != getattr(other, field)
    ]
    assert differing == []
    assert encode(one) == encode(other)


def test_no_two_of_these_exams_are_the_same_report() -> None:
    assert len({encode(from_hl7(one)) for one in EXAMS.values()}) == len(EXAMS)


def test_the_bundle_says_all_without_a_remark() -> None:
    data = (FIXTURES / "fhir" / "report.json").read_bytes()
    (mapped,) = fhir.reports(read_bundle(data), profile())
    assert mapped.findings == ()


@pytest.mark.req("REQ-10")
def test_the_canonical_report_survives_its_json() -> None:
    report = from_fhir()
    assert msgspec.json.decode(encode(report), type=ImagingReport) == report
