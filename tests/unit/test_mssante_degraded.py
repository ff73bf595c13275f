"""Degraded mode of MSSanté: the PDF alone, where the profile says so (REQ-31)."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from conformance.simulators import mail_rules
from gateway import pdf
from gateway.mapping import sites
from gateway.model.base import replace
from gateway.model.delivery import OutcomeKind
from gateway.model.site import PdfAlone
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob, DocumentKind
from gateway.mssante import MailRequest
from gateway.pipeline.destinations import PrepareError, mssante
from tests.contract.test_smtp_sender import Operator, operator, sending
from tests.reports import VERSION
from tests.unit.mail_jobs import DUPONT_BOX, PATIENT_BOX, cda_of, document, job, to_patient, with_site

PAGE = pdf.typeset(pdf.letter(VERSION), VERSION.identity.created_at)


def under(when: PdfAlone, made: DeliveryJob, **site: object) -> DeliveryJob:
    """`made` for a profile with this `mail.pdf_alone`, and a page that is PDF/A."""
    pages = (
        document(DocumentKind.CDA, cda_of(made), "text/xml"),
        document(DocumentKind.PDF, PAGE, "application/pdf"),
    )
    own = replace(made.version.site.mail, pdf_alone=when)
    return replace(with_site(made, mail=own, **site), documents=pages)


def parsed(made: MailRequest) -> EmailMessage:
    message = message_from_bytes(made.data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def files(made: MailRequest) -> list[str | None]:
    return [part.get_filename() for part in parsed(made).iter_attachments()]


@pytest.mark.req("REQ-31")
def test_always_is_a_mail_with_the_page_and_nothing_that_announces_a_cda() -> None:
    made = mssante.prepare(under(PdfAlone.ALWAYS, job()))
    message = parsed(made)
    assert files(made) == ["20210108_CR_d_imagerie_medicale_PAT-TROIS_DOMINIQUE.pdf"]
    assert [part.get_content() for part in message.iter_attachments()] == [PAGE]
    assert message["Subject"] == "CR d'imagerie medicale PAT-TROIS DOMINIQUE 28/03/1979"
    assert (message["X-MSS-CODECDA"], message["X-MSS-INS"]) == (None, None)
    assert message["X-MSS-NIL"] == "IRG-0-1-0"
    assert "ne comporte pas d'archive" in message.get_body().get_content()  # type: ignore[union-attr] # has one
    assert mail_rules.read(made.data, (DUPONT_BOX,)).faults == ()


@pytest.mark.req("REQ-31")
def test_fallback_sends_the_page_only_where_the_archive_cannot_be_made() -> None:
    whole = mssante.prepare(under(PdfAlone.FALLBACK, job()))
    assert files(whole)[0] == "IHE_XDM.ZIP"
    assert whole.remark == ""
    alone = mssante.prepare(under(PdfAlone.FALLBACK, job(), source_id=""))
    assert len(files(alone)) == 1
    assert mail_rules.read(alone.data, (DUPONT_BOX,)).faults == ()


@pytest.mark.req("REQ-31")
def test_without_the_policy_such_a_mail_is_blocked_with_its_reason() -> None:
    assert sites.load().default.site.mail.pdf_alone is PdfAlone.NEVER
    with pytest.raises(PrepareError) as raised:
        mssante.prepare(under(PdfAlone.NEVER, job(), source_id=""))
    assert [found.code for found in raised.value.findings] == ["XDS-VALUE-MISSING"]


def test_the_rules_of_a_patients_mail_hold_in_degraded_mode_too() -> None:
    made = mssante.prepare(under(PdfAlone.ALWAYS, to_patient()))
    assert mail_rules.read(made.data, (PATIENT_BOX,)).faults == ()
    other = replace(to_patient(), recipient=replace(to_patient().recipient, address="1@patient.mssante.fr"))
    with pytest.raises(PrepareError) as raised:
        mssante.prepare(under(PdfAlone.ALWAYS, other))
    assert [found.code for found in raised.value.findings] == ["MAILBOX-OF-ANOTHER"]


def test_a_withdrawal_says_so_and_promises_no_archive() -> None:
    made = mssante.prepare(under(PdfAlone.ALWAYS, job(action=Action.DELETE)))
    text = parsed(made).get_body().get_content()  # type: ignore[union-attr] # has one
    assert "est annulé" in text
    assert "IHE_XDM" not in text


def test_an_archive_that_the_subject_does_not_announce_is_a_fault() -> None:
    made = mssante.prepare(under(PdfAlone.NEVER, job()))
    hidden = made.data.replace(b"Subject: XDM/1.0/DDM+", b"Subject: ")
    before, after = (mail_rules.read(data, (DUPONT_BOX,)).faults for data in (made.data, hidden))
    assert [fault.place for fault in after if fault not in before] == ["Subject"]


async def test_the_ledger_says_that_the_page_went_alone() -> None:
    made = mssante.prepare(under(PdfAlone.ALWAYS, job()))
    async with operator(Operator()) as settings, sending(settings) as smtp:
        outcome = await smtp.send(made)
    assert outcome.kind is OutcomeKind.DELIVERED
    assert outcome.detail == "taken; the PDF alone, without IHE_XDM.ZIP"


def test_a_profile_with_another_word_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[mail]\npdf_alone = "sometimes"\n')
    with pytest.raises(sites.SitesError, match=r"own\.toml:2: .*sometimes"):
        sites.load(tmp_path)
