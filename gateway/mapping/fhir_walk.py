"""One report of a Bundle under way: what is read, resolved, noted; and the small FHIR datatypes."""

import binascii
from datetime import datetime

from gateway.fhir import Node, ReportBundle
from gateway.fhir.node import leaves, unwritable
from gateway.hl7v2.times import parse_dtm
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.findings import Finding, Severity, finding
from gateway.model.submission import Coverage
from gateway.model.terms import (
    ATC,
    CCAM,
    CCAM_OLD,
    CIM10,
    DCM,
    LOINC,
    SNOMED_CT,
    Address,
    Code,
    Identifier,
    Telecom,
)
from gateway.model.version import derive_oid

SYSTEMS = {
    "http://loinc.org": LOINC,
    "http://snomed.info/sct": SNOMED_CT,
    "http://dicom.nema.org/resources/ontology/DCM": DCM,
    "http://www.whocc.no/atc": ATC,
    "http://hl7.org/fhir/sid/icd-10": CIM10,
    "https://smt.esante.gouv.fr/terminologie-cim-10": CIM10,
    f"urn:oid:{CCAM_OLD}": CCAM,
}
"""CodeSystem URL → OID; `urn:oid:` needs no row. The older CCAM OID is read, never written."""

INSEE_CODE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"

_BLANKS = (b" ", b"\t", b"\r", b"\n")
_USES = {"home": "H", "work": "WP", "temp": "TMP", "mobile": "MC"}
"""FHIR use of an address or telecom → HL7 code."""
_SCHEMES = {"phone": "tel:", "sms": "tel:", "fax": "fax:", "email": "mailto:", "url": "", "pager": "tel:"}

_ENVELOPE = ("resourceType", "id", "fullUrl", "method", "url", "ifNoneExist", "ifMatch", "profile")
_GENERATED = (".text.div", ".text.status")


class Walk:
    """State of one report's mapping: `reads` (paths used), `trail` (provenance, findings)."""

    def __init__(self, bundle: ReportBundle, profile: Profile) -> None:
        self.bundle = bundle
        self.profile = profile
        self.reads: set[str] = set()
        self.trail = Trail(profile.site.name)
        self.used: dict[str, Node] = {}
        """Resources that the report draws on, by path."""
        self._lost: set[str] = set()

    def take(self, path: str, node: Node, *names: str) -> str:
        """The text at `names`, noted as the source of the canonical `path` when there is one."""
        found = node.get(*names)
        text = found.text()
        if text:
            self.trail.source(path, found.path)
        return text

    def follow(self, reference: Node, severity: Severity | None = None) -> Node | None:
        """The resource that `reference` names; REF-DANGLING when it leads nowhere and names nothing else.

        A logical identifier beside the reference stands for the resource (REQ-05): no finding then.
        """
        if not reference:
            return None
        found = self.bundle.resolve(reference)
        named = reference.text("identifier", "value")
        if found is None and reference.text("reference") and not named and reference.path not in self._lost:
            self._lost.add(reference.path)
            self.trail.at("REF-DANGLING", f"{reference.path}.reference", "", severity)
        if found is not None:
            self.used[found.path] = found
        return found

    def moment(self, path: str, node: Node, *names: str) -> datetime | None:
        """A dateTime or instant; a date alone is midnight in the site's time zone."""
        found = node.get(*names)
        value = parse_dtm(found.text(), self.profile.site.tz) if found else None
        if value is not None:
            self.trail.source(path, found.path)
        return value

    def coverage(self) -> Coverage:
        """Every primitive value of the Bundle: mapped, ignored by a named rule, or kept."""
        mapped: list[str] = []
        kept: list[str] = []
        ignored: list[tuple[str, str]] = []
        root = self.bundle.root()
        for place, _ in leaves(root.value, root.path):
            if place in self.reads:
                mapped.append(place)
            elif place.rpartition(".")[2].partition("[")[0] in _ENVELOPE:
                ignored.append((place, "bundle-envelope"))
            elif place.endswith(_GENERATED):
                ignored.append((place, "generated-narrative"))
            else:
                kept.append(place)
        return Coverage(mapped=tuple(mapped), kept=tuple(kept), ignored=tuple(ignored))

    def left_out(self) -> tuple[Finding, ...]:
        """Characters of values that were read, which no document can hold."""
        root = self.bundle.root()
        return tuple(
            finding("TEXT-CONTROL-CHARACTER", place, ", ".join(f"U+{ord(one):04X}" for one in codes))
            for place, value in leaves(root.value, root.path)
            if place in self.reads and (codes := unwritable(value))
        )


