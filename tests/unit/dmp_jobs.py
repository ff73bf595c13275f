"""Delivery jobs to the DMP for the tests of claims, feed, destination and sender."""

import functools
import hashlib
from itertools import count
from uuid import UUID

from gateway.cda.builder import build_n1
from gateway.model.base import replace
from gateway.model.delivery import Destination
from gateway.model.people import Practitioner
from gateway.model.site import Software
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob, Document, DocumentKind, ReportVersion
from tests.reports import REPLACEMENT, SITE, VERSION

PDF = b"%PDF-1.4\n% fictive\n%%EOF\n"
URL = "https://localhost/si-dmp-server/v2/services/repository"
DMP_SITE = replace(
    SITE,
    sector="SA08^1.2.250.1.71.4.2.4",
    automaton_id="1920008059/gateway",
    source_id="1.2.250.1.925.994044785528.1.1",
    software=Software(name="Passerelle", version="0.1", homologation="FICTIF-0001"),
)
SENDER = Practitioner(id="801234560801", family="BIDEAULT", given="Jacques")
OLD_ENTRY = "urn:uuid:6f1f62f0-6d0c-5d3a-9c41-5d3f4b5e2a10"


@functools.cache
def cda(number: int = 1) -> bytes:
    return build_n1(VERSION if number == 1 else REPLACEMENT, PDF).data


def job(version: ReportVersion = VERSION, **changes: object) -> DeliveryJob:
    data = cda(version.identity.number)
    document = Document(
        kind=DocumentKind.CDA, sha256=hashlib.sha256(data).hexdigest(), media_type="text/xml", data=data
    )
    made = DeliveryJob(
        delivery_id=1,
        destination=Destination.DMP,
        action=Action.CREATE,
        version=replace(version, site=DMP_SITE),
        documents=(document,),
    )
    return replace(made, **changes)


def replacement(*previous: tuple[str, str]) -> DeliveryJob:
    return job(REPLACEMENT, action=Action.REPLACE, previous_remote_ids=previous)


def with_context(**changes: object) -> DeliveryJob:
    made = job()
    return replace(made, version=replace(made.version, context=replace(made.version.context, **changes)))


def with_site(**changes: object) -> DeliveryJob:
    made = job()
    return replace(made, version=replace(made.version, site=replace(made.version.site, **changes)))


def ids() -> "functools.partial[UUID]":
    """A supply of different UUIDs that is the same in each test."""
    numbers = count(1)
    return functools.partial(lambda: UUID(int=next(numbers)))
