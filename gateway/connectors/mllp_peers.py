"""Who may send, and what is particular about each sender: address, certificate → settings of the peer."""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from gateway.config import MllpPeerSettings

Address = IPv4Address | IPv6Address

ANYONE = MllpPeerSettings.model_construct(name="")
"""A sender that fits no listed peer, where such are served."""

_ATTRIBUTES = {
    "common_name": "commonName",
    "organization": "organizationName",
    "organizational_unit": "organizationalUnitName",
}
"""Settings of a subject → OpenSSL's names of its attributes."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of a client certificate that the handshake has verified."""

    fingerprint: str = ""
    subject: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def certificate_of(connection: ssl.SSLObject | None) -> Certificate:
    """The client's certificate; an empty one without mutual TLS."""
    data = connection.getpeercert(binary_form=True) if connection is not None else None
    if connection is None or data is None:
        return Certificate()
    # typeshed: a mapping of strings, or nested tuples of (name, value) pairs.
    told: Any = (connection.getpeercert() or {}).get("subject", ())
    subject: dict[str, tuple[str, ...]] = {}
    for relative in told:
        for name, value in relative:
            subject[name] = (*subject.get(name, ()), value)
    return Certificate(hashlib.sha256(data).hexdigest(), subject)


def address_of(host: str) -> Address:
    """The address behind what `getpeername` says: without zone, IPv4 where it was mapped into IPv6."""
    address = ip_address(host.partition("%")[0])
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@dataclass(frozen=True, slots=True)
class Peers:
    """The listed peers in their order; `open_to_all`: others are served too."""

    listed: tuple[MllpPeerSettings, ...] = ()
    open_to_all: bool = True

    def may_connect(self, address: Address) -> bool:
        """Whether somebody at `address` could be served, so that a handshake is worth while."""
        return self.open_to_all or any(_near(peer, address) for peer in self.listed)

    def find(self, address: Address, certificate: Certificate) -> MllpPeerSettings | None:
        """The first peer that fits, ANYONE where others are served, else None."""
        for peer in self.listed:
            if _near(peer, address) and _shows(peer, certificate):
                return peer
        return ANYONE if self.open_to_all else None


def _near(peer: MllpPeerSettings, address: Address) -> bool:
    return not peer.networks or any(address in network for network in peer.networks)


def _shows(peer: MllpPeerSettings, certificate: Certificate) -> bool:
    if peer.fingerprint and peer.fingerprint != certificate.fingerprint:
        return False
    wanted = ((_ATTRIBUTES[name], value) for name, value in peer.subject.model_dump().items() if value)
    return all(value in certificate.subject.get(name, ()) for name, value in wanted)
