"""Exact bytes of built documents. The PDF of the body is a stand-in; pages have tests of their own."""

from gateway import cda
from gateway.model.base import replace
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import Act, ImagingReport, ReportStatus
from gateway.model.site import Site
from gateway.model.terms import Identifier
from tests.golden import golden
from tests.reports import IDENTITY, REPLACEMENT, VERSION

PDF = b"%PDF-1.4\nstand-in\n%%EOF\n"


def test_the_fully_filled_report() -> None:
    built = cda.build_n1(VERSION, PDF)
    assert built.findings == ()
    golden("n1_full.xml", built.data)


def test_its_replacement_differs_in_identity_and_relation_only() -> None:
    golden("n1_replacement.xml", cda.build_n1(REPLACEMENT, PDF).data)


def test_a_report_that_says_only_what_it_must() -> None:
    """No act code, no request, no INS, a site that states nothing but its name and identifier."""
    report = ImagingReport(
        report_set=Identifier(value="CR-1", system="1.2.250.1.925.994044785528.30"),
        status=ReportStatus.FINAL,
        validated_at=IDENTITY.created_at,
        patient=Patient(birth_family="PAT-QUATRE", identifiers=(Identifier(value="7", system="1.2.3"),)),
        legal_authenticator=Practitioner(id="801234560801", family="BIDEAULT"),
        acts=(Act(label="Radiographie du genou gauche"),),
    )
    structure = Organization(id="1920008059", name="Centre de radiologie Ambroise")
    sparse = replace(VERSION, report=report, site=Site(name="bare", structure=structure))
    built = cda.build_n1(sparse, PDF)
    golden("n1_sparse.xml", built.data)
    golden("n1_sparse_findings.txt", "".join(f"{found}\n" for found in built.findings).encode())


def test_the_trace_leads_from_elements_to_canonical_values() -> None:
    trace = cda.build_n1(VERSION, PDF).trace
    golden("n1_full_trace.txt", "".join(f"{element} <- {path}\n" for element, path in trace).encode())
