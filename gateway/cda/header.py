"""The header of a report, in the order of the schema (cda.md §3): the same for every body."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from gateway.cda.header_acts import encounter, orders, performing_structure, service_events
from gateway.cda.header_patient import record_target
from gateway.cda.header_people import entity, function_code, organization
from gateway.cda.tree import Element
from gateway.cda.vocabulary import CONFIDENTIALITY, REPORT_CODE, REPORT_LABEL
from gateway.cda.writer import Writer
from gateway.model.base import replace
from gateway.model.people import Organization, Practitioner
from gateway.model.report import ImagingReport
from gateway.model.site import Site
from gateway.model.terms import LOINC, Code, Identifier
from gateway.model.version import ReportVersion

_REPORT: Final = Code(code=REPORT_CODE, system=LOINC, display=REPORT_LABEL)
_NORMAL: Final = Code(code="N", system=CONFIDENTIALITY, display="Normal")
_PRIMARY_CARE: Final = Code(code="PCP")


def report_acts(out: Writer, version: ReportVersion) -> None:
    """inFulfillmentOf and documentationOf of a report."""
    orders(out, version.report, version.site)
    service_events(out, version.report, version.site)


def header(
    out: Writer,
    version: ReportVersion,
    templates: Sequence[Identifier],
    *,
    code: Code = _REPORT,
    acts: Callable[[Writer, ReportVersion], None] = report_acts,
) -> None:
    """All header elements up to componentOf; `templates` say which body follows.

    A document of another kind (an imaging order) has its own `code`, and writes its own `acts`.

    What the rules require and the report does not hold becomes a finding in `out`, located by canonical path.
    """
    report, site = version.report, version.site
    _document(out, version, templates, code)
    record_target(out, report.patient, site)
    _authors(out, report, site)
    if report.custodian is not None:
        _custodian(out, report.custodian, "custodian")
    else:
        _custodian(out, site.keeper, "site.custodian" if site.custodian else "site.structure")
    for index, who in enumerate(report.copies_to):
        _recipient(out, who, f"copies_to[{index}]")
    _signatures(out, report, site)
    _participants(out, report)
    acts(out, version)
    if version.identity.replaces_document_id:
        related = out.add(out.root, "relatedDocument", typeCode="RPLC")
        out.document_id(
            out.add(related, "parentDocument"),
            "id",
            version.identity.replaces_document_id,
            "identity.replaces_document_id",
        )
    encounter(out, report, site)


def _document(out: Writer, version: ReportVersion, templates: Sequence[Identifier], kind: Code) -> None:
    """Rows 1 to 11: what the document is."""
    root, report, identity = out.root, version.report, version.identity
    out.add(root, "realmCode", code="FR")
    out.add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in templates:
        out.add(root, "templateId", root=template.system, extension=template.value)
    out.document_id(root, "id", identity.document_id, "identity.document_id")
    code = out.code(root, "code", kind, "")
    written: set[str] = set()
    for index, act in enumerate(report.acts):
        # One LOINC per procedure (STD 1..*); the same procedure on both sides is named once.
        if act.code is not None and act.code.system in ("", LOINC) and act.code.code not in written:
            written.add(act.code.code)
            out.code(code, "translation", replace(act.code, system=LOINC), f"acts[{index}].code")
    out.add(root, "title", report.title, "title")
    out.time(root, "effectiveTime", identity.created_at, "identity.created_at")
    out.code(root, "confidentialityCode", _NORMAL, "")
    out.add(root, "languageCode", "", "language", code=report.language)
    out.document_id(root, "setId", identity.set_id, "identity.set_id")
    out.add(root, "versionNumber", "", "identity.number", value=str(identity.number))


def _authors(out: Writer, report: ImagingReport, site: Site) -> None:
    """Each author; the legal authenticator when the report names none (he answers for what he wrote)."""
    authors = [(who, f"authors[{index}]") for index, who in enumerate(report.authors)]
    if not authors and report.legal_authenticator is not None:
        authors = [(report.legal_authenticator, "legal_authenticator")]
    if not authors:
        out.find("RPPS-MISSING", "authors", "the report names no author")
    for who, source in authors:
        node = out.add(out.root, "author")
        function_code(out, node, who.function, source)
        _validation_time(out, node, report)
        _professional(out, out.add(node, "assignedAuthor"), who, source, report, site)


def _signatures(out: Writer, report: ImagingReport, site: Site) -> None:
    """legalAuthenticator, then each further authenticator, at the time of validation."""
    if report.legal_authenticator is None:
        out.find("RPPS-MISSING", "legal_authenticator", "the report names no legal authenticator")
    else:
        _signature(out, "legalAuthenticator", report.legal_authenticator, "legal_authenticator", report, site)
    for index, who in enumerate(report.authenticators):
        _signature(out, "authenticator", who, f"authenticators[{index}]", report, site)


def _signature(
    out: Writer, tag: str, who: Practitioner, source: str, report: ImagingReport, site: Site
) -> None:
    node = out.add(out.root, tag)
    _validation_time(out, node, report)
    out.add(node, "signatureCode", code="S")
    _professional(out, out.add(node, "assignedEntity"), who, source, report, site)


def _validation_time(out: Writer, node: Element, report: ImagingReport) -> None:
    if not out.time(node, "time", report.validated_at, "validated_at"):
        out.null(node, "time")
        out.find("VALIDATION-TIME-MISSING", "validated_at")


def _professional(
    out: Writer, node: Element, who: Practitioner, source: str, report: ImagingReport, site: Site
) -> None:
    """A radiologist of the house: profession and structure come from the profile where he names none."""
    employer = performing_structure(report, site)
    entity(out, node, who, source, specialty=site.author_specialty, employer=employer)


def _custodian(out: Writer, keeper: Organization, source: str) -> None:
    """The structure that keeps the document: id under 1.2.250.1.71.4.2.2, at most one telecom and addr."""
    assigned = out.add(out.add(out.root, "custodian"), "assignedCustodian")
    organization(out, assigned, "representedCustodianOrganization", keeper, source, keeper=True)


def _recipient(out: Writer, who: Practitioner, source: str) -> None:
    """informationRecipient: somebody who gets a copy."""
    recipient = out.add(out.add(out.root, "informationRecipient"), "intendedRecipient")
    entity(
        out,
        recipient,
        who,
        source,
        person="informationRecipient",
        structure="receivedOrganization",
        id_required=False,
    )


def _participants(out: Writer, report: ImagingReport) -> None:
    """REF: who asked, at the time of the request; INF, PCP: the médecin traitant (cda.md §3.4)."""
    asked = next(
        (
            (order.requested_at, f"orders[{index}].requested_at")
            for index, order in enumerate(report.orders)
            if order.requested_at
        ),
        None,
    )
    if report.requester is None:
        out.find("REQUESTER-MISSING", "requester")
    else:
        _participant(out, "REF", report.requester, "requester", asked)
    if report.attending is not None:
        _participant(out, "INF", replace(report.attending, function=_PRIMARY_CARE), "attending", None)


def _participant(
    out: Writer, type_code: str, who: Practitioner, source: str, until: tuple[datetime, str] | None
) -> None:
    node = out.add(out.root, "participant", "", source, typeCode=type_code)
    function_code(out, node, who.function, source)
    if until is None:
        out.null(node, "time")
    else:
        out.time(out.add(node, "time"), "high", *until)
    entity(
        out,
        out.add(node, "associatedEntity", classCode="PROV"),
        who,
        source,
        person="associatedPerson",
        structure="scopingOrganization",
        id_required=False,
    )
