"""Which ends are told to the creator of a message, and how the request of each is made (REQ-41)."""

from datetime import UTC, datetime

import pytest

from gateway import hl7v2
from gateway.config import ZamSettings, load
from gateway.hl7v2 import cisis
from gateway.hl7v2.zam import ZamRequest
from gateway.model.base import replace
from gateway.model.delivery import DeliveryState, Destination, Outcome, OutcomeKind
from gateway.model.submission import Action, Flags, Protocol, Recipient, RecipientKind
from gateway.model.version import Acknowledged, DeliveryJob
from gateway.pipeline.destinations import PrepareError
from gateway.pipeline.destinations.zam import prepare
from gateway.rules.acknowledgement import owed
from tests.reports import VERSION

NOW = datetime(2021, 1, 8, 12, 0, 5, tzinfo=UTC)
DOCTOR = Recipient(
    kind=RecipientKind.PROFESSIONAL, id="801234567897", address="alain.dupont@test-ci-sis.mssante.fr"
)
CONTEXT = replace(
    VERSION.context,
    protocol=Protocol.HL7V2,
    control_id="RIS-2021-000042-1",
    sending_application="RIS-AMBROISE",
    sending_facility="CENTRE-AMBROISE",
    receiving_application="PASSERELLE",
    receiving_facility="AMBROISE",
    processing_id="T",
    flags=Flags(acknowledge_reception=True),
)
SETTINGS = load(zam={"creators": [{"application": "RIS-AMBROISE", "host": "127.0.0.1", "port": 2576}]}).zam
DELIVERED, FAILED, REFUSED = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.REFUSED


def job(told: Acknowledged | None, delivery_id: int = 9, **context: object) -> DeliveryJob:
    return DeliveryJob(
        delivery_id=delivery_id,
        destination=Destination.ZAM,
        action=Action.CREATE,
        version=replace(VERSION, context=replace(CONTEXT, **context)),
        documents=(),
        acknowledges=told,
    )


def of_dmp(
    state: DeliveryState = DELIVERED, outcome: Outcome | None = None, reason: str = ""
) -> Acknowledged:
    return Acknowledged(
        delivery_id=3, destination=Destination.DMP, state=state, ended_at=NOW, outcome=outcome, reason=reason
    )


def of_mail(code: str, *, detail: str = "the server refuses", state: DeliveryState = FAILED) -> Acknowledged:
    return Acknowledged(
        delivery_id=4,
        destination=Destination.MSSANTE_PS,
        state=state,
        ended_at=NOW,
        recipient=DOCTOR,
        outcome=Outcome(kind=OutcomeKind.PERMANENT, code=code, detail=detail),
    )


def made(told: Acknowledged, **context: object) -> hl7v2.Message:
    return hl7v2.read(prepare(job(told, **context), settings=SETTINGS, now=NOW).data)


@pytest.mark.req("REQ-41")
@pytest.mark.parametrize(
    ("destination", "state", "told"),
    [
        (Destination.DMP, DELIVERED, True),
        (Destination.DMP, REFUSED, True),
        (Destination.MSSANTE_PS, FAILED, True),
        (Destination.MSSANTE_PATIENT, DELIVERED, True),
        (Destination.DMP, DeliveryState.WAITING, False),
        (Destination.MSSANTE_PS, DeliveryState.AMBIGUOUS, False),
        (Destination.DMP, DeliveryState.BLOCKED, True),
        (Destination.DMP, DeliveryState.WITHHELD, False),
        (Destination.DMP, DeliveryState.CANCELLED, True),
        (Destination.FOLDER, DELIVERED, False),
        (Destination.ZAM, DELIVERED, False),
    ],
)
def test_only_known_ends_at_dmp_and_mail_are_told(
    destination: Destination, state: DeliveryState, told: bool
) -> None:
    row = owed(CONTEXT, destination, state, action=Action.CREATE, recipient=DOCTOR)
    assert (row is not None) is told
    if row is not None:
        assert (row.destination, row.recipient, row.state) == (
            Destination.ZAM,
            DOCTOR,
            DeliveryState.PENDING,
        )


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (DeliveryState.CANCELLED, "SUPERSEDED"),
        (DeliveryState.CANCELLED, "REPORT-RECALLED"),
        (DeliveryState.REFUSED, "REPORT-RECALLED"),
    ],
)
def test_what_a_later_message_of_the_creator_gave_up_is_not_told(state: DeliveryState, reason: str) -> None:
    told = owed(CONTEXT, Destination.DMP, state, action=Action.CREATE, recipient=None, reason=reason)
    assert told is None


def test_a_mail_without_mailbox_has_nobody_to_name() -> None:
    nobody = replace(DOCTOR, address="")
    assert owed(CONTEXT, Destination.MSSANTE_PS, FAILED, action=Action.CREATE, recipient=nobody) is None


@pytest.mark.parametrize(
    "silent",
    [
        {"flags": Flags()},
        {"flags": Flags(acknowledge_reception=False)},
        {"protocol": Protocol.FHIR},
        {"control_id": ""},
    ],
)
def test_nobody_is_told_who_did_not_ask_or_cannot_be(silent: dict[str, object]) -> None:
    context = replace(CONTEXT, **silent)
    assert owed(context, Destination.DMP, DELIVERED, action=Action.CREATE, recipient=None) is None


