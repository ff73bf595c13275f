"""Own rules on structured bodies: one change, one finding."""

import pytest

from gateway import cda
from gateway.cda.checks import has_check_digit
from tests.n3_cases import FULL
from tests.reports import REPLACEMENT

PDF = b"%PDF-1.4\n%%EOF\n"
VALID = cda.build_n3(FULL, PDF).data
SECOND = cda.build_n3(REPLACEMENT, PDF).data
N1 = cda.build_n1(FULL, PDF).data
BASE64 = b">JVBERi0xLjQKJSVFT0YK</value>"

CHANGES = [
    ("valid", VALID, b"", b"", ""),
    ("valid replacement", SECOND, b"", b"", ""),
    ("broken Base64 of an added document", VALID, BASE64, b">JVBERi0?</value>", "HL7-BASE64"),
    ("empty added document", VALID, BASE64, b"></value>", "HL7-BASE64"),
    ("added document that is no PDF", VALID, BASE64, b">QUJD</value>", "PDF-INVALID"),
    (
        "a document that no text shows",
        VALID,
        b'referencedObject="DOC-1"',
        b'referencedObject="X"',
        "CDA-ADVICE",
    ),
    ("dangling reference", VALID, b'value="#acte-1-description"', b'value="#gone"', "CDA-ADVICE"),
    (
        "reference into another section",
        VALID,
        b'<reference value="#information-patient"/>',
        b'<reference value="#acte-1"/>',
        "CDA-ADVICE",
    ),
    ("version 2 without RPLC", SECOND, b'typeCode="RPLC"', b'typeCode="APND"', "CDA-RULE CDA-ADVICE"),
    ("modality RM", VALID, b'code="CT"', b'code="RM"', "CDA-RULE"),
    ("modality RM in an N1", N1, b'code="CT"', b'code="RM"', "CDA-ADVICE"),
    ("LOINC with a wrong check digit", VALID, b'code="24727-0"', b'code="24727-1"', "CDA-ADVICE"),
    ("no CCAM code", VALID, b'code="ACQH003"', b'code="69536005"', "CDA-ADVICE"),
    ("region outside its set", VALID, b'code="774007"', b'code="774008"', "CDA-ADVICE"),
    ("practice setting outside its set", VALID, b'code="AMBULATOIRE"', b'code="AMBU"', "CDA-RULE"),
    ("confidentiality", VALID, b'code="N" displayName="Normal"', b'code="L" displayName="Bas"', "CDA-ADVICE"),
    ("wrong key of the INS", VALID, b"279035121518989", b"279035121518988", "INS-KEY"),
    ("empty body of an N1", N1, b">JVBERi0xLjQKJSVFT0YK</text>", b"></text>", "HL7-BASE64"),
]


@pytest.mark.parametrize("title, data, old, new, codes", CHANGES, ids=[change[0] for change in CHANGES])
def test_one_change_one_finding(title: str, data: bytes, old: bytes, new: bytes, codes: str) -> None:
    assert old in data
    assert {item.code for item in cda.check(data.replace(old, new))} == set(codes.split())


def test_a_structured_body_without_a_word_is_refused() -> None:
    head, _, tail = VALID.partition(b"<structuredBody>")
    data = head + b"<structuredBody/>" + tail.partition(b"</structuredBody>")[2]
    assert [(item.code, item.location) for item in cda.check(data)] == [
        ("CDA-RULE", "ClinicalDocument/component/structuredBody")
    ]


@pytest.mark.parametrize("code", ["18748-4", "24727-0", "55115-0", "11329-0", "30954-2", "121-4"])
def test_loinc_codes_carry_their_check_digit(code: str) -> None:
    number, digit = code.split("-")
    assert has_check_digit(code)
    assert not has_check_digit(f"{number}-{(int(digit) + 1) % 10}")


def test_a_code_of_another_form_is_no_loinc() -> None:
    assert not has_check_digit("LP123-4")
