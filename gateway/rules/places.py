"""From a canonical path back to the place in the message that the sender knows."""

from gateway.model.base import replace
from gateway.model.findings import Finding
from gateway.model.submission import Mapped, Protocol, Provenance

EXPECTED = {
    "requester": "OBR-16",
    "validated_at": "OBR-22",
    "legal_authenticator": "OBR-32",
    "legal_authenticator.id": "OBR-32.1",
    "sections": "OBX-5",
    "patient": "PID",
    "patient.birth_family": "PID-5",
    "patient.identifiers": "PID-3",
    "performer": "ORC-21",
    "status": "OBR-25",
    "acts": "OBR-4",
    "acts[0]": "OBR-4",
    "orders[0].accession": "OBR-18",
}
"""Canonical path → field of an ORU that says it by the standard (spec hl7v2.md §4.6): where a sender has to
put what is missing. A site with other locators takes it there too."""


def locate(provenance: tuple[Provenance, ...], path: str) -> str:
    """Message location of `path`, else of a value inside it, else of what it is a part of, else `path`.

    A path that a profile constant or a rule filled has no place in the message: the path stays.
    """
    inside = around = ""
    owner = path.rpartition(".")[0]
    for entry in provenance:
        if not entry.source:
            continue
        if entry.path == path:
            return entry.source
        if not inside and entry.path.startswith((f"{path}.", f"{path}[")):
            inside = entry.source
        if not around and owner and entry.path == owner:
            around = entry.source
    return inside or around or path


def placed(found: tuple[Finding, ...], mapped: Mapped) -> tuple[Finding, ...]:
    """`found`, whose locations are canonical paths, with their places in the message."""
    if not found:
        return found
    provenance = mapped.provenance
    return tuple(replace(one, location=locate(provenance, one.location)) for one in found)


def expected(found: tuple[Finding, ...], mapped: Mapped) -> tuple[Finding, ...]:
    """`found` with the field of the standard where a value is missing from a HL7 v2 message.

    A received CDA is corrected in its header, which the canonical path names as well.
    """
    context = mapped.context
    if context.protocol is not Protocol.HL7V2 or context.received_document:
        return found
    return tuple(
        replace(one, location=EXPECTED[one.location]) if one.location in EXPECTED else one for one in found
    )
