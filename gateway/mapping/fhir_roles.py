"""Who stands behind a FHIR report: patient, authors, legal authenticator, requester, organisations."""

from gateway.fhir import Node
from gateway.mapping.fhir_exam import Order
from gateway.mapping.fhir_patient import patient
from gateway.mapping.fhir_people import professional, structure
from gateway.mapping.fhir_walk import Walk
from gateway.model.base import replace
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import ImagingReport


def subject(walk: Walk, node: Node) -> Patient:
    """The patient; an empty one when the Bundle does not hold it, which is an error.

    Resources of the report that are about somebody else are an error too: a result filed under the wrong
    patient must not leave.
    """
    found = walk.follow(node.get("subject"))
    if found is None or found.kind != "Patient":
        walk.trail.at("PATIENT-MISSING", f"{node.path}.subject")
        return Patient()
    for path in sorted(walk.used):
        own = walk.used[path].get("subject")
        other = walk.bundle.resolve(own) if own else None
        if other is not None and other.path != found.path:
            walk.trail.at("SUBJECT-MISMATCH", own.path)
    return patient(walk, found)


def authors(walk: Walk, node: Node) -> tuple[Practitioner, ...]:
    """resultsInterpreter; where nobody interpreted, the professionals among `performer`."""
    made: list[Practitioner] = []
    for name in ("resultsInterpreter", "performer"):
        for reference in node.all(name):
            person = professional(walk, f"authors[{len(made)}]", reference)
            if person is not None:
                made.append(person)
        if made:
            break
    return tuple(made)


def interpreter(walk: Walk, node: Node) -> Practitioner | None:
    """The first interpreter answers for the report (spec fhir.md §6.1). A performer does not: FHIR calls it
    the service that issues the report."""
    for reference in node.all("resultsInterpreter"):
        person = professional(walk, "legal_authenticator", reference)
        if person is not None:
            return person
        walk.trail.source("legal_authenticator", reference.path)
    return None


def attested(walk: Walk, composition: Node | None, report: ImagingReport) -> ImagingReport:
    """Composition.attester `legal` names who answers and when, more exactly than the report (FR Document)."""
    for attester in composition.all("attester") if composition else ():
        if attester.text("mode") != "legal":
            continue
        person = professional(walk, "legal_authenticator", attester.get("party"))
        time = report.validated_at or walk.moment("validated_at", attester, "time")
        return replace(report, legal_authenticator=person or report.legal_authenticator, validated_at=time)
    return report


def requester(walk: Walk, orders: tuple[Order, ...]) -> Practitioner | None:
    """ServiceRequest.requester, of the first order whose requester is a professional."""
    for order in orders:
        if order.node is None or not (named := order.node.get("requester")):
            continue
        person = professional(walk, "requester", named)
        if person is not None:
            return person
        walk.trail.source("requester", named.path)
    return None


def performer(walk: Walk, node: Node) -> Organization | None:
    """The Organization among `performer`, or that of a role."""
    for reference in node.all("performer"):
        made = structure(walk, "performer", reference)
        if made is not None:
            return made
    return None


def custodian(walk: Walk, composition: Node | None) -> Organization | None:
    """Composition.custodian; the profile's keeper stands in where there is none."""
    if composition is None or not composition.get("custodian"):
        return None
    return structure(walk, "custodian", composition.get("custodian"))
