"""VIHF: the SAML 2.0 assertion that tells the DMP who asks, for which patient, and with which software.

CI-SIS volet Transmission 2.1, « Mapping VIHF », and spec dmp-mss.md §2.5. The attributes are a table in the
order of the official example; a value that is "" has no attribute.
"""

from datetime import UTC, datetime

from gateway.model.base import Value
from gateway.model.site import Software
from gateway.security.cachet import Cachet
from gateway.security.signature import attribute, enveloped_signature, text

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
HL7 = "urn:hl7-org:v3"

ISSUER_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
"""AuthnContextClassRef of an automate: the gateway does not know how its user logged in elsewhere."""

SECRET_CONNECTION = "INVISIBLE_REPRESENTANTS_LEGAUX"  # noqa: S105 - a visibility code, not a password
"""Value of confidentiality-code for a secret connection (minors); known second-hand, TRE_A07."""


class Role(Value):
    """A coded element of HL7 v3 type CE: profession, savoir-faire, AUTOMATE, access mode."""

    code: str
    system: str
    display: str
    system_name: str = ""


AUTOMATE = Role(code="AUTOMATE", system="1.2.250.1.213.1.1.4.6", display="AUTOMATE")
NORMAL_ACCESS = Role(
    code="normal",
    system="1.2.250.1.213.1.1.4.248",
    display="Accès normal",
    system_name="mode acces VIHF 1.0",
)


class VihfClaims(Value):
    """What one VIHF states. `patient` is a CX (`<INS>^^^&<OID>&ISO^NH`), `sector` `SAxx^1.2.250.1.71.4.2.4`.

    `roles`: the profession, then, for physicians and pharmacists, the savoir-faire; or AUTOMATE alone.
    `user_id` is the PS_IdNat of the user, or of who answers for the automatic processing.
    """

    patient: str
    structure_id: str
    sector: str
    user_id: str
    subject_name: str
    roles: tuple[Role, ...]
    software: Software
    software_id: str = ""
    """LPS_ID: number of this installation."""
    version: str = "3.0"
    """The mapping table says 4.0, every example 3.0: configurable per site."""
    mode: str = "INDIRECTE"
    authentication_context: str = UNSPECIFIED
    purpose: Role = NORMAL_ACCESS
    secret_connection: bool = False
    resource_urn: str = "urn:dmp"


def vihf(claims: VihfClaims, cachet: Cachet, *, assertion_id: str, now: datetime) -> str:
    """The markup of the signed `saml:Assertion`, to be put into `wsse:Security`.

    Written straight in its canonical form (exclusive C14N: attributes by name, no empty-element tags), so
    that what is hashed is what is sent; a test canonicalises it again. `assertion_id` must be an NCName
    (`_` + UUID), fresh for each attempt; `now` is aware. Raises ValueError when either is not so, or when a
    claim has a character that XML cannot hold.
    """
    instant = _instant(now)
    # Everything is in the default namespace, as in the official example. Binding `#default` and `xsi` here
    # also keeps an envelope around from changing what InclusiveNamespaces renders, and so the digest.
    begin = (
        f'<Assertion xmlns="{SAML}" xmlns:xsi="{XSI}" ID="{attribute(assertion_id)}" IssueInstant="{instant}"'
        f' Version="2.0"><Issuer Format="{ISSUER_FORMAT}">{text(cachet.issuer)}</Issuer>'
    )
    rest = (
        f"<Subject><NameID>{text(claims.user_id)}</NameID></Subject>"
        f'<AuthnStatement AuthnInstant="{instant}"><AuthnContext>'
        f"<AuthnContextClassRef>{text(claims.authentication_context)}</AuthnContextClassRef>"
        "</AuthnContext></AuthnStatement>"
        f"<AttributeStatement>{_attributes(claims)}</AttributeStatement></Assertion>"
    )
    return begin + enveloped_signature(begin + rest, assertion_id, cachet) + rest


def _attributes(claims: VihfClaims) -> str:
    texts = "".join(_attribute(name, _value(text(value))) for name, value in _texts(claims) if value)
    purpose = _value(_coded("PurposeOfUse", claims.purpose))
    roles = "".join(_value(_coded("Role", role)) for role in claims.roles)  # a second role: a second value
    return (
        f"{texts}{_attribute('urn:oasis:names:tc:xspa:1.0:subject:purposeofuse', purpose)}"
        f"{_attribute('urn:oasis:names:tc:xacml:2.0:subject:role', roles)}"
    )


def _texts(claims: VihfClaims) -> tuple[tuple[str, str], ...]:
    """(Attribute/@Name, value) of the plain attributes, in the order of the official example."""
    return (
        ("VIHF_Version", claims.version),
        ("Authentification_Mode", claims.mode),
        ("Secteur_Activite", claims.sector),
        ("urn:oasis:names:tc:xacml:2.0:resource:resource-id", claims.patient),
        ("Ressource_URN", claims.resource_urn),
        ("urn:oasis:names:tc:xspa:1.0:subject:subject-id", claims.subject_name),
        ("Identifiant_Structure", claims.structure_id),
        ("LPS_Version", claims.software.version),
        ("LPS_ID", claims.software_id),
        ("LPS_Nom", claims.software.name),
        ("LPS_ID_HOMOLOGATION_DMP", claims.software.homologation),
        (
            "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code",
            SECRET_CONNECTION if claims.secret_connection else "",
        ),
    )


def _coded(tag: str, role: Role) -> str:
    """The default namespace changes here, as in the official example: xsi:type="CE" is read in it."""
    named = f' codeSystemName="{attribute(role.system_name)}"' if role.system_name else ""
    return (
        f'<{tag} xmlns="{HL7}" code="{attribute(role.code)}" codeSystem="{attribute(role.system)}"{named}'
        f' displayName="{attribute(role.display)}" xsi:type="CE"></{tag}>'
    )


def _value(markup: str) -> str:
    return f"<AttributeValue>{markup}</AttributeValue>"


def _attribute(name: str, values: str) -> str:
    return f'<Attribute Name="{name}">{values}</Attribute>'


def _instant(now: datetime) -> str:
    """xs:dateTime in UTC with milliseconds and `Z` (SAML 2.0 Core §1.3.3)."""
    if now.tzinfo is None:
        raise ValueError("a time without offset names no instant")
    return now.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
