"""What an answer of the DMP means, code by code."""

import pytest

from gateway.dmp import judge
from gateway.dmp.answers import DECISIVE, ERRORS, FAULT_CODES, FAULT_SUBCODES, HTTP, HUNDREDS
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.xds import mtom

SOAP = "application/soap+xml; charset=UTF-8"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
T, P, A = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS
D, R = OutcomeKind.DELIVERED, OutcomeKind.REFUSED


def envelope(content: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        f"{content}</s:Body></s:Envelope>"
    ).encode()


def response(status: str, *codes: str, severity: str = "Error") -> bytes:
    errors = "".join(
        f'<rs:RegistryError errorCode="{code}" codeContext="PAT-TROIS DOMINIQUE 279035121518989"'
        f' severity="{SEVERITY}{severity}"/>'
        for code in codes
    )
    listed = f"<rs:RegistryErrorList>{errors}</rs:RegistryErrorList>" if codes else ""
    return envelope(
        f'<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="{status}">'
        f"{listed}</rs:RegistryResponse>"
    )


def fault(code: str, subcode: str = "") -> bytes:
    sub = f"<s:Subcode><s:Value>p:{subcode}</s:Value></s:Subcode>" if subcode else ""
    return envelope(
        f"<s:Fault><s:Code><s:Value>s:{code}</s:Value>{sub}</s:Code>"
        '<s:Reason><s:Text xml:lang="fr">PAT-TROIS DOMINIQUE</s:Text></s:Reason></s:Fault>'
    )


def refusal(*codes: str) -> Outcome:
    return judge(200, SOAP, response(STATUS + "Failure", *codes))


@pytest.mark.req("REQ-35")
def test_success_is_delivered() -> None:
    outcome = judge(200, SOAP, response(STATUS + "Success"))
    assert (outcome.kind, outcome.code, outcome.detail) == (D, "Success", "taken")


def test_success_with_a_warning_is_delivered_and_says_so() -> None:
    outcome = judge(200, SOAP, response(STATUS + "Success", "XDSRegistryError", severity="Warning"))
    assert (outcome.kind, outcome.detail) == (D, "taken with warnings: XDSRegistryError")


@pytest.mark.parametrize(("code", "meaning"), ERRORS.items(), ids=list(ERRORS))
def test_each_code_of_a_refusal_has_its_class(code: str, meaning: tuple[OutcomeKind, str]) -> None:
    outcome = refusal(code)
    assert (outcome.kind, outcome.code, outcome.detail) == (meaning[0], code, meaning[1])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("XDSRegistryBusy", T),
        ("XDSRepositoryBusy", T),
        ("XDSRegistryNotAvailable", T),
        ("XDSRepositoryMetadataError", P),
        ("XDSPatientIdDoesNotMatch", P),
        ("XDSReplaceFailed", P),
        ("XDSRegistryDeprecatedDocumentError", P),
        ("urn:x#XDSRegistryBusy", T),
        ("DMPSomethingNew", P),
    ],
)
def test_the_classes_that_matter_most_are_these(code: str, kind: OutcomeKind) -> None:
    assert refusal(code).kind is kind


@pytest.mark.req("REQ-37")
@pytest.mark.parametrize("code", ["DMPClosed", "XDSUnknownPatientId"])
def test_a_closed_or_missing_record_is_a_business_refusal_that_is_never_retried(code: str) -> None:
    assert refusal(code).kind is R
    assert judge(500, SOAP, fault("Sender", code)).kind is R
    assert refusal("XDSRegistryBusy", code).kind is R


@pytest.mark.req("REQ-43")
def test_a_submission_that_is_there_already_is_delivered() -> None:
    """The answer to the first attempt was lost; ids are the same at every attempt."""
    assert refusal("XDSDuplicateUniqueIdInRegistry").kind is D


@pytest.mark.req("REQ-43")
def test_what_follows_from_an_earlier_arrival_does_not_hide_it() -> None:
    """A registry that checks all rules also finds its entryUUID taken and the replaced entry deprecated."""
    follow = ("XDSRegistryDeprecatedDocumentError", "XDSRegistryMetadataError")
    assert refusal(*follow, "XDSDuplicateUniqueIdInRegistry").kind is D


@pytest.mark.parametrize("code", ["XDSNonIdenticalHash", "XDSNonIdenticalSize"])
def test_the_same_unique_id_with_other_bytes_is_not_an_arrival(code: str) -> None:
    outcome = refusal("XDSDuplicateUniqueIdInRegistry", code)
    assert (outcome.kind, outcome.code) == (P, code)


