"""What is wrong with the values of a profile, each of the right type: told before any message comes."""

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.model import viewer
from gateway.model.site import CdaLevel, PdfAlone, Site
from gateway.model.terms import OID
from gateway.rules.professional import STRUCTURE_FORM

CHOICES: Final = {"cda_level": CdaLevel, "pdf_alone": PdfAlone}
"""Key → its values."""
_AUTHORITIES: Final = ("patient", "placer_order", "filler_order", "accession", "encounter")
_NUMBER: Final = "no national number of a structure: its type digit first, 1 + FINESS, 2 + SIREN, 3 + SIRET"
_LONGEST: Final = 64
"""Characters of an OID (XDSSubmissionSet.sourceId)."""

Fault = tuple[str, tuple[str, ...]]
"""(what is wrong, the table and key that say it)."""


def faults(site: Site) -> Iterator[Fault]:
    """Every fault; a value that is not stated is none."""
    if wrong := viewer.fault(site.viewer):
        yield f"`viewer` {wrong}", ("viewer",)
    try:
        ZoneInfo(site.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"unknown time zone `{site.timezone}`", ("timezone",)
    for name in _AUTHORITIES:
        if not _oid(value := getattr(site.authorities, name)):
            yield f"`{value}` is no OID", ("authorities", name)
    if not _oid(site.source_id):
        yield f"`{site.source_id}` is no OID of at most {_LONGEST} characters", ("source_id",)
    if not _structure(site.structure.id):
        yield f"`{site.structure.id}` is {_NUMBER}", ("structure", "id")
    if site.custodian is not None and not _structure(site.custodian.id):
        yield f"`{site.custodian.id}` is {_NUMBER}", ("custodian", "id")
    for one in site.structures:
        if one.id[:1].isdigit() and not _structure(one.id):  # another key is told with the form of its table
            yield f"`{one.id}` is {_NUMBER}", (f"structures.{one.id}",)
    if not _mailbox(site.mail.mailbox):
        yield f"`{site.mail.mailbox}` is no mailbox", ("mail", "mailbox")
    for number, mailbox in site.directory:
        if not _mailbox(mailbox):
            yield f"`{mailbox}` is no mailbox", ("directory", number)


def _oid(value: str) -> bool:
    return not value or (OID.fullmatch(value) is not None and len(value) <= _LONGEST)


def _structure(number: str) -> bool:
    return not number or STRUCTURE_FORM.fullmatch(number) is not None


def _mailbox(address: str) -> bool:
    name, _, domain = address.partition("@")
    return not address or (bool(name) and "." in domain and " " not in address)
