"""What a mail of MSSanté must look like (Référentiel socle MSSanté #2, spec §3.1): bytes in, faults out."""

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import NamedTuple

from conformance.simulators import mime, xdm
from conformance.simulators.forms import PATIENT
from conformance.simulators.xds_faults import Fault
from gateway.model.terms import INS_ROOTS

PREFIX = "XDM/1.0/DDM+"
"""Announces an archive (ECO.2.1.3). A subject without it is that of a mail in degraded mode: a PDF alone."""
SUBJECT = re.compile(r"\S.{0,80}? [A-Z][A-Z' -]* \S.*?( \d{2}/\d{2}/\d{4})?")
"""What follows the prefix."""
PDF_NAME = re.compile(r"\d{8}_[^/\\\s]+\.pdf")
PDFA = b"pdfaid:part"
PDFA_1 = re.compile(rb"\s*(=\s*[\"']1[\"']|>\s*1\s*<)")
"""What follows `PDFA`. A pattern with both goes through a whole PDF forty times as slowly as `find`."""
PATIENT_DOMAIN = "patient.mssante.fr"
ARCHIVE_NAME = "IHE_XDM.ZIP"
LONGEST_LINE = 998
"""Octets without the line break (RFC 5322 §2.1.1); beyond it a server may refuse or break the line."""


class Mail(NamedTuple):
    """A mail taken apart. `faults` is empty for a mail that keeps all rules."""

    message_id: str
    sender: str
    to: str
    subject: str
    archive: xdm.Archive | None
    pdfs: tuple[bytes, ...]
    faults: tuple[Fault, ...]


def read(data: bytes, recipients: tuple[str, ...]) -> Mail:
    """`recipients` are those of the SMTP envelope."""
    whole = mime.entity(data)
    message, parts = whole.head, tuple(mime.leaves(whole))
    archived = [part for part in parts if part.kind == "application/zip"]
    paged = [part for part in parts if part.kind == "application/pdf"]
    zips, pdfs = [part.head for part in archived], [part.head for part in paged]
    archive = xdm.read(archived[0].content()) if archived else None
    pdf_bytes = tuple(part.content() for part in paged)
    faults = (
        *_lines(data),
        *_headers(message, recipients, archive=bool(zips)),
        *_body(parts),
        *_attachments(zips, pdfs, announced=_text(message, "Subject").startswith(PREFIX)),
        *_cda_headers(message, archive),
        *_pages(archive, pdf_bytes),
        *_patient(archive, recipients),
        *(archive.faults if archive else ()),
    )
    return Mail(
        message_id=_text(message, "Message-ID"),
        sender=_text(message, "From"),
        to=_text(message, "To"),
        subject=_text(message, "Subject"),
        archive=archive,
        pdfs=pdf_bytes,
        faults=faults,
    )


def _text(message: Message, name: str) -> str:
    """A header unfolded and decoded (RFC 2047), "" when it is absent."""
    raw = message[name]
    if raw is None:
        return ""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", str(raw))
    if "=?" not in unfolded:
        return unfolded.strip()
    try:
        return str(make_header(decode_header(unfolded))).strip()
    except (HeaderParseError, LookupError, UnicodeError):
        return unfolded.strip()


def _lines(data: bytes) -> Iterator[Fault]:
    if max(map(len, data.split(b"\r\n"))) > LONGEST_LINE:
        yield Fault("MAIL", "line", f"is longer than {LONGEST_LINE} octets")


def _headers(message: Message, recipients: tuple[str, ...], *, archive: bool) -> Iterator[Fault]:
    for name in ("From", "To", "Date", "Message-ID", "X-MSS-NIL"):
        if not _text(message, name):
            yield Fault("MAIL", name, "missing")
    if not re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", _text(message, "Message-ID")):
        yield Fault("MAIL", "Message-ID", "is not of the form of RFC 5322 §3.6.4")
    subject = _text(message, "Subject")
    if (archive and not subject.startswith(PREFIX)) or not SUBJECT.fullmatch(subject.removeprefix(PREFIX)):
        yield Fault("MAIL", "Subject", "is not XDM/1.0/DDM+label NAME given [DD/MM/YYYY]")
    if not subject.isascii():
        yield Fault("MAIL", "Subject", "carries accents")
    if len(recipients) != 1:
        yield Fault("MAIL", "RCPT TO", f"{len(recipients)} recipients instead of one")
    if message["X-MSS-MES"] is not None and _text(message, "X-MSS-MES") != "FIN":
        yield Fault("MAIL", "X-MSS-MES", "takes the value FIN only")


