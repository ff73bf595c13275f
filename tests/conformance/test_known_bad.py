"""Public sample documents that the official rules refuse: our engine finds exactly the known reasons.

Spec cda.md §1.3: CR_Radio_CDAN1 of the volet Transmission (three reasons) and of the LPS volet (two).
"""

import base64
import re

import pytest

from conformance.schematron.official import Official
from conformance.xml import parse
from gateway.model.findings import Severity
from tests.hostile import HOSTILE
from tests.support import KIT, SAMPLES, needs_kit, needs_samples

pytestmark = [pytest.mark.kit, pytest.mark.samples, needs_kit, needs_samples]
FOLDER = SAMPLES / "hl7v2" / "ansforge__hl7V2-exemples"
TRANSMISSION = "Vague 2__Trans_Doc-CDA-HL7V2__TRANSMISSION_DOCS_CDA_EN_HL7V2_V2.1__MDM__"
LPS = "Vague 2__Trans_LPS_CDA_MSSanté__TRANSMISSION_LPS_DOC_CDA_COURRIEL_FROM_MSSANTE_V1.1__"
SET_ID = ("Structuration minimale", "/ClinicalDocument[1]", "setId")
FAMILY = (
    "Structuration minimale",
    "/ClinicalDocument[1]/recordTarget[1]/patientRole[1]/patient[1]/name[1]",
    "BR",
)
CCAM = ("Terminologies", "/ClinicalDocument[1]/documentationOf[1]/serviceEvent[1]/code[1]", "69536005")


@pytest.fixture(scope="module")
def official() -> Official:
    return Official(KIT)


def embedded(name: str) -> bytes:
    """The CDA of a message; its Base64 may be folded and without padding, as senders do."""
    found = re.search(rb"\^text\^XML\^Base64\^([^|]+)", (FOLDER / name).read_bytes())
    assert found is not None
    data = re.sub(rb"[\s\x0b\x1c]", b"", found[1])
    return base64.b64decode(data + b"=" * (-len(data) % 4))


@pytest.mark.req("REQ-24")
@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        (
            f"{TRANSMISSION}Transmission initiale MDM__message_MDM_CR_Radio_INIT_N1_Base64.er7",
            (CCAM, SET_ID, FAMILY),
        ),
        (f"{TRANSMISSION}Remplacement MDM__message_MDM_CR_Radio_RPLC_N1.er7", (CCAM, SET_ID, FAMILY)),
        (f"{TRANSMISSION}Suppression MDM__message_MDM_CR_Radio_DEL_N1.er7", (CCAM, SET_ID, FAMILY)),
        (f"{LPS}Transmission initiale MDM__message_MDM__LPS_MSS_CR_Radio_INIT_N1_Base64.er7", (CCAM, SET_ID)),
    ],
    ids=["initial", "replacement", "deletion", "LPS"],
)
def test_known_bad_documents_fail_for_the_known_reasons(
    official: Official, name: str, reasons: tuple[tuple[str, str, str], ...]
) -> None:
    _, remarks = official.judge(parse(embedded(name)))
    errors = [one for one in remarks if one.severity is Severity.ERROR]
    assert [(one.step, one.location) for one in errors] == [(step, place) for step, place, _ in reasons]
    assert all(word in one.text for one, (_, _, word) in zip(errors, reasons, strict=True))


def test_a_document_beyond_the_parser_of_the_rules_is_an_error_and_ends_nothing(official: Official) -> None:
    make, _ = HOSTILE["many attributes"]
    steps, remarks = official.judge(parse(make(b"")))
    assert {remark.step for remark in remarks if remark.severity is Severity.ERROR} == {"XSD", "XML"}
    assert [step.name for step in steps if not step.skipped] == ["XSD"]
