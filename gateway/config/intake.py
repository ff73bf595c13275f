"""Settings of what comes in: MLLP and its peers, HTTP, limits, mappers."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from gateway.config.base import Section


class SubjectSettings(Section):
    """What the subject of a client certificate must hold; "" asks for nothing."""

    common_name: str = ""
    organization: str = ""
    organizational_unit: str = ""


class MllpPeerSettings(Section):
    """One sender and what is particular about it (`[[mllp.peers]]`; the first that fits counts).

    A connection fits when everything stated fits: its address, its certificate.
    """

    name: str = Field(min_length=1)
    """Stands in the log and beside the messages; no identity of a person."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    fingerprint: str = ""
    """SHA-256 of the client certificate, in hex, with or without colons (needs mllp.tls_client_ca)."""
    subject: SubjectSettings = SubjectSettings()
    max_bytes: int | None = Field(default=None, gt=0)
    """Cap of a frame; never above limits.max_bytes."""
    missing_start: bool = False
    """It omits the start byte VT: a message begins at `MSH`."""
    enhanced_mode: bool = False
    """Answer as MSH-15 and MSH-16 ask (CA, CE, CR, then AA, AE, AR)."""
    commit_bytes: bool = False
    """MLLP release 2: a block 0x06 or 0x15 before each answer."""
    answer_partial: bool = False
    """AR to a frame that never ended, before the connection is closed. Off: many senders resend by
    themselves what was not answered, and leave to a person what was refused."""

    @field_validator("fingerprint")
    @classmethod
    def _hex(cls, value: str) -> str:
        plain = value.replace(":", "").replace(" ", "").lower()
        if plain and not re.fullmatch(r"[0-9a-f]{64}", plain):
            raise ValueError("expected the SHA-256 of the certificate: 64 hexadecimal digits")
        return plain

    @property
    def by_certificate(self) -> bool:
        return bool(self.fingerprint) or self.subject != SubjectSettings()

    @model_validator(mode="after")
    def _says_who(self) -> "MllpPeerSettings":
        if not self.networks and not self.by_certificate:
            raise ValueError(f"peer {self.name}: state networks, fingerprint or subject")
        return self


class MllpSettings(Section):
    host: str = "127.0.0.1"
    port: int = 2575
    frame_timeout: float = 30.0
    """Seconds without a byte inside a frame before it is given up."""
    min_rate: int = Field(default=1024, gt=0)
    """Bytes a second that a frame must keep up over its whole length, beyond `frame_timeout`: who sends one
    byte now and then does not hold a connection for ever."""
    max_connections: int = Field(default=1024, gt=0)
    max_per_address: int = Field(default=512, gt=0)
    """Connections of one address. Above either cap the one that was idle longest gives way."""
    max_buffered: int = Field(default=32 * 1024 * 1024, gt=0)
    """Bytes of frames and HTTP bodies that are not answered yet, of all connections together. Above it one is
    read on at a time, and TCP holds the other senders back (those of small messages never)."""
    keepalive: float = 60.0
    """Seconds of silence after which TCP asks whether the peer still lives; 0 = never."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Set: clients must present a certificate of this authority (mutual TLS)."""
    peers: tuple[MllpPeerSettings, ...] = ()
    accept_unknown: bool | None = None
    """Whether senders that fit no peer are served. None: only while no peer is listed."""

    @property
    def open_to_all(self) -> bool:
        return not self.peers if self.accept_unknown is None else self.accept_unknown

    @model_validator(mode="after")
    def _peers_can_be_told_apart(self) -> "MllpSettings":
        names = [peer.name for peer in self.peers]
        if len(set(names)) < len(names):
            raise ValueError("mllp.peers: two peers have the same name")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("mllp.tls_client_ca needs mllp.tls_certificate")
        if self.tls_client_ca is None and any(peer.by_certificate for peer in self.peers):
            raise ValueError("mllp.peers: fingerprint and subject need mllp.tls_client_ca (mutual TLS)")
        return self


class IntakeSettings(Section):
    mappers: int | None = Field(default=None, ge=0, le=64)
    """Processes that read and map HL7 v2 messages beside the one that answers and commits. 0: that one does
    it itself. None: 1 where there is a second core."""


class HttpSettings(Section):
    host: str = "127.0.0.1"
    port: int = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None


class LimitSettings(Section):
    max_bytes: int = 50 * 1024 * 1024
    """Cap of every input: MLLP frame, HTTP body, file."""
    min_free_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """Free bytes of the data folder's disk below which nothing is taken any more (AR, 503)."""
