"""Bearer token of the operator API and the FHIR endpoint."""

import os
import secrets
from pathlib import Path

from fastapi import HTTPException, Request


def ensure_token(path: Path) -> str:
    """The admin token; made at the first start, mode 0600. Raises OSError when the folder is not writable."""
    if path.is_file():
        return path.read_text().strip()
    token = secrets.token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token


class RequireToken:
    """FastAPI dependency: 401 without the right `Authorization: Bearer`."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def __call__(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), self._token):
            raise HTTPException(
                401,
                "a token is needed: Authorization: Bearer <content of <data_dir>/admin-token>",
                headers={"WWW-Authenticate": "Bearer"},
            )
