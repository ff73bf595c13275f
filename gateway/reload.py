"""The configuration in force: proved before it is used, and exchanged on SIGHUP while everything runs.

What cannot change under a running gateway (`LIVE` does not name it) keeps its value until a restart; the log
names it. A faulty configuration is refused as a whole, the one in force stays.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from gateway.config import Environment, Settings, explain
from gateway.connectors import tls
from gateway.mapping import sites
from gateway.ports import Clock

log = logging.getLogger(__name__)

LIVE = frozenset(
    {
        *("site", "sites_dir", "allow_plain", "dmp", "mssante", "folder", "zam", "validation", "pdf"),
        *("retry", "destinations", "alerts", "retention", "limits.min_free_bytes"),
        *("mllp.frame_timeout", "mllp.min_rate", "mllp.keepalive", "mllp.peers", "mllp.accept_unknown"),
        *("mllp.tls_certificate", "mllp.tls_key", "mllp.tls_client_ca"),
        *("http.tls_certificate", "http.tls_key"),
    }
)
"""Settings, or whole sections, that a reload changes; listening addresses, workers, the store… stay."""


class StartError(Exception):
    """The gateway cannot run like this; the text says why and what to do."""


class Prepared(NamedTuple):
    """Settings whose files were read and found good."""

    settings: Settings
    profiles: sites.Sites
    mllp_tls: ssl.SSLContext | None
    http_tls: ssl.SSLContext | None


def prepare(settings: Settings) -> Prepared:
    """Read all that the settings name: profiles, code tables, certificates, kit. Raises StartError."""
    profiles = load_profiles(settings)
    kit = settings.validation.kit
    if kit is not None and not kit.is_dir():
        # Later every delivery would wait for it.
        raise StartError(f"validation.kit {kit} is not a folder: name the official kit, or leave it out")
    _check_cachet(settings)
    mllp, http = settings.mllp, settings.http
    try:
        _check_clients(settings)
        return Prepared(
            settings,
            profiles,
            tls.server_context(mllp.tls_certificate, mllp.tls_key, mllp.tls_client_ca)
            if mllp.tls_certificate
            else None,
            tls.server_context(http.tls_certificate, http.tls_key) if http.tls_certificate else None,
        )
    except tls.TlsSettingsError as wrong:
        raise StartError(str(wrong)) from None


def load_profiles(settings: Settings) -> sites.Sites:
    """Raises StartError with every fault of the profiles."""
    try:
        profiles = sites.load(settings.sites_dir, default=settings.site)
    except sites.SitesError as wrong:
        raise StartError(str(wrong)) from None
    if settings.environment is Environment.PRODUCTION and profiles.default.site.fictive:
        raise StartError(
            f"profile {profiles.default.name} is fictive and the environment is production: "
            "write your site's profile (see README), set site and sites_dir"
        )
    return profiles


def _check_cachet(settings: Settings) -> None:
    """A wrong one stops the start here, not each worker later."""
    if not settings.dmp.url:
        return
    from gateway.security import Cachet, CachetError

    certificate, key = settings.dmp.cachet_certificate, settings.dmp.cachet_key
    if certificate is None or key is None:
        raise StartError("dmp.cachet_certificate and dmp.cachet_key must be set: the DMP wants a signed VIHF")
    try:
        Cachet.load(certificate.read_bytes(), key.read_bytes())
    except (CachetError, OSError) as wrong:
        raise StartError(f"cachet: {wrong}") from None


def _check_clients(settings: Settings) -> None:
    """The certificates that we show to peers, and the authorities that we believe."""
    clients = (
        *((settings.dmp,) if settings.dmp.url else ()),
        *((settings.mssante,) if settings.mssante.host else ()),
        *(one for one in settings.zam.creators if one.tls),
    )
    for one in clients:
        tls.client_context(ca=one.ca, certificate=one.client_certificate, key=one.client_key)


M = TypeVar("M", bound=BaseModel)


def merged(running: M, wanted: M, live: frozenset[str] = LIVE) -> tuple[M, tuple[str, ...]]:
    """`wanted` as far as it can be taken over now; the names of the settings that need a restart."""
    values, waiting = _merged(running, wanted, live, "")
    return wanted.model_copy(update=values), waiting


def _merged(
    running: BaseModel, wanted: BaseModel, live: frozenset[str], prefix: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of `wanted` that keep the value of `running`, and the names of those that differ."""
    kept: dict[str, Any] = {}
    waiting: tuple[str, ...] = ()
    for name in type(wanted).model_fields:
        before, after = getattr(running, name), getattr(wanted, name)
        if f"{prefix}{name}" in live:
            continue
        if isinstance(after, BaseModel):
            values, inner = _merged(before, after, live, f"{prefix}{name}.")
            kept[name], waiting = after.model_copy(update=values), (*waiting, *inner)
        elif before != after:
            kept[name], waiting = before, (*waiting, f"{prefix}{name}")
    return kept, waiting


class Configuration:
    """What is in force, and what became of the last wish to change it."""

    def __init__(
        self, prepared: Prepared, read: Callable[[], Settings], clock: Clock, began: datetime | None = None
    ) -> None:
        """`read` reads the settings again (raises what `config.load` raises)."""
        self.current, self._read, self._clock = prepared, read, clock
        self._loaded_at = began or clock.now()
        self._refused_at: datetime | None = None
        self._waiting: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        return self.current.settings

    async def reload(self, apply: Callable[[Prepared], Awaitable[None]]) -> bool:
        """Read, prove, `apply`; False when the new configuration was refused: the old one stays."""
        try:
            prepared, waiting = await asyncio.to_thread(self._prepare)
        except Exception as wrong:
            self._refused_at = self._clock.now()
            log.error("configuration refused, the one in force stays", extra={"reason": _reason(wrong)})
            return False
        await apply(prepared)
        self.current, self._loaded_at = prepared, self._clock.now()
        self._refused_at, self._waiting = None, waiting
        log.info("configuration reloaded", extra={"certificates": tuple(_subjects(prepared))})
        if waiting:
            log.warning("settings that need a restart keep their value", extra={"settings": waiting})
        return True

    def _prepare(self) -> tuple[Prepared, tuple[str, ...]]:
        settings, waiting = merged(self.settings, self._read())
        if (settings.http.tls_certificate is None) != (self.settings.http.tls_certificate is None):
            # The listener serves either TLS or plain text for its whole life.
            settings = settings.model_copy(update={"http": self.settings.http})
            waiting = (*waiting, "http.tls_certificate")
        return prepare(settings), waiting

    def status(self) -> dict[str, Any]:
        """For readiness, without paths or values: they stand in the log."""
        return {
            "configuration": {
                "loaded_at": self._loaded_at.isoformat(timespec="milliseconds"),
                "refused_at": self._refused_at and self._refused_at.isoformat(timespec="milliseconds"),
                "needs_restart": list(self._waiting),
            }
        }


def _subjects(prepared: Prepared) -> Iterator[str]:
    """Roles whose certificate was read again, for the log."""
    settings = prepared.settings
    for role, path in (
        ("mllp", settings.mllp.tls_certificate),
        ("http", settings.http.tls_certificate),
        ("dmp", settings.dmp.url and settings.dmp.client_certificate),
        ("mssante", settings.mssante.host and settings.mssante.client_certificate),
    ):
        if path:
            yield role


def _reason(wrong: Exception) -> str:
    return str(wrong) if isinstance(wrong, StartError) else explain(wrong)
