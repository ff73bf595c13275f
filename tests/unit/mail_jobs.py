"""Deliveries by mail and to a folder, for the tests of cisis, mssante and their destinations."""

import functools
import hashlib

from gateway.cda import CdaHeader, read
from gateway.cda.builder import build_n1
from gateway.model.base import replace
from gateway.model.delivery import Destination
from gateway.model.site import Mail, Software
from gateway.model.submission import Action, Recipient, RecipientKind
from gateway.model.version import DeliveryJob, Document, DocumentKind, ReportVersion
from tests.reports import REPLACEMENT, SITE, VERSION

PDF = b"%PDF-1.4\n% fictive page\n%%EOF\n"
MAIL_SITE = replace(
    SITE,
    automaton_id="1920008059/gateway",
    source_id="1.2.250.1.925.994044785528.1.1",
    software=Software(name="Passerelle", version="0.1", publisher="Editeur fictif"),
    mail=Mail(
        mailbox="radiologie@ambroise.mssante.fr",
        display_name="Centre de radiologie Ambroise à Paris",
        nil="IRG-0-1-0",
    ),
)
DUPONT_BOX = "alain.dupont@test-ci-sis.mssante.fr"
PATIENT_BOX = "279035121518989@patient.mssante.fr"
TO_DUPONT = Recipient(
    kind=RecipientKind.PROFESSIONAL, id="801234567897", name="DR Alain DUPONT", address=DUPONT_BOX
)
TO_PATIENT = Recipient(kind=RecipientKind.PATIENT, id="279035121518989", address=PATIENT_BOX)


@functools.cache
def _built(number: int) -> bytes:
    return build_n1(VERSION if number == 1 else REPLACEMENT, PDF).data


def document(kind: DocumentKind, data: bytes, media_type: str) -> Document:
    return Document(kind=kind, sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, data=data)


def job(version: ReportVersion = VERSION, cda: bytes = b"", **changes: object) -> DeliveryJob:
    """A mail of `version` to the requester, unless `changes` say otherwise."""
    made = DeliveryJob(
        delivery_id=1,
        destination=Destination.MSSANTE_PS,
        action=Action.CREATE,
        version=replace(version, site=MAIL_SITE),
        documents=(
            document(DocumentKind.CDA, cda or _built(version.identity.number), "text/xml"),
            document(DocumentKind.PDF, PDF, "application/pdf"),
        ),
        recipient=TO_DUPONT,
    )
    return replace(made, **changes)


def to_patient(**changes: object) -> DeliveryJob:
    return job(destination=Destination.MSSANTE_PATIENT, recipient=TO_PATIENT, **changes)


def replacement(**changes: object) -> DeliveryJob:
    return job(REPLACEMENT, **{"action": Action.REPLACE, **changes})


def with_context(made: DeliveryJob, **changes: object) -> DeliveryJob:
    return replace(made, version=replace(made.version, context=replace(made.version.context, **changes)))


def with_flags(made: DeliveryJob, **flags: bool) -> DeliveryJob:
    return with_context(made, flags=replace(made.version.context.flags, **flags))


def with_site(made: DeliveryJob, **changes: object) -> DeliveryJob:
    return replace(made, version=replace(made.version, site=replace(made.version.site, **changes)))


def cda_of(made: DeliveryJob) -> bytes:
    return made.document(DocumentKind.CDA).data


def header_of(made: DeliveryJob) -> CdaHeader:
    return read(cda_of(made))
