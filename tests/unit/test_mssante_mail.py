"""The MSSanté mail, parsed back with the standard library: headers, parts, texts, refusals."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.utils import parsedate_to_datetime

import pytest

from gateway.model.base import replace
from gateway.model.people import IdentityStatus
from gateway.model.site import Mail
from gateway.model.submission import Action, Recipient, RecipientKind
from gateway.model.terms import Code
from gateway.model.version import DeliveryJob
from gateway.mssante import MailError, MailRequest, mail, patient_address, trusted
from gateway.mssante.build import has_ins
from gateway.mssante.message import Attachment, write
from tests.unit.mail_jobs import (
    DUPONT_BOX,
    MAIL_SITE,
    PATIENT_BOX,
    PDF,
    header_of,
    job,
    replacement,
    to_patient,
    with_context,
    with_flags,
    with_site,
)

ZIP = b"PK\x03\x04 fictive archive \x00\xff" * 50


def request(made: DeliveryJob, **header: object) -> MailRequest:
    return mail(made, xdm=ZIP, pdf=PDF, header=replace(header_of(made), **header))


def parsed(made: DeliveryJob, **header: object) -> EmailMessage:
    message = message_from_bytes(request(made, **header).data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(made: DeliveryJob) -> str:
    body = parsed(made).get_body(preferencelist=("plain",))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


def refused(made: DeliveryJob) -> list[str]:
    with pytest.raises(MailError) as raised:
        request(made)
    return [found.code for found in raised.value.findings]


# ------------------------------------------------------------ headers


@pytest.mark.req("REQ-50")
def test_the_subject_is_that_of_the_referentiel() -> None:
    assert parsed(job())["Subject"] == "XDM/1.0/DDM+CR d'imagerie medicale PAT-TROIS DOMINIQUE 28/03/1979"


@pytest.mark.req("REQ-50")
def test_the_headers_of_every_mail_with_a_cda() -> None:
    message = parsed(job())
    assert message["X-MSS-CODECDA"] == "18748-4"
    assert message["X-MSS-INS"] == "O"
    assert message["X-MSS-NIL"] == "IRG-0-1-0"
    assert message["X-MSS-MES"] is None
    assert message["Disposition-Notification-To"] is None
    assert message["Reply-To"] is None


@pytest.mark.req("REQ-53")
def test_the_sender_is_the_applicative_mailbox_with_its_name() -> None:
    made = request(job())
    address = parsed(job())["From"].addresses[0]
    assert made.sender == address.addr_spec == "radiologie@ambroise.mssante.fr"
    assert address.display_name == "Centre de radiologie Ambroise à Paris"


def test_one_recipient_in_envelope_and_header() -> None:
    message = parsed(job())
    assert request(job()).recipient == DUPONT_BOX
    assert message.get_all("To") == [DUPONT_BOX]
    assert message["Cc"] is None


def test_the_date_is_that_of_the_version() -> None:
    assert parsedate_to_datetime(parsed(job())["Date"]) == datetime(2021, 1, 8, 10, 18, 5, tzinfo=UTC)


@pytest.mark.req("REQ-50")
def test_without_a_whole_identity_the_ins_header_says_n() -> None:
    patient = header_of(job()).patient
    for changes in ({"ins": None}, {"birth_date": ""}, {"sex": None}, {"birth_family": ""}):
        assert not has_ins(replace(patient, **changes))
    assert parsed(job(), patient=replace(patient, ins=None))["X-MSS-INS"] == "N"


def test_a_reading_receipt_is_asked_for_only_on_demand() -> None:
    asked = parsed(with_flags(job(), acknowledge_reading=True))
    assert asked["Disposition-Notification-To"] == "radiologie@ambroise.mssante.fr"
    assert parsed(with_flags(job(), acknowledge_reading=False))["Disposition-Notification-To"] is None


def test_the_reply_address_of_the_message() -> None:
    assert parsed(with_context(job(), reply_to="secretariat@ambroise.mssante.fr"))["Reply-To"] == (
        "secretariat@ambroise.mssante.fr"
    )


# ------------------------------------------------------------ identity of the mail


def test_the_same_delivery_gives_the_same_bytes() -> None:
    assert request(job()) == request(job())


def test_message_ids_differ_by_recipient_version_and_action() -> None:
    other = Recipient(kind=RecipientKind.PROFESSIONAL, address="b@x.mssante.fr")
    ids = {
        request(made).message_id
        for made in (job(), job(recipient=other), replacement(), job(action=Action.DELETE))
    }
    assert len(ids) == 4
    assert all(one.endswith("@ambroise.mssante.fr") for one in ids)


def test_the_message_id_stands_in_brackets_in_the_header() -> None:
    assert parsed(job())["Message-ID"] == f"<{request(job()).message_id}>"


@pytest.mark.req("REQ-55")
def test_a_replacement_answers_the_mail_before_when_it_is_known() -> None:
    made = parsed(replacement(previous_remote_ids=(("message-id", "1@ambroise.mssante.fr"),)))
    assert made["In-Reply-To"] == made["References"] == "<1@ambroise.mssante.fr>"
    assert parsed(replacement())["References"] is None


# ------------------------------------------------------------ parts


@pytest.mark.req("REQ-50")
def test_archive_and_pdf_are_attached_in_base64_under_their_names() -> None:
    archive, page = parsed(job()).iter_attachments()
    assert (archive.get_content_type(), archive.get_filename()) == ("application/zip", "IHE_XDM.ZIP")
    assert archive["Content-Transfer-Encoding"] == "base64"
    assert archive.get_content() == ZIP
    assert page.get_content_type() == "application/pdf"
    assert page.get_filename() == "20210108_CR_d_imagerie_medicale_PAT-TROIS_DOMINIQUE.pdf"
    assert page.get_content() == PDF


def test_the_text_is_utf_8_and_every_line_fits_smtp() -> None:
    body = parsed(job()).get_body(preferencelist=("plain",))
    assert body is not None
    assert body.get_content_charset() == "utf-8"
    lines = request(job()).data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert request(job()).data.isascii()
    assert b"\n" not in b"".join(lines)


# ------------------------------------------------------------ texts


def test_the_text_to_a_professional_names_patient_and_exam() -> None:
    body = text(job())
    assert "PAT-TROIS DOMINIQUE, date de naissance 28/03/1979" in body
    assert "Examen du 08/01/2021 : Scanographie du crâne" in body
    assert "IHE_XDM.ZIP" in body
    assert body.endswith("Centre de radiologie Ambroise\nTéléphone : 0146000000\n")
    assert "\n\n\n" not in body


@pytest.mark.req("REQ-49")
def test_the_text_to_the_patient_says_when_a_reply_is_not_wanted() -> None:
    assert "ne pas répondre" not in text(to_patient())
    closed = with_flags(to_patient(), patient_may_not_reply=True)
    assert "Merci de ne pas répondre à ce message." in text(closed)
    assert parsed(closed)["X-MSS-MES"] == "FIN"


def test_the_reply_policy_concerns_the_patient_only() -> None:
    assert parsed(with_flags(job(), patient_may_not_reply=True))["X-MSS-MES"] is None


def test_the_sender_s_own_text_wins_over_the_template() -> None:
    made = with_context(job(), body_professional="Cher confrère,\rvoici l’examen.\r", body_patient="non")
    assert text(made) == "Cher confrère,\nvoici l’examen.\n"
    assert text(with_context(to_patient(), body_patient="Bonjour Madame")) == "Bonjour Madame\n"


def from_elsewhere() -> DeliveryJob:
    """The first version here, of a document that replaces one which another system sent."""
    made = replacement(action=Action.CREATE)
    identity = replace(made.version.identity, number=1)
    return replace(made, version=replace(made.version, identity=identity))


@pytest.mark.req("REQ-38", "REQ-55")
def test_a_recipient_s_first_mail_replaces_nothing() -> None:
    # The second version after an announcement: the patient never got the first one.
    assert "annule" not in text(replacement(action=Action.CREATE))


@pytest.mark.req("REQ-55")
@pytest.mark.parametrize(
    ("made", "words"),
    [
        (replacement(), "annule et remplace"),
        (from_elsewhere(), "annule et remplace"),
        (with_context(replacement(), body_professional="Cher confrère"), "annule et remplace"),
        (job(action=Action.DELETE), "est annulé"),
        (to_patient(action=Action.DELETE), "est annulé"),
    ],
)
def test_the_text_says_a_replacement_or_a_withdrawal(made: DeliveryJob, words: str) -> None:
    assert words in text(made)
    assert "annul" not in text(job())


# ------------------------------------------------------------ refusals


@pytest.mark.req("REQ-54")
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (DUPONT_BOX, True),
        ("a@mssante.fr", True),
        ("a@MSSANTE.FR", True),
        ("a@gmail.com", False),
        ("a@notmssante.fr", False),
        ("a@mssante.fr.evil.com", False),
        ("a@mssante.fr@evil.com", False),
        ("<a@mssante.fr>", False),
        ("a b@mssante.fr", False),
        ("a@x.mssante.fr\r\nBcc: b@evil.com", False),
        ("é@mssante.fr", False),
        ("@mssante.fr", False),
        ("", False),
    ],
)
def test_only_mailboxes_of_the_trusted_space(address: str, expected: bool) -> None:
    assert trusted(address, MAIL_SITE) is expected


@pytest.mark.req("REQ-54")
def test_a_mailbox_outside_the_trusted_space_gets_no_mail() -> None:
    assert refused(job(recipient=Recipient(kind=RecipientKind.PROFESSIONAL, address="x@gmail.com"))) == [
        "MAILBOX-UNTRUSTED"
    ]
    assert refused(job(recipient=None)) == ["MAILBOX-UNKNOWN"]


@pytest.mark.req("REQ-49")
def test_the_patient_s_mailbox_is_that_of_the_ins() -> None:
    assert patient_address("279035121518989") == PATIENT_BOX
    assert request(to_patient()).recipient == PATIENT_BOX
    assert request(replace(to_patient(), recipient=None)).recipient == PATIENT_BOX
    stranger = Recipient(kind=RecipientKind.PATIENT, address="279035121518888@patient.mssante.fr")
    assert refused(replace(to_patient(), recipient=stranger)) == ["MAILBOX-OF-ANOTHER"]


@pytest.mark.req("REQ-49")
def test_no_mail_to_a_patient_whose_identity_is_not_qualified() -> None:
    made = to_patient()
    report = made.version.report
    provisional = replace(report.patient, identity_status=IdentityStatus.PROVISOIRE)
    unqualified = replace(made, version=replace(made.version, report=replace(report, patient=provisional)))
    assert refused(unqualified) == ["INS-NOT-QUALIFIED"]


@pytest.mark.req("REQ-49")
def test_no_mail_to_a_patient_of_a_document_the_patient_may_not_see() -> None:
    assert refused(with_flags(to_patient(), invisible_patient=True)) == ["INVISIBLE-TO-PATIENT-MAIL"]
    assert request(with_flags(job(), invisible_patient=True)).recipient == DUPONT_BOX


def test_a_profile_without_its_mail_constants_is_named() -> None:
    assert refused(with_site(job(), mail=Mail())) == ["MSS-PROFILE-INCOMPLETE", "MSS-PROFILE-INCOMPLETE"]


def test_a_reply_address_with_a_second_line_is_refused() -> None:
    assert refused(with_context(job(), reply_to="a@b.fr\r\nBcc: c@d.fr")) == ["MAILBOX-FORM"]


def test_line_breaks_in_the_document_cannot_make_headers() -> None:
    code = Code(code="18748-4\nBcc: a@b.fr", display="CR\r\nBcc: a@b.fr")
    message = parsed(job(), code=code)
    assert message["Bcc"] is None
    assert message["X-MSS-CODECDA"] == "18748-4 Bcc: a@b.fr"


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 57 * 4096, 57 * 4096 + 1])
def test_attachments_are_the_bytes_that_the_standard_library_would_write(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    made = write(
        (("Subject", "é"),), "Bonjour\n.\n", (Attachment(name="A.ZIP", subtype="zip", data=data),), "=_b"
    )
    (_, attached) = message_from_bytes(made).get_payload()
    assert attached.get_payload(decode=True) == data
    expected = MIMEApplication(data, "zip").get_payload().replace("\n", "\r\n")
    assert made.endswith(f"\r\n\r\n{expected}\r\n--=_b--\r\n".encode())


@pytest.mark.parametrize("length", [1, 20, 38, 39, 40, 60, 65, 66, 67, 90, 200])
def test_a_long_header_is_folded_as_the_standard_library_folds_it(length: int) -> None:
    value = f'attachment; filename="{"a" * length}"'
    made = write((("Content-Disposition", value),), "", (), "=_b")
    folded = Header(value, header_name="Content-Disposition").encode(linesep="\r\n", maxlinelen=78)
    assert f"\r\nContent-Disposition: {folded}\r\n".encode() in made