# --- identifiers and codes


def type_codes(identifier: Node) -> frozenset[str]:
    """Codes of Identifier.type, whatever their system (v2-0203 and its French supplement, DCM)."""
    return frozenset(one.code for one in codes(identifier.get("type")))


def identifier(walk: Walk, path: str, node: Node) -> Identifier | None:
    """An Identifier whose system is an OID. A system that is a URL gets a fixed OID of its own under 2.25,
    since no French document can carry a URL there; None without a value."""
    value = walk.take(path, node, "value")
    if not value:
        return None
    system = node.text("system")
    if system and not system.startswith("urn:oid:"):
        walk.trail.rule(f"{path}.system", "fhir:system-url-as-oid")
        return Identifier(value=value, system=derive_oid("system", system))
    return Identifier(value=value, system=system.removeprefix("urn:oid:"))


def code(coding: Node) -> Code | None:
    """A Coding with its system as OID where one is known (the URL stays else); None without a code."""
    value = coding.text("code")
    if not value:
        return None
    system = coding.text("system")
    oid = SYSTEMS.get(system, system.removeprefix("urn:oid:"))
    return Code(code=value, system=oid, display=coding.text("display"))


def codes(concept: Node) -> tuple[Code, ...]:
    """Codings of a CodeableConcept, in order."""
    found = (code(coding) for coding in concept.all("coding"))
    return tuple(one for one in found if one is not None)


def has_code(concepts: tuple[Node, ...], wanted: dict[str, frozenset[str]]) -> bool:
    """Some coding stands in `wanted`: system OID or URL → codes."""
    return any(one.code in wanted.get(one.system, ()) for concept in concepts for one in codes(concept))


# --- contact data


def address(walk: Walk, path: str, node: Node) -> Address | None:
    """Lines as sent; the INSEE code from the FR Core extension."""
    made = Address(
        lines=tuple(line.text() for line in node.all("line") if line.text()),
        postal_code=node.text("postalCode"),
        city=node.text("city"),
        country=node.text("country"),
        insee_code=node.extension(INSEE_CODE).text("valueCoding", "code"),
        use=_USES.get(node.text("use"), ""),
    )
    if made == Address(use=made.use):
        return None
    walk.trail.source(path, node.path)
    return made


def telecoms(walk: Walk, path: str, owner: Node) -> tuple[Telecom, ...]:
    """ContactPoints as URLs, in order; old ones left out. Blanks and dots of a number carry nothing."""
    made: list[Telecom] = []
    for node in owner.all("telecom"):
        scheme, value = _SCHEMES.get(node.text("system")), node.text("value")
        if scheme is None or not value or node.text("use") == "old":
            continue
        if scheme in ("tel:", "fax:"):
            value = "".join(c for c in value if c not in " .-/\u00a0")
        walk.trail.source(f"{path}[{len(made)}]", node.path)
        made.append(
            Telecom(
                value=value if value.startswith(scheme) else scheme + value,
                use=_USES.get(node.text("use"), ""),
            )
        )
    return tuple(made)


def binary(node: Node) -> bytes | None:
    """A base64Binary element; None when it is not Base64 (RFC 4648, blanks allowed)."""
    try:
        packed = node.text().encode("ascii")
        if any(blank in packed for blank in _BLANKS):
            packed = packed.translate(None, b"".join(_BLANKS))
        return binascii.a2b_base64(packed, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
