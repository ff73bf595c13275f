"""Messages of the volet Transmission: the report from the CDA header, the rest from the message (REQ-33)."""

import hashlib
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.mapping import sites
from gateway.model.decision import Verdict
from gateway.model.findings import Severity, errors
from gateway.model.people import IdentityStatus
from gateway.model.report import ReportStatus
from gateway.model.submission import Action, Flags, Mapped, Recipient, RecipientKind
from gateway.model.terms import Identifier
from gateway.pipeline import offline
from tests.support import FIXTURES, SAMPLES, needs_samples
from tests.unit.mapping_messages import changed, codes, mapped, places, with_field

MDM = (FIXTURES / "hl7v2" / "mdm_cda.er7").read_bytes().decode("utf-8")
DOCUMENT = b64decode(
    next(line for line in MDM.split("\r") if "^XML^Base64^" in line).split("^")[-1].split("|")[0]
)
NOW = datetime(2021, 1, 8, 12, tzinfo=UTC)
ROOT = "1.2.250.1.925.994044785528"


def with_document(document: bytes, message: str = MDM) -> str:
    encoded = (b64encode(DOCUMENT).decode(), b64encode(document).decode())
    return changed(encoded, message=message)


def edited(old: str, new: str, message: str = MDM) -> str:
    assert old.encode() in DOCUMENT
    return with_document(DOCUMENT.replace(old.encode(), new.encode()), message)


def replacement(message: str = MDM) -> str:
    """The same message as T10, RO, C."""
    message = with_field("MSH", 9, "MDM^T10^MDM_T02", with_field("ORC", 1, "RO", message))
    lines = message.split("\r")
    place = next(number for number, line in enumerate(lines) if "^XML^Base64^" in line)
    lines[place] = lines[place].removesuffix("|F") + "|C"
    return "\r".join(lines)


def test_the_document_passes_through_byte_for_byte() -> None:
    made = mapped(MDM)
    assert made.report is not None and made.findings == ()
    (blob,) = made.blobs
    assert blob.data == DOCUMENT
    assert made.context.received_document == blob.sha256 == hashlib.sha256(DOCUMENT).hexdigest()
    assert (made.context.document_id, made.context.received_set_id) == (
        f"{ROOT}.50.46.1",
        f"{ROOT}.51.46",
    )
    assert [one.sha256 for one in made.report.attachments] == [blob.sha256]


def test_the_report_is_what_the_header_says() -> None:
    made = mapped(MDM).report
    assert made is not None
    assert (made.report_set, made.status) == (Identifier(value=f"{ROOT}.51.46"), ReportStatus.FINAL)
    assert made.validated_at == datetime.fromisoformat("2021-01-08T11:17:00+01:00")
    validator, requester = made.legal_authenticator, made.requester
    assert validator is not None and requester is not None and made.performer is not None
    assert (validator.id, requester.id, made.performer.id) == ("801234560801", "801234567897", "1920008059")
    act = made.acts[0]
    assert act.ccam is not None and act.code is not None
    assert (act.ccam.code, act.code.code, act.modalities[0].code) == ("ACQN001", "30657-1", "MR")
    assert act.study_uid == made.studies[0].uid == "1.2.250.1.925.994044.27.123.1876364"
    assert act.accession == made.orders[0].accession == Identifier(value="105234755", system=f"{ROOT}.27")
    assert made.sections == (), "the text stays inside the CDA"


def test_the_identity_status_stands_in_the_message_only() -> None:
    qualified, provisional = mapped(MDM).report, mapped(with_field("PID", 32, "PROV", MDM)).report
    assert qualified is not None and provisional is not None
    assert qualified.patient.identity_status is IdentityStatus.QUALIFIEE
    assert provisional.patient.identity_status is IdentityStatus.PROVISOIRE


