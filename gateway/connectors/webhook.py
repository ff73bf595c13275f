"""POSTs a digest of alerts as JSON to the address of `[alerts] webhook`."""

import json
import logging
from datetime import UTC, datetime

from gateway.config import AlertSettings
from gateway.telemetry.alerts import Digest

log = logging.getLogger(__name__)


class Webhook:
    """One receiver; a fault of it is logged, never raised."""

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings

    async def tell(self, digest: Digest) -> bool:
        """Whether the receiver took it (2xx)."""
        import httpx  # 70 ms, which the start of a gateway without anything to tell does not wait for

        body = {
            "source": "gateway",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **{
                name: [one._asdict() for one in getattr(digest, name)]
                for name in ("opened", "closed", "still")
            },
        }
        try:
            async with httpx.AsyncClient(timeout=self._settings.timeout) as client:
                answer = await client.post(
                    self._settings.webhook,
                    content=json.dumps(body).encode(),
                    headers={"Content-Type": "application/json"},
                )
        except httpx.HTTPError as fault:
            log.warning("alert webhook unreachable", extra={"fault": type(fault).__name__})
            return False
        if not answer.is_success:
            log.warning("alert webhook refused", extra={"status": answer.status_code})
        return answer.is_success
