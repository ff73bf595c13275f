"""Mailboxes of the espace de confiance: form, trusted domains, the citizen's address."""

import re

from gateway.model.site import Site

PATIENT_DOMAIN = "patient.mssante.fr"
"""Mon espace santé: `<matricule>@patient.mssante.fr` (Référentiel MSSanté #2, ECO.2.2.6)."""

# RFC 5321 dot-string and domain, in ASCII: what an SMTP command may carry unquoted. No line break can pass.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_LONGEST = 254
"""RFC 5321 §4.5.3.1.3, without the angle brackets."""


def well_formed(address: str) -> bool:
    """One bare mailbox, safe for an SMTP command and a header."""
    return len(address) <= _LONGEST and _ADDRESS.fullmatch(address) is not None


def trusted(address: str, site: Site) -> bool:
    """The mailbox stands in a trusted domain of the profile, or in a subdomain of one (REQ-54)."""
    domain = address.rpartition("@")[2].lower()
    return well_formed(address) and any(
        domain == known.lower() or domain.endswith(f".{known.lower()}") for known in site.mail.trusted_domains
    )


def patient_address(matricule: str) -> str:
    """The citizen's mailbox; `matricule` has 15 characters (with its key)."""
    return f"{matricule}@{PATIENT_DOMAIN}"