def test_flags_sender_recipients_and_mail_body() -> None:
    context = mapped(MDM).context
    assert context.flags == Flags(
        masked_ps=False,
        invisible_patient=True,
        invisible_legal_representatives=False,
        secret_connection=False,
        modified_confidentiality=False,
        to_dmp=True,
        to_professionals=True,
        to_patient=False,
        acknowledge_reception=True,
        acknowledge_reading=False,
    )
    assert context.sender is not None and context.sender_organization is not None
    assert (context.sender.id, context.sender_organization.id) == ("801234560801", "1920008059")
    assert context.recipients == (
        Recipient(
            kind=RecipientKind.PROFESSIONAL,
            id="801234567897",
            name="Alain DUPONT",
            address="alain.dupont@test-ci-sis.mssante.fr",
        ),
    )
    assert context.body_professional == "Bonjour, voici le compte rendu demandé."
    assert (context.message_type, context.patient_class, context.action) == ("MDM^T02", "O", Action.CREATE)


@pytest.mark.parametrize(
    ("participation", "recipient"),
    [
        (
            "279035121518989^PAT-TROIS^DOMINIQUE^^^^^^1.2.250.1.213.1.4.10^L^^^INS|||||||"
            "|||^^X.400^279035121518989@patient.mssante.fr",
            Recipient(
                kind=RecipientKind.PATIENT,
                id="279035121518989",
                name="DOMINIQUE PAT-TROIS",
                address="279035121518989@patient.mssante.fr",
            ),
        ),
        (
            "|||Clinique^^^^^A&1.2.250.1.71.4.2.2&ISO^FINEG^^^750000001|||||||^^X.400^c@x.mssante.fr",
            Recipient(
                kind=RecipientKind.ORGANIZATION, id="1750000001", name="Clinique", address="c@x.mssante.fr"
            ),
        ),
        (
            "|||||APP1|||||^^X.400^bal@x.mssante.fr",
            Recipient(kind=RecipientKind.APPLICATION, id="APP1", address="bal@x.mssante.fr"),
        ),
    ],
)
def test_recipients_of_every_kind(participation: str, recipient: Recipient) -> None:
    line = f"PRT||UC||RCT^^participation|{participation}"
    made = mapped(changed(("\rOBX|2|CWE", f"\r{line}\rOBX|2|CWE"), message=MDM))
    assert made.context.recipients[1] == recipient


def test_a_mailbox_one_field_too_early_is_read_and_said() -> None:
    made = mapped(changed(("||||||||||^^X.400^alain", "|||||||||^^X.400^alain"), message=MDM))
    assert made.context.recipients[0].address == "alain.dupont@test-ci-sis.mssante.fr"
    assert ("HL7-DATATYPE", "PRT(2)-14") in places(made)
    assert errors(made.findings) == ()


def test_a_reply_address_and_the_ban_of_an_answer() -> None:
    made = mapped(
        changed(
            (
                "\rOBX|2|CWE",
                "\rPRT||UC||REPLY^^participation||||||||||^^X.400^retour@x.mssante.fr\rOBX|2|CWE",
            ),
            ("\rOBX|10|CWE|ACK_RECEPTION", "\rNTE|1|||FIN\rOBX|10|CWE|ACK_RECEPTION"),
            message=MDM,
        )
    )
    assert made.context.reply_to == "retour@x.mssante.fr"
    assert made.context.flags.patient_may_not_reply is True


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("INVISIBLE_REP_LEGAUX^", "INVISIBLE_REPRENSANTS_LEGAUX^", "invisible_legal_representatives"),
        ("ACK_LECTURE_MSS^", "ACK_LECTURE^", "acknowledge_reading"),
        ("MODIF_CONF_CODE^", "MODIF_CONFIDENTIALITYCODE^", "modified_confidentiality"),
    ],
)
def test_former_names_of_flags_are_read(old: str, new: str, field: str) -> None:
    assert getattr(mapped(changed((old, new), message=MDM)).context.flags, field) is False


def test_a_flag_that_is_neither_yes_nor_no_is_an_error() -> None:
    made = mapped(changed(("par le patient^MetaDMPMSS||Y", "par le patient^MetaDMPMSS||?"), message=MDM))
    assert [(found.code, found.location) for found in errors(made.findings)] == [("HL7-DATATYPE", "OBX(3)-5")]