@pytest.mark.req("REQ-41")
def test_it_goes_back_under_the_names_of_the_message_and_names_its_control_id() -> None:
    sent = made(of_dmp())
    assert (sent.sending_application, sent.sending_facility) == ("PASSERELLE", "AMBROISE")
    assert (sent.receiving_application, sent.receiving_facility) == ("RIS-AMBROISE", "CENTRE-AMBROISE")
    assert sent.processing_id == "T"
    assert sent.trigger_event == "Z01"
    assert sent.value("OBX", 4) == "RIS-2021-000042-1"
    assert sent.value("OBX", 5) == "Y"
    assert sent.value("EVN", 2) == "20210108130005+0100"


def test_a_message_that_did_not_name_us_is_answered_under_the_name_of_the_site() -> None:
    sent = made(of_dmp(), receiving_application="", receiving_facility="")
    assert sent.sending_application == VERSION.site.software.name
    assert sent.sending_facility == VERSION.site.structure.name


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (
            of_dmp(REFUSED, Outcome(kind=OutcomeKind.REFUSED, code="DMPClosed", detail="closed")),
            ("DMPClosed", "DMP fermé", "DMP_ERROR_CODE"),
        ),
        (
            of_dmp(FAILED, Outcome(kind=OutcomeKind.PERMANENT, code="HTTP 403", detail="the DMP refuses")),
            ("HTTP 403", "the DMP refuses", "DMP_ERROR_CODE"),
        ),
        (
            of_dmp(FAILED, reason="PDF-INVALID"),
            ("PDF-INVALID", "The embedded document is not a PDF", "DMP_ERROR_CODE"),
        ),
        (
            of_dmp(DeliveryState.BLOCKED, reason="INS-NOT-QUALIFIED"),
            (
                "INS-NOT-QUALIFIED",
                "The identity is not qualified: nothing goes to the DMP nor to the patient",
                "DMP_ERROR_CODE",
            ),
        ),
        (
            of_dmp(DeliveryState.CANCELLED, Outcome(kind=OutcomeKind.TRANSIENT, code="HTTP 503")),
            (
                "DELIVERY-CANCELLED",
                "The delivery was given up by an operator of the gateway",
                "DMP_ERROR_CODE",
            ),
        ),
        (of_mail("550 5.1.1"), ("550", "the server refuses", "SMTPERRORCODE")),
        (of_mail("556"), ("554", "the server refuses", "SMTPERRORCODE")),
        (of_mail("455 4.0.0"), ("451", "the server refuses", "SMTPERRORCODE")),
        (of_mail("SMTPConnectError", detail="unreachable"), ("101", "unreachable", "SMTPERRORCODE")),
    ],
)
def test_a_failure_carries_the_code_of_its_table(told: Acknowledged, error: tuple[str, str, str]) -> None:
    sent = made(told)
    assert sent.value("OBX", 5) == "N"
    found = sent.first("ERR")
    assert found is not None
    assert found.components(5) == error
    if error[2] == "SMTPERRORCODE":
        assert error[0] in cisis.SMTP_ERROR_CODES


def test_a_repeated_attempt_has_the_same_control_id_and_another_end_another() -> None:
    def control_id(delivery_id: int) -> str:
        return prepare(job(of_dmp(), delivery_id), settings=SETTINGS, now=NOW).control_id

    assert control_id(9) == control_id(9) != control_id(10)
    assert len(control_id(9)) <= 20  # MSH-10 before 2.7


@pytest.mark.parametrize(
    ("settings", "told", "code"),
    [
        (ZamSettings(), of_dmp(), "ZAM-CREATOR-UNKNOWN"),
        (SETTINGS, replace(of_mail("550"), recipient=replace(DOCTOR, address="")), "MAILBOX-UNKNOWN"),
        (SETTINGS, None, "INTERNAL"),
    ],
)
def test_what_cannot_be_sent_says_why(settings: ZamSettings, told: Acknowledged | None, code: str) -> None:
    with pytest.raises(PrepareError) as refused:
        prepare(job(told), settings=settings, now=NOW)
    assert [found.code for found in refused.value.findings] == [code]


def test_the_creator_is_found_by_application_and_facility() -> None:
    here = {"host": "127.0.0.1", "port": 1}
    settings = load(
        zam={"creators": [{"application": "RIS", "facility": "B", **here}, {"application": "RIS", **here}]}
    ).zam
    assert settings.creator("RIS", "B") is settings.creators[0]
    assert settings.creator("RIS", "A") is settings.creators[1]
    assert settings.creator("SIH", "B") is None


def test_the_request_of_a_latin_9_creator_is_in_latin_9() -> None:
    creator = {"application": "RIS-AMBROISE", "host": "127.0.0.1", "port": 1, "charset": "8859/15"}
    request = prepare(job(of_dmp()), settings=load(zam={"creators": [creator]}).zam, now=NOW)
    assert isinstance(request, ZamRequest)
    assert "Accusé".encode("iso8859-15") in request.data
