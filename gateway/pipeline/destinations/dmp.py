"""The DMP delivery of one version: the request, complete and checked, before anything touches the network."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

from gateway.cda import CdaError
from gateway.cisis import CisisError
from gateway.dmp import DmpError, DmpRequest, provide
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations import PrepareError
from gateway.security import Cachet, CachetError

log = logging.getLogger(__name__)


def prepare(
    job: DeliveryJob, *, cachet: Cachet, url: str, now: datetime, ids: Callable[[], UUID]
) -> DmpRequest:
    """The request of this attempt; `now` and `ids` are fresh at each. Raises PrepareError with findings."""
    try:
        return provide(
            job,
            cachet=cachet,
            url=url,
            message_id=f"urn:uuid:{ids()}",
            # A SAML ID is an NCName: a UUID may start with a digit.
            assertion_id=f"_{ids()}",
            now=now,
        )
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
