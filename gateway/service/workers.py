"""What a worker process is made of: its view of the store, the producer, one route a destination."""

from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from gateway.config import Settings
from gateway.model.delivery import Destination
from gateway.model.site import Site
from gateway.pipeline.production import produce
from gateway.pipeline.route import Inquiry, Route, WorkerParts
from gateway.ports import Validator
from gateway.reload import load_profiles
from gateway.store import StoreReader


def worker_parts(settings: Settings) -> WorkerParts:
    """What a worker process needs: its own view of the store, the producer, one route per destination."""
    from gateway.connectors.folder import CONCURRENCY, FolderSender
    from gateway.pipeline.destinations import folder

    routes: dict[Destination, Route] = {}
    if settings.folder_enabled:
        routes[Destination.FOLDER] = Route(
            folder.prepare, FolderSender(settings.outbox), concurrency=CONCURRENCY
        )
    if settings.dmp.url:
        routes[Destination.DMP] = _dmp_route(settings)
    if settings.mssante.host:
        route = _mssante_route(settings)
        routes |= {Destination.MSSANTE_PS: route, Destination.MSSANTE_PATIENT: route}
    if settings.zam.creators:
        routes[Destination.ZAM] = _zam_route(settings)
    profiles = load_profiles(settings)

    def site(name: str) -> Site:
        return profiles.named(name).site

    return WorkerParts(
        reader=StoreReader.open(settings.database, site),
        produce=partial(produce, convert_pdf=settings.pdf.convert),
        routes=routes,
        validator=_validator(settings),
    )


def _validator(settings: Settings) -> Validator | None:
    """The official rules, where a kit is configured; a worker starts them with its first document."""
    if settings.validation.kit is None:
        return None
    from gateway.connectors.validator import RulesValidator
    from gateway.pipeline.valuesets import ValueSetRules

    return ValueSetRules(RulesValidator(settings.validation), settings.validation.kit)


def _dmp_route(settings: Settings) -> Route:
    from gateway.connectors.dmp import DmpSender
    from gateway.dmp import resolve
    from gateway.pipeline.destinations import dmp

    certificate, key = settings.dmp.cachet_certificate, settings.dmp.cachet_key
    assert certificate is not None, "checked at the start"
    assert key is not None, "checked at the start"
    files, sender = dmp.CachetFiles(certificate, key), DmpSender(settings.dmp)
    registry = settings.dmp.registry
    return Route(
        lambda job: dmp.prepare(
            job,
            cachet=files.current(),
            url=settings.dmp.url,
            registry=registry,
            now=datetime.now(UTC),
            ids=uuid4,
        ),
        sender,
        concurrency=settings.dmp.concurrency,
        inquiry=Inquiry(
            lambda job: dmp.question(
                job, cachet=files.current(), url=registry, now=datetime.now(UTC), ids=uuid4
            ),
            sender.ask,
            resolve,
        ),
    )


def _mssante_route(settings: Settings) -> Route:
    from gateway.connectors.smtp import SmtpSender
    from gateway.pipeline.destinations import mssante

    limit = settings.mssante.max_bytes
    return Route(lambda job: mssante.prepare(job, patient_limit=limit), SmtpSender(settings.mssante))


def _zam_route(settings: Settings) -> Route:
    from gateway.connectors.zam import ZamSender
    from gateway.pipeline.destinations import zam

    return Route(
        lambda job: zam.prepare(job, settings=settings.zam, now=datetime.now(UTC)), ZamSender(settings.zam)
    )
