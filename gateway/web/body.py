"""Request bodies within the one size cap of every input, and within what all senders may have in memory."""

from fastapi import Request

from gateway.connectors.inflight import Hold, Inflight


class TooLargeError(Exception):
    """The body is larger than `limits.max_bytes`; nothing of it was kept."""


async def read_body(request: Request, limit: int, inflight: Inflight, hold: Hold) -> bytes:
    """The whole body, counted as `hold`; raises TooLargeError as soon as it is known to be above `limit`."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLargeError
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLargeError
        parts.append(part)
        inflight.account(hold, size)
        await inflight.room(hold)
    return b"".join(parts)
