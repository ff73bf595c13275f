"""Request bodies within the one size cap of every input."""

from fastapi import Request


class TooLargeError(Exception):
    """The body is larger than `limits.max_bytes`; nothing of it was kept."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; raises TooLargeError as soon as it is known to be above `limit` bytes."""
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
    return b"".join(parts)