# --- the action (§1.2)


def test_a_replacement_names_what_it_replaces() -> None:
    related = (
        '<relatedDocument typeCode="RPLC"><parentDocument>'
        f'<id root="{ROOT}.50.46.0"/></parentDocument></relatedDocument><componentOf>'
    )
    made = mapped(replacement(edited("<componentOf>", related)))
    assert made.report is not None
    assert (made.context.action, made.report.status) == (Action.REPLACE, ReportStatus.CORRECTED)
    assert made.report.replaces == Identifier(value=f"{ROOT}.50.46.0")
    assert made.report.report_set == Identifier(value=f"{ROOT}.51.46")


def test_a_replacement_that_does_not_name_its_original_is_a_correction_all_the_same() -> None:
    made = mapped(replacement()).report
    assert made is not None
    assert (made.status, made.replaces) == (ReportStatus.CORRECTED, None)


def test_an_order_control_that_names_no_action_is_a_mismatch_even_alone() -> None:
    oru = with_field("MSH", 9, "ORU^R01^ORU_R01", with_field("ORC", 1, "SC", MDM))
    assert "HL7-ACTION-MISMATCH" in codes(mapped(changed(("||||||F\rPRT", "||||||\rPRT"), message=oru)))


def test_without_set_id_the_replaced_document_names_the_set_else_the_document_itself() -> None:
    set_id = f'<setId root="{ROOT}.51.46"/>'
    first = mapped(edited(set_id, "")).report
    assert first is not None
    assert first.report_set == Identifier(value=f"{ROOT}.50.46.1")


@pytest.mark.parametrize(
    ("event", "control", "result"),
    [
        ("T02", "RO", "F"),
        ("T02", "NW", "C"),
        ("T10", "NW", "F"),
        ("T10", "RO", "F"),
        ("T02", "CA", "D"),
        ("T02", "XX", "F"),
        ("T02", "SC", "C"),
    ],
)
def test_event_order_control_and_result_status_must_name_one_action(
    event: str, control: str, result: str
) -> None:
    message = with_field("MSH", 9, f"MDM^{event}^MDM_T02", with_field("ORC", 1, control, MDM))
    made = mapped(changed(("||||||F\rPRT", f"||||||{result}\rPRT"), message=message))
    assert ("HL7-ACTION-MISMATCH", "ORC-1") in places(made)
    assert errors(made.findings)


def test_an_oru_says_its_action_by_orc_1_and_obx_11_alone() -> None:
    oru = with_field("MSH", 9, "ORU^R01^ORU_R01", replacement())
    assert mapped(oru).context.action is Action.REPLACE
    assert "HL7-ACTION-MISMATCH" in codes(mapped(with_field("ORC", 1, "NW", oru)))


def test_a_missing_order_control_is_a_remark() -> None:
    made = mapped(with_field("ORC", 1, "", MDM))
    assert {(found.code, found.severity) for found in made.findings} == {
        ("HL7-FIELD-MISSING", Severity.WARNING)
    }


@pytest.mark.parametrize("event", ["ORU^R01^ORU_R01", "MDM^T04^MDM_T02"])
def test_a_deletion_names_the_document_and_takes_it_back(event: str) -> None:
    message = with_field("MSH", 9, event, with_field("ORC", 1, "CA", MDM))
    made = mapped(changed(("||||||F\rPRT", "||||||D\rPRT"), message=message))
    assert errors(made.findings) == () and made.report is not None
    assert (made.context.action, made.report.status) == (Action.DELETE, ReportStatus.ENTERED_IN_ERROR)
    assert made.context.document_id == f"{ROOT}.50.46.1"


# --- documents that are not what they should be


@pytest.mark.req("REQ-06")
def test_a_document_of_another_kind_is_refused() -> None:
    made = mapped(edited('<code code="18748-4"', '<code code="11502-2"'))
    assert made.report is None
    assert ("NOT-IMAGING", "OBX-5.5/ClinicalDocument/code") in places(made)


