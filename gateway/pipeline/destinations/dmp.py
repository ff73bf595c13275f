"""The DMP delivery of one version: the request, complete and checked, before anything touches the network."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

from gateway.cda import CdaError
from gateway.cisis import CisisError
from gateway.dmp import DmpError, DmpQuery, DmpRequest, delete, look_up, provide
from gateway.model.findings import finding
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations import PrepareError
from gateway.security import Cachet, CachetError

log = logging.getLogger(__name__)


Ids = Callable[[], UUID]


def question(job: DeliveryJob, *, cachet: Cachet, url: str, now: datetime, ids: Ids) -> DmpQuery | None:
    """What the registry at `url` is asked before this attempt (TD3.1b) or None. Raises PrepareError."""
    if not url:
        return None
    with _findings():
        return look_up(job, cachet=cachet, url=url, now=now, **_names(ids))


def prepare(
    job: DeliveryJob, *, cachet: Cachet, url: str, registry: str, now: datetime, ids: Ids
) -> DmpRequest:
    """The request of this attempt, a deletion to the `registry`, all else to the repository at `url`; `now`
    and `ids` are fresh at each. Raises PrepareError with findings."""
    with _findings():
        if job.action is Action.DELETE:
            if not registry:
                raise DmpError(finding("DMP-REGISTRY-MISSING", "settings: dmp.registry_url"))
            return delete(job, cachet=cachet, url=registry, now=now, **_names(ids))
        return provide(job, cachet=cachet, url=url, now=now, **_names(ids))


def _names(ids: Ids) -> dict[str, str]:
    # A SAML ID is an NCName: a UUID may start with a digit.
    return {"message_id": f"urn:uuid:{ids()}", "assertion_id": f"_{ids()}"}


@contextmanager
def _findings() -> Iterator[None]:
    try:
        yield
    except (CdaError, CisisError, DmpError) as error:
        raise PrepareError(error.findings) from error


class CachetFiles:
    """The cachet as its two PEM files say now: an exchanged file counts from the next delivery on (REQ-75).

    While the pair does not fit (between the copying of certificate and key) the one before goes on.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises CachetError or OSError when there is no usable cachet to start with."""
        self._files = (certificate, key)
        self._seen = self._times()
        self._cachet = self._load()

    def current(self) -> Cachet:
        try:
            seen = self._times()
            if seen != self._seen:
                self._cachet, self._seen = self._load(), seen
        except (CachetError, OSError) as error:
            log.warning("the exchanged cachet is not usable yet", extra={"reason": type(error).__name__})
        return self._cachet

    def _times(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._files)

    def _load(self) -> Cachet:
        certificate, key = self._files
        return Cachet.load(certificate.read_bytes(), key.read_bytes())
