"""How a FHIR report came and how it is named: submission context, flags, Composition, report set."""

from gateway.fhir import Node
from gateway.fhir.bundle import bundle_identifier
from gateway.mapping.fhir_exam import Order
from gateway.mapping.fhir_walk import Walk, identifier
from gateway.mapping.hl7_types import oid_of
from gateway.model.report import ReportStatus
from gateway.model.submission import Action, Flags, Protocol, SubmissionContext
from gateway.model.terms import Identifier

ACTIONS = {
    ReportStatus.CORRECTED: Action.REPLACE,
    ReportStatus.APPENDED: Action.REPLACE,
    ReportStatus.CANCELLED: Action.DELETE,
    ReportStatus.ENTERED_IN_ERROR: Action.DELETE,
}

MASKS = {
    "INVISIBLE_PATIENT": "invisible_patient",
    "MASQUE_PS": "masked_ps",
    "INVISIBLE_REPRESENTANTS_LEGAUX": "invisible_legal_representatives",
}
"""TRE_A07 codes in meta.security → flags."""

COMPOSITION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.composition"


def context(walk: Walk, node: Node, status: ReportStatus | None) -> SubmissionContext:
    """Everything about the submission that the Bundle says; `patient_class` follows from the encounter."""
    bundle = walk.bundle
    root = bundle.root(walk.reads)
    named = bundle_identifier(bundle, walk.reads)
    headers = bundle.entries("MessageHeader", walk.reads)
    header = headers[0] if headers else Node(None, root.path, walk.reads)
    return SubmissionContext(
        protocol=Protocol.FHIR,
        site=walk.profile.site.name,
        message_type="DiagnosticReport" if bundle.bare else f"Bundle/{root.text('type')}",
        control_id=named.value if named else "",
        sending_application=header.text("source", "name"),
        sent_at=None if bundle.bare else walk.moment("context.sent_at", root, "timestamp"),
        action=ACTIONS.get(status, Action.CREATE) if status else Action.CREATE,
        flags=flags(walk, node),
    )


def flags(walk: Walk, node: Node) -> Flags:
    """Masks of meta.security; what is not there is not said (spec fhir.md §6.1)."""
    found: dict[str, bool] = {}
    for owner in (walk.bundle.root(walk.reads), node):
        for coding in owner.get("meta").all("security"):
            name = MASKS.get(coding.text("code"))
            if name:
                walk.trail.source(f"context.flags.{name}", coding.path)
                found[name] = True
    return Flags(**found)


def composition(walk: Walk, node: Node) -> Node | None:
    """The Composition that the report links to (EU profile), else the first of the Bundle."""
    linked = node.extension(COMPOSITION).get("valueReference")
    found = walk.bundle.resolve(linked) if linked else None
    everywhere = walk.bundle.entries("Composition", walk.reads)
    found = found or (everywhere[0] if everywhere else None)
    if found is not None:
        walk.used[found.path] = found
    return found


def report_set(
    walk: Walk, node: Node, composition: Node | None, orders: tuple[Order, ...]
) -> Identifier | None:
    """DiagnosticReport.identifier, stable over versions; else that of the Composition (equal in the EU
    profile), the filler order number, the accession number (architecture decision 11)."""
    own = sorted(node.all("identifier"), key=lambda one: not one.text("system"))
    for one in (*own, *(composition.all("identifier") if composition else ())):
        found = identifier(walk, "report_set", one)
        if found is not None:
            return found
    numbers = [order.reference.filler for order in orders] + [order.reference.accession for order in orders]
    known = next((one for one in numbers if one is not None), None)
    if known is not None:
        walk.trail.rule("report_set", "orders")
    return known


def replaces(walk: Walk, composition: Node | None) -> Identifier | None:
    """The document that Composition.relatesTo says this one replaces, `root` or `root^extension`; a number
    without OID names no document that a registry may hold."""
    for relation in composition.all("relatesTo") if composition else ():
        if relation.text("code") == "replaces":
            found = identifier(walk, "replaces", relation.get("targetIdentifier"))
            if found is None or oid_of(found.value):
                return found
            root = oid_of(found.system)
            return Identifier(value=f"{root}^{found.value}") if root else None
    return None