@pytest.mark.parametrize("document", [b"Bonjour", b"<ClinicalDocument/>", DOCUMENT[:2000], b"%PDF-1.4"])
def test_what_is_no_cda_is_refused_at_its_place(document: bytes) -> None:
    made = mapped(with_document(document))
    assert made.report is None
    assert {found.code for found in errors(made.findings)} == {"CDA-INVALID"}
    assert all(found.location.startswith("OBX-5.5") for found in errors(made.findings))


def test_a_message_without_a_document_is_refused() -> None:
    lines = [line for line in MDM.split("\r") if "^XML^Base64^" not in line]
    made = mapped("\r".join(lines))
    assert made.report is None
    assert "REPORT-EMPTY" in codes(made)


@pytest.mark.req("REQ-32")
@pytest.mark.parametrize(
    ("message", "place"),
    [
        (changed(("PID|1||279035121518989^", "PID|1||279035121518988^"), message=MDM), "PID-3.1"),
        (with_field("TXA", 12, "1.2.3", MDM), "TXA-12"),
        (with_field("TXA", 13, "1.2.3", MDM), "TXA-13"),
        (changed(("^FINEG^^^1920008059", "^FINEG^^^1750000001"), message=MDM), "PRT-8"),
    ],
)
def test_message_and_document_that_disagree_are_told(message: str, place: str) -> None:
    made = mapped(message)
    assert made.report is not None
    assert ("CDA-MISMATCH", place) in places(made)


def test_a_structure_without_its_type_digit_is_the_same() -> None:
    made = mapped(changed(("^FINEG^^^1920008059", "^FINEG^^^920008059"), message=MDM))
    assert "CDA-MISMATCH" not in codes(made)


@pytest.mark.req("REQ-32")
@pytest.mark.parametrize(("policy", "verdict"), [("", Verdict.ACCEPT), ("error", Verdict.REJECT)])
def test_a_site_may_refuse_what_is_a_warning_elsewhere(tmp_path: Path, policy: str, verdict: Verdict) -> None:
    if policy:
        (tmp_path / "strict.toml").write_text(f'[policies]\nCDA-MISMATCH = "{policy}"\n')
    message = changed(("^FINEG^^^1920008059", "^FINEG^^^1750000001"), message=MDM).encode()
    (judged,) = offline.judge(
        message, sites.load(tmp_path), site="strict" if policy else "", environment="test", now=NOW
    )
    assert judged.decision.verdict is verdict
    assert "CDA-MISMATCH" in {found.code for found in judged.decision.findings}


def test_a_cda_in_a_message_that_names_no_volet_is_known_by_obx_5() -> None:
    made = mapped(with_field("MSH", 21, "", MDM))
    assert made.context.received_document


# --- official samples


def official(name: str) -> Mapped:
    (path,) = [
        path for path in (SAMPLES / "hl7v2").rglob("*") if path.name.endswith(name) and "V2.1" in path.name
    ]
    return mapped(path.read_bytes().decode("utf-8"))


@needs_samples
@pytest.mark.samples
def test_the_official_initial_report_is_read() -> None:
    made = official("MDM__Transmission initiale MDM__message_MDM_CR_Radio_INIT_N1_Base64.er7")
    assert made.report is not None
    assert errors(made.findings) == ()
    assert made.report.patient.ins == Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")
    assert made.context.flags.invisible_patient is True


@needs_samples
@pytest.mark.samples
def test_the_official_replacement_names_its_original() -> None:
    made = official("Remplacement MDM__message_MDM_CR_Radio_RPLC_N1.er7")
    assert made.report is not None
    assert made.context.action is Action.REPLACE
    assert made.context.document_id == "1.2.250.1.71.4.2.2.120456789.71024000082"
    assert made.report.replaces == Identifier(value="1.2.250.1.71.4.2.2.120456789.71024000081")


@needs_samples
@pytest.mark.samples
def test_the_official_laboratory_reports_are_no_imaging() -> None:
    made = official("Transmission initiale ORU__message_ORU_CR_Bio_INIT_N3_SEGUR.hl7")
    assert "NOT-IMAGING" in {found.code for found in errors(made.findings)}
