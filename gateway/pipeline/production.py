"""The documents of one report version: made once, before any of its deliveries may start.

Built: letter → PDF → CDA, N3 where the site wants it and the report's structure allows it, else N1.
Received CDA: kept byte for byte; its PDF, or a letter set from its content.
"""

import hashlib
from dataclasses import dataclass

from gateway import cda, pdf
from gateway.model.base import replace
from gateway.model.findings import Finding, errors, finding
from gateway.model.report import Attachment
from gateway.model.site import CdaLevel
from gateway.model.submission import Blob
from gateway.model.version import Document, DocumentKind, ReportVersion


class ProductionError(Exception):
    """No valid document can be made of this version; `findings` say why, `documents` are to be looked at."""

    def __init__(self, findings: tuple[Finding, ...], documents: tuple[Document, ...] = ()) -> None:
        super().__init__("; ".join(str(found) for found in findings))
        self.findings = findings
        self.documents = documents


@dataclass(frozen=True, slots=True)
class Composed:
    """The documents of a version, and what there is to say about them (warnings, infos)."""

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]


def produce(
    version: ReportVersion, blobs: tuple[Blob, ...], *, convert_pdf: bool = False
) -> tuple[Document, ...]:
    """The CDA and its PDF. Same version and blobs give the same bytes. Raises ProductionError."""
    return compose(version, blobs, convert_pdf=convert_pdf).documents


def compose(
    version: ReportVersion,
    blobs: tuple[Blob, ...],
    level: CdaLevel | None = None,
    *,
    convert_pdf: bool = False,
) -> Composed:
    """The documents with their findings; `level` overrides the site's, `convert_pdf` is the policy for a
    received PDF that is not PDF/A-1.

    Raises ProductionError when our own checks refuse the document (architecture decision 20).
    """
    received = version.context.received_document
    found: tuple[Finding, ...] = ()
    if received:
        document = next(blob.data for blob in blobs if blob.sha256 == received)
        page = cda.embedded_pdf(document) or pdf.typeset(cda.letter(document), version.identity.created_at)
        found = cda.check(document)
    else:
        given = _received_pdf(version.report.attachments, blobs)
        if given is not None:
            given, found = _checked(given, version, convert_pdf)
        page = given or pdf.typeset(pdf.letter(version), version.identity.created_at)
        built = _build(version, page, level or version.site.cda_level)
        document, found = built.data, (*found, *built.findings, *cda.check_built(built))
    documents = (
        _document(DocumentKind.CDA, "text/xml", document, version.report.title),
        _document(DocumentKind.PDF, "application/pdf", page, version.report.title),
    )
    if errors(found):
        raise ProductionError(found, documents)
    return Composed(documents, found)


def _build(version: ReportVersion, page: bytes, level: CdaLevel) -> cda.Built:
    """N3 carries the page as an added document (Ségur wave 2); an N1 in its place says why (REQ-25)."""
    if level is CdaLevel.N1:
        return cda.build_n1(version, page)
    reasons = cda.n3_possible(version.report)
    if reasons:
        built = cda.build_n1(version, page)
        return replace(built, findings=(*reasons, *built.findings))
    return cda.build_n3(version, page)


def _received_pdf(attachments: tuple[Attachment, ...], blobs: tuple[Blob, ...]) -> bytes | None:
    """The PDF that came with the report: it is what the radiologist signed, so it wins over typesetting."""
    wanted = [one.sha256 for one in attachments if one.media_type == "application/pdf"]
    return next((blob.data for name in wanted for blob in blobs if blob.sha256 == name), None)


def _checked(data: bytes, version: ReportVersion, convert_pdf: bool) -> tuple[bytes, tuple[Finding, ...]]:
    """The received PDF, as PDF/A-1b where the policy wants it and it can be shown; what there is to say."""
    found = pdf.inspect(data, "attachments").findings
    if not convert_pdf or errors(found) or all(one.code != "PDF-NOT-PDFA" for one in found):
        return data, found
    try:
        made = pdf.convert(data, version.identity.created_at, version.report.title)
    except pdf.ConvertError as failed:
        return data, (*found, finding("PDF-NOT-CONVERTED", "attachments", str(failed)))
    return made, (*found, finding("PDF-CONVERTED", "attachments"))


def _document(kind: DocumentKind, media_type: str, data: bytes, title: str) -> Document:
    return Document(
        kind=kind, sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, data=data, title=title
    )
