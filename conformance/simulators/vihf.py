"""Checking a VIHF: the SAML 2.0 assertion of a DMP request (DMP guide, spec §2.5)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from lxml import etree

from conformance.simulators.forms import PATIENT
from conformance.simulators.signature import DS, SignatureRefusedError, verify
from conformance.simulators.xds_faults import Fault
from conformance.xml import text_of

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_S = f"{{{SAML}}}"
X509_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
RESOURCE_ID = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
# Attributes that every request needs, with the form of the value (spec §2.5).
ATTRIBUTES = {
    "VIHF_Version": r"[34]\.0",
    "Authentification_Mode": r"INDIRECTE|INDIRECTE_RENFORCEE|DIRECTE",
    "Identifiant_Structure": r"[0-4]?[0-9A-Z/]+",
    "Secteur_Activite": r"SA\d\d\^1\.2\.250\.1\.71\.4\.2\.4",
    RESOURCE_ID: PATIENT.pattern,
    "Ressource_URN": r"urn:dmp",
    "urn:oasis:names:tc:xspa:1.0:subject:subject-id": r".*\S.*",
    "LPS_Nom": r".*\S.*",
    "LPS_Version": r".*\S.*",
    "LPS_ID_HOMOLOGATION_DMP": r".*\S.*",
}
SKEW = timedelta(minutes=5)
MAX_AGE = timedelta(hours=1)
"""An assertion is made for one request; how long the DMP takes an old one is not published."""


def check(
    security: etree._Element | None,
    patient_ids: frozenset[str],
    authorities: tuple[x509.Certificate, ...],
    now: datetime,
) -> tuple[Fault, ...]:
    """Faults of the assertion in a wsse:Security header; the codes are WS-Security fault subcodes.

    `authorities` issued the cachet; an empty tuple leaves the trust in the certificate unchecked.
    """
    assertions = [] if security is None else security.findall(f"{_S}Assertion")
    if len(assertions) != 1:
        return (Fault("InvalidSecurity", "wsse:Security", f"{len(assertions)} assertions instead of one"),)
    assertion = assertions[0]
    values = _values(assertion)
    faults = (
        *_signature(assertion, authorities, now),
        *_envelope(assertion, now),
        *_attributes(assertion, values),
    )
    resource = values.get(RESOURCE_ID, [""])[0]
    if patient_ids and {resource} != patient_ids:
        faults += (Fault("FailedAuthentication", RESOURCE_ID, "is not the patientId of the metadata"),)
    return faults


def patient(security: etree._Element | None) -> str:
    """The resource-id of a checked assertion: whose record is opened."""
    assertion = None if security is None else security.find(f"{_S}Assertion")
    return "" if assertion is None else _values(assertion).get(RESOURCE_ID, [""])[0]


def structure(security: etree._Element | None) -> str:
    """Identifiant_Structure of a checked assertion: who speaks."""
    assertion = None if security is None else security.find(f"{_S}Assertion")
    return "" if assertion is None else _values(assertion).get("Identifiant_Structure", [""])[0]


def _signature(
    assertion: etree._Element, authorities: tuple[x509.Certificate, ...], now: datetime
) -> Iterator[Fault]:
    signatures = assertion.findall(f"{{{DS}}}Signature")
    if len(signatures) != 1:
        yield Fault("InvalidSecurity", "ds:Signature", f"{len(signatures)} signatures instead of one")
        return
    issuer = assertion.find(f"{_S}Issuer")
    if issuer is None or signatures[0].getprevious() is not issuer:
        yield Fault("InvalidSecurity", "ds:Signature", "does not stand right after Issuer")
    try:
        certificate = verify(assertion, signatures[0])
    except SignatureRefusedError as error:
        yield Fault("FailedCheck", "ds:Signature", str(error))
        return
    if issuer is not None and (
        issuer.get("Format") != X509_NAME or not _same_name(text_of(issuer), certificate.subject)
    ):
        yield Fault("InvalidSecurityToken", "Issuer", "is not the subject of the signing certificate")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        yield Fault("InvalidSecurityToken", "X509Certificate", "is not valid at this time")
    if authorities and not any(_issued(certificate, authority) for authority in authorities):
        yield Fault("InvalidSecurityToken", "X509Certificate", "was not issued by a trusted authority")


def _envelope(assertion: etree._Element, now: datetime) -> Iterator[Fault]:
    if assertion.get("Version") != "2.0":
        yield Fault("InvalidSecurityToken", "Assertion/@Version", "is not 2.0")
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", assertion.get("ID", "")):
        yield Fault("InvalidSecurityToken", "Assertion/@ID", "is not an NCName")
    issued = _time(assertion.get("IssueInstant", ""))
    if issued is None or not now - MAX_AGE <= issued <= now + SKEW:
        yield Fault("MessageExpired", "Assertion/@IssueInstant", "is no UTC time of the last hour")
    conditions = assertion.find(f"{_S}Conditions")
    if conditions is not None:
        before, after = conditions.get("NotBefore"), conditions.get("NotOnOrAfter")
        if (before and (_time(before) or now) > now + SKEW) or (after and (_time(after) or now) < now):
            yield Fault("MessageExpired", "Conditions", "do not hold at this time")
    if not text_of(assertion.find(f"{_S}Subject/{_S}NameID")):
        yield Fault("InvalidSecurityToken", "Subject/NameID", "missing")
    statement = assertion.find(f"{_S}AuthnStatement")
    if statement is None or _time(statement.get("AuthnInstant", "")) is None:
        yield Fault("InvalidSecurityToken", "AuthnStatement/@AuthnInstant", "missing")
    elif statement.find(f"{_S}AuthnContext/{_S}AuthnContextClassRef") is None:
        yield Fault("InvalidSecurityToken", "AuthnContextClassRef", "missing")


def _attributes(assertion: etree._Element, values: dict[str, list[str]]) -> Iterator[Fault]:
    for name, form in ATTRIBUTES.items():
        found = values.get(name, [])
        if len(found) != 1 or not re.fullmatch(form, found[0]):
            yield Fault("InvalidSecurityToken", name, "missing, given twice or not of the expected form")
    for name, element in ((ROLE, "Role"), (PURPOSE, "PurposeOfUse")):
        concept = assertion.find(
            f"{_S}AttributeStatement/{_S}Attribute[@Name='{name}']/{_S}AttributeValue/{{urn:hl7-org:v3}}{element}"
        )
        if concept is None or not (concept.get("code") and concept.get("codeSystem")):
            yield Fault("InvalidSecurityToken", name, f"no {element} with code and codeSystem")


def _values(assertion: etree._Element) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for attribute in assertion.iterfind(f"{_S}AttributeStatement/{_S}Attribute"):
        texts = [text_of(value) for value in attribute.findall(f"{_S}AttributeValue")]
        found.setdefault(attribute.get("Name", ""), []).extend(texts)
    return found


@lru_cache(64)
def _same_name(text: str, subject: x509.Name) -> bool:
    """The DN in either order of its parts: RFC 4514 writes the last first, openssl and Java differ."""
    try:
        named = x509.Name.from_rfc4514_string(text)
    except ValueError:
        return False
    wanted = [(part.oid, part.value) for part in subject]
    given = [(part.oid, part.value) for part in named]
    return given in (wanted, wanted[::-1])


@lru_cache(64)
def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _time(text: str) -> datetime | None:
    """An instant in UTC with Z, else None."""
    if not text.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
