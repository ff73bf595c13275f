"""Exchange by mail or file: one report version as IHE_XDM.ZIP (CI-SIS volet Échange; spec §3.3)."""

from gateway.cda import read
from gateway.cisis import tables
from gateway.cisis.submission import submission
from gateway.model.base import replace
from gateway.model.submission import Action
from gateway.model.version import ReportVersion
from gateway.xds import Submission, XdmSender, xdm_archive


def exchange(version: ReportVersion, cda: bytes, action: Action = Action.CREATE) -> Submission:
    """The submission of `cda` for an exchange: the INS may be missing, and a replacement or withdrawal is
    told by the extra metadata `action` (C, D). Raises CdaError, CisisError."""
    made = submission(version, cda, ins_required=False)
    code = tables.EXCHANGE_ACTIONS[action]
    if not code and read(cda).replaces:
        code = tables.ACTION_REPLACE
    if not code:
        return made
    slots = ((tables.ACTION_SLOT, (code,)),)
    return replace(made, entries=tuple(replace(entry, extra_slots=slots) for entry in made.entries))


def archive(version: ReportVersion, cda: bytes, made: Submission) -> bytes:
    """IHE_XDM.ZIP with `cda` under the metadata `made`; dated as the version."""
    documents = tuple((entry.entry_id, cda) for entry in made.entries)
    when = version.identity.created_at.astimezone(version.site.tz)
    return xdm_archive(made, documents, sender(version), when=when)


def sender(version: ReportVersion) -> XdmSender:
    """Who sends, for README.TXT: PRT SB, else the software; the structure of the sender, else the site's."""
    context, site = version.context, version.site
    organization = context.sender_organization or site.structure
    address = organization.address or site.structure.address
    phones = [one.value for one in organization.telecoms if one.value.startswith("tel:")]
    who = context.sender
    return XdmSender(
        name=" ".join(part for part in (who.given, who.family) if part) if who else site.software.name,
        organization=organization.name,
        address=(*address.lines, f"{address.postal_code} {address.city}".strip()) if address else (),
        contact=phones[0].removeprefix("tel:") if phones else organization.id,
        software=site.software.name,
        software_version=site.software.version,
        publisher=site.software.publisher,
    )
