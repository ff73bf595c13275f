"""VIHF: the SAML 2.0 assertion that tells the DMP who asks, for which patient, and with which software.

CI-SIS volet Transmission 2.1, « Mapping VIHF », and spec dmp-mss.md §2.5. The attributes are a table in the
order of the official example; a value that is "" has no attribute.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from gateway.model.base import Value
from gateway.model.site import Software
from gateway.security.cachet import Cachet
from gateway.security.signature import enveloped_signature

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
HL7 = "urn:hl7-org:v3"

# Any: the stubs of lxml leave out that None names the default namespace.
_ASSERTION_NAMESPACES: dict[Any, str] = {None: SAML, "xsi": XSI}
_CODED_NAMESPACES: dict[Any, str] = {None: HL7}

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


def vihf(claims: VihfClaims, cachet: Cachet, *, assertion_id: str, now: datetime) -> etree._Element:
    """The signed `saml:Assertion`, to be put into `wsse:Security`.

    `assertion_id` must be an NCName (`_` + UUID), fresh for each attempt; `now` is aware. Raises ValueError
    when either is not so.
    """
    instant = _instant(now)
    # Everything is in the default namespace, as in the official example. Binding `#default` and `xsi` here
    # also keeps an envelope around from changing what InclusiveNamespaces renders, and so the digest.
    assertion = etree.Element(f"{{{SAML}}}Assertion", nsmap=_ASSERTION_NAMESPACES)
    assertion.set("ID", assertion_id)
    assertion.set("IssueInstant", instant)
    assertion.set("Version", "2.0")
    issuer = _text(assertion, "Issuer", cachet.issuer)
    issuer.set("Format", ISSUER_FORMAT)
    _text(_add(assertion, "Subject"), "NameID", claims.user_id)
    statement = _add(assertion, "AuthnStatement")
    statement.set("AuthnInstant", instant)
    _text(_add(statement, "AuthnContext"), "AuthnContextClassRef", claims.authentication_context)
    _attributes(_add(assertion, "AttributeStatement"), claims)
    issuer.addnext(enveloped_signature(assertion, assertion_id, cachet))
    return assertion


def _attributes(statement: etree._Element, claims: VihfClaims) -> None:
    for name, value in _texts(claims):
        if value:
            _text(_attribute(statement, name), "AttributeValue", value)
    _coded(statement, "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", "PurposeOfUse", (claims.purpose,))
    _coded(statement, "urn:oasis:names:tc:xacml:2.0:subject:role", "Role", claims.roles)


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


def _coded(statement: etree._Element, name: str, tag: str, roles: Iterable[Role]) -> None:
    """One Attribute, one AttributeValue for each code, in order (a second role is a second value)."""
    attribute = _attribute(statement, name)
    for role in roles:
        # The default namespace changes here, as in the official example: xsi:type="CE" is read in it.
        coded = etree.SubElement(
            _add(attribute, "AttributeValue"), f"{{{HL7}}}{tag}", nsmap=_CODED_NAMESPACES
        )
        coded.set(f"{{{XSI}}}type", "CE")
        coded.set("code", role.code)
        coded.set("codeSystem", role.system)
        if role.system_name:
            coded.set("codeSystemName", role.system_name)
        coded.set("displayName", role.display)


def _attribute(statement: etree._Element, name: str) -> etree._Element:
    attribute = _add(statement, "Attribute")
    attribute.set("Name", name)
    return attribute


def _add(parent: etree._Element, tag: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{SAML}}}{tag}")


def _text(parent: etree._Element, tag: str, text: str) -> etree._Element:
    element = _add(parent, tag)
    element.text = text
    return element


def _instant(now: datetime) -> str:
    """xs:dateTime in UTC with milliseconds and `Z` (SAML 2.0 Core §1.3.3)."""
    if now.tzinfo is None:
        raise ValueError("a time without offset names no instant")
    return now.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