def _body(parts: tuple[mime.Part, ...]) -> Iterator[Fault]:
    texts = [part.head for part in parts if part.kind in ("text/plain", "text/html")]
    charsets = {str(part.get_content_charset("us-ascii")).lower() for part in texts}
    if not texts or charsets - {"utf-8", "us-ascii"}:
        yield Fault("MAIL", "body", "missing, or its text is not in UTF-8 (ECO.2.2.3)")


def _attachments(zips: list[Message], pdfs: list[Message], *, announced: bool) -> Iterator[Fault]:
    if announced and (len(zips) != 1 or zips[0].get_filename() != ARCHIVE_NAME):
        yield Fault("MAIL", ARCHIVE_NAME, "must be attached once, under this name (ECO.2.1.1)")
    for part in zips:
        if str(part["Content-Transfer-Encoding"]).lower() != "base64":
            yield Fault("MAIL", ARCHIVE_NAME, "is not in Base64")
    for part in pdfs:
        if not PDF_NAME.fullmatch(part.get_filename() or ""):
            yield Fault("MAIL", "PDF", "its name is not AAAAMMJJ_type_NOM_prenom.pdf (ECO.2.1.6)")


def _cda_headers(message: Message, archive: xdm.Archive | None) -> Iterator[Fault]:
    """X-MSS-CODECDA and X-MSS-INS stand exactly where a CDA is attached (ECO.2.4.1, 2.4.2)."""
    documents = archive.documents if archive else ()
    codes = ",".join(document.code for document in documents)
    given = _text(message, "X-MSS-CODECDA").replace(" ", "")
    if given != codes:
        yield Fault("MAIL", "X-MSS-CODECDA", f"is not the code of the attached CDA, {codes or 'none'}")
    flag = _text(message, "X-MSS-INS")
    if documents and flag not in ("O", "N"):
        yield Fault("MAIL", "X-MSS-INS", "must be O or N")
    if not documents and flag:
        yield Fault("MAIL", "X-MSS-INS", "only a mail with a CDA carries it")
    identity = PATIENT.fullmatch(archive.patient) if archive else None
    if flag == "O" and (identity is None or identity["root"] not in INS_ROOTS):
        yield Fault("MAIL", "X-MSS-INS", "says O, but the metadata hold no INS")
    # N beside an INS is no fault: the identity of the document may be incomplete (a trait is missing).


def _pages(archive: xdm.Archive | None, pdfs: tuple[bytes, ...]) -> Iterator[Fault]:
    documents = archive.documents if archive else ()
    wanted = len(documents) if archive else 1
    if len(pdfs) != wanted:
        yield Fault("MAIL", "PDF", f"{len(pdfs)} PDF for {wanted} documents (ECO.2.1.1)")
    for pdf in pdfs:
        if not pdf.startswith(b"%PDF-"):
            yield Fault("MAIL", "PDF", "is not a PDF")
        elif not _says_pdfa(pdf):
            yield Fault("MAIL", "PDF", "does not declare PDF/A-1")
    for document in documents:
        if document.embedded_pdf is not None and document.embedded_pdf not in pdfs:
            yield Fault("MAIL", "PDF", "is not the one embedded in the CDA (ECO.2.1.5)")


def _says_pdfa(pdf: bytes) -> bool:
    place = -1
    while (place := pdf.find(PDFA, place + 1)) >= 0:
        if PDFA_1.match(pdf, place + len(PDFA)):
            return True
    return False


def _patient(archive: xdm.Archive | None, recipients: tuple[str, ...]) -> Iterator[Fault]:
    """A citizen's mailbox is that of the INS of the document (ECO.2.2.6)."""
    if archive is None:
        return
    if not archive.patient:
        yield Fault("MAIL", "patientId", "the mail is not about exactly one patient")
    for recipient in recipients:
        local, _, domain = recipient.lower().partition("@")
        if domain == PATIENT_DOMAIN and not archive.patient.startswith(f"{local.upper()}^^^"):
            yield Fault("MAIL", "RCPT TO", "is the mailbox of another patient")