def test_several_errors_are_as_bad_as_the_worst() -> None:
    assert refusal("XDSRegistryBusy", "XDSRepositoryMetadataError").code == "XDSRepositoryMetadataError"


def test_warnings_beside_an_error_do_not_decide() -> None:
    body = response(STATUS + "Failure", "XDSRegistryBusy").replace(
        b"</rs:RegistryErrorList>",
        f'<rs:RegistryError errorCode="XDSMissingDocument" codeContext="" severity="{SEVERITY}Warning"/>'
        "</rs:RegistryErrorList>".encode(),
    )
    assert judge(200, SOAP, body).kind is T


def test_a_refusal_without_a_reason_is_shown() -> None:
    assert refusal().kind is P


def test_partial_success_is_judged_by_its_errors() -> None:
    assert judge(200, SOAP, response(PARTIAL, "XDSRegistryBusy")).kind is T


def test_the_content_decides_not_the_status_of_http() -> None:
    assert judge(500, SOAP, response(STATUS + "Success")).kind is D


def test_an_answer_in_mtom_is_read() -> None:
    parts = (mtom.part("root@dmp", "application/xop+xml", response(STATUS + "Failure", "XDSRegistryBusy")),)
    body = b"".join(mtom.write(parts, "b1"))
    kind = 'multipart/related; type="application/xop+xml"; boundary="b1"; start="<root@dmp>"'
    assert judge(200, kind, body).code == "XDSRegistryBusy"


@pytest.mark.parametrize(("code", "meaning"), FAULT_CODES.items(), ids=list(FAULT_CODES))
def test_each_code_of_a_fault_has_its_class(code: str, meaning: tuple[OutcomeKind, str]) -> None:
    outcome = judge(500, SOAP, fault(code))
    assert (outcome.kind, outcome.code) == (meaning[0], f"soap:{code}")


@pytest.mark.parametrize(("code", "meaning"), FAULT_SUBCODES.items(), ids=list(FAULT_SUBCODES))
def test_each_subcode_of_a_fault_has_its_class(code: str, meaning: tuple[OutcomeKind, str]) -> None:
    for outer in ("Sender", "Receiver"):
        outcome = judge(500, SOAP, fault(outer, code))
        assert (outcome.kind, outcome.code) == (meaning[0], code)


def test_a_fault_of_the_dmp_is_tried_again_and_one_of_ours_is_not() -> None:
    assert judge(500, SOAP, fault("Receiver")).kind is T
    assert judge(500, SOAP, fault("Sender")).kind is P
    assert judge(400, SOAP, fault("Sender", "NeverSeen")).kind is P


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, T),
        (502, T),
        (503, T),
        (504, A),
        (400, P),
        (401, P),
        (403, P),
        (404, P),
        (408, T),
        (413, P),
        (429, T),
        (301, P),
        (101, A),
        (200, A),
        (299, A),
        (600, P),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html><p>down for maintenance", b"\x00\xff"], ids=["", "html", "junk"]
)
def test_without_a_readable_answer_the_status_decides(status: int, kind: OutcomeKind, body: bytes) -> None:
    outcome = judge(status, "text/html", body)
    assert (outcome.kind, outcome.code) == (kind, f"HTTP {status}")


@pytest.mark.parametrize("cut", [10, 80, 160])
def test_half_an_answer_tells_nothing(cut: int) -> None:
    assert judge(200, SOAP, response(STATUS + "Success")[:cut]).kind is A


def test_a_doctype_in_an_answer_is_not_read() -> None:
    body = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + response(STATUS + "Success")
    assert judge(200, SOAP, body).kind is A


@pytest.mark.req("REQ-70")
@pytest.mark.parametrize(
    "body",
    [response(STATUS + "Failure", "XDSRegistryError"), fault("Sender"), fault("Sender", "FailedCheck")],
)
def test_the_peer_s_free_text_is_never_repeated(body: bytes) -> None:
    outcome = judge(500, SOAP, body)
    assert "PAT-TROIS" not in str(outcome)
    assert "279035121518989" not in str(outcome)


def test_a_hostile_code_stays_on_one_short_line() -> None:
    code = refusal("A&#10;B" + "C" * 500).code
    assert "\n" not in code
    assert len(code) <= 64


def test_the_tables_speak_for_every_code_in_words() -> None:
    tables = (ERRORS, FAULT_CODES, FAULT_SUBCODES, HTTP, HUNDREDS)
    assert all(meaning.detail for table in tables for meaning in table.values())
    assert set(DECISIVE) <= set(ERRORS)
