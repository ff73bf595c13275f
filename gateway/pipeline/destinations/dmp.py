"""The DMP delivery of one version: the request, complete and checked, before anything touches the network."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from gateway.cda import CdaError
from gateway.cisis import CisisError
from gateway.dmp import DmpError, DmpRequest, provide
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations import PrepareError
from gateway.security import Cachet


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
