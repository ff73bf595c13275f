"""Report versions that tests build documents from: one with every field filled, and small changes of it."""

from datetime import UTC, datetime, timedelta, timezone

from gateway.model.base import replace
from gateway.model.people import Guardian, IdentityStatus, Organization, Patient, Practitioner, Sex
from gateway.model.report import (
    Act,
    Encounter,
    ImagingReport,
    ImagingStudy,
    OrderReference,
    ReportStatus,
    Section,
    SectionKind,
)
from gateway.model.site import Authorities, Site
from gateway.model.submission import Protocol, SubmissionContext
from gateway.model.terms import CCAM, DCM, INS_NIR_TEST, LOINC, SNOMED_CT, Address, Code, Identifier, Telecom
from gateway.model.version import ReportVersion, VersionIdentity, derive_oid

PARIS = timezone(timedelta(hours=1))
"""Winter time in Paris on the day of the exam."""

RADIOLOGY = Code(
    code="G15_10/SM44", system="1.2.250.1.213.1.1.4.5", display="Médecin - Radio-diagnostic (SM)"
)
GENERAL = Code(
    code="G15_10/SM26", system="1.2.250.1.213.1.1.4.5", display="Qualifié en médecine générale (SM)"
)

STRUCTURE = Organization(
    id="1920008059",
    name="Centre de radiologie Ambroise",
    telecoms=(Telecom(value="tel:0146000000"),),
    address=Address(lines=("12 Rue Ambroise",), postal_code="75010", city="PARIS"),
    practice_setting=Code(code="AMBULATOIRE", system="1.2.250.1.213.1.1.4.9", display="Ambulatoire"),
    facility_type=Code(code="SA08", system="1.2.250.1.71.4.2.4", display="Cabinet de groupe"),
)

SITE = Site(
    name="default",
    fictive=True,
    structure=STRUCTURE,
    author_specialty=RADIOLOGY,
    authorities=Authorities(
        patient="1.2.250.1.925.994044785528.1",
        placer_order="1.2.250.1.748.12345678.12",
        accession="1.2.250.1.925.994044785528.27",
    ),
)

BIDEAULT = Practitioner(
    id="801234560801",
    family="BIDEAULT",
    given="Jacques",
    prefix="M",
    suffix="DR",
    specialty=RADIOLOGY,
    organization=STRUCTURE,
    telecoms=(Telecom(value="tel:0146000000", use="WP"),),
)
DUPONT = Practitioner(
    id="801234567897",
    family="DUPONT",
    given="Alain",
    suffix="DR",
    specialty=GENERAL,
    address=Address(lines=("3 bis Rue du Petit Pont", "Porte B"), postal_code="75005", city="PARIS"),
)

PATIENT = Patient(
    ins=Identifier(value="279035121518989", system=INS_NIR_TEST),
    identifiers=(Identifier(value="1234567890121", system="1.2.250.1.925.994044785528.1"),),
    birth_family="PAT-TROIS",
    birth_given="DOMINIQUE",
    birth_given_names="DOMINIQUE MARIE-LOUISE",
    used_family="PAT-TROIS",
    used_given="DOMINIQUE",
    birth_date="1979-03-28",
    sex=Sex.FEMALE,
    birth_place_code="51215",
    birth_place_name="DOMPREMY",
    identity_status=IdentityStatus.QUALIFIEE,
    address=Address(
        lines=("28 Avenue de Breteuil", "Escalier A"), postal_code="75007", city="PARIS", country="FRANCE"
    ),
    telecoms=(Telecom(value="tel:0144534551", use="H"), Telecom(value="tel:0647151010", use="MC")),
    guardians=(Guardian(family="NESSI", given="Jeanne", prefix="MME"),),
)


def modality(code: str, display: str) -> Code:
    return Code(code=code, system=DCM, display=display)


def region(code: str, display: str) -> Code:
    return Code(code=code, system=SNOMED_CT, display=display)


def accession(value: str) -> Identifier:
    return Identifier(value=value, system="1.2.250.1.925.994044785528.27")


HEAD = Act(
    label="Scanner de la tête avec injection",
    code=Code(code="24727-0", system=LOINC, display="CT Head W contrast IV"),
    ccam=Code(code="ACQH003", system=CCAM, display="Scanographie du crâne et de son contenu, avec injection"),
    modalities=(modality("CT", "Tomodensitométrie"),),
    regions=(region("774007", "Tête et cou"),),
    start=datetime(2021, 1, 8, 10, 25, tzinfo=PARIS),
    end=datetime(2021, 1, 8, 10, 50, tzinfo=PARIS),
    study_uid="1.2.250.1.925.994044785528.27.123.1876350",
    accession=accession("105234751"),
)
THORAX = Act(
    label="Scanner du thorax avec injection",
    code=Code(code="24628-0", system=LOINC, display="CT Chest W contrast IV"),
    modalities=(modality("CT", "Tomodensitométrie"),),
    regions=(region("67734004", "Thorax"),),
    start=datetime(2021, 1, 8, 10, 40, tzinfo=PARIS),
    study_uid="1.2.250.1.925.994044785528.27.123.1876351",
    accession=accession("105234752"),
)

REPORT = ImagingReport(
    report_set=Identifier(value="CR-2021-000042", system="1.2.250.1.925.994044785528.30"),
    status=ReportStatus.FINAL,
    patient=PATIENT,
    title="CR d'imagerie médicale - Scanner tête et thorax",
    validated_at=datetime(2021, 1, 8, 11, 17, tzinfo=PARIS),
    authors=(BIDEAULT,),
    legal_authenticator=BIDEAULT,
    authenticators=(BIDEAULT,),
    requester=DUPONT,
    attending=DUPONT,
    copies_to=(
        Practitioner(
            id="801234560804", family="D'ARTAGNAN-LEFÈVRE", given="Anaïs", prefix="MME", suffix="PR"
        ),
    ),
    custodian=STRUCTURE,
    performer=STRUCTURE,
    encounter=Encounter(
        kind="AMB",
        number=Identifier(value="V2021-1", system="1.2.250.1.925.994044785528.2"),
        start=datetime(2021, 1, 8, 10, 0, tzinfo=PARIS),
    ),
    orders=(
        OrderReference(
            placer=Identifier(value="984375862", system="1.2.250.1.748.12345678.12"),
            accession=accession("105234751"),
            requested_at=datetime(2021, 1, 6, 9, 30, tzinfo=PARIS),
            reason="Céphalées persistantes",
        ),
    ),
    acts=(HEAD, THORAX),
    studies=(
        ImagingStudy(uid=HEAD.study_uid, accession=accession("105234751"), modalities=("CT",)),
        ImagingStudy(uid=THORAX.study_uid, accession=accession("105234752"), modalities=("CT",)),
    ),
    sections=(
        Section(kind=SectionKind.CLINICAL, text="Céphalées persistantes depuis trois semaines.\nToux sèche."),
        Section(
            kind=SectionKind.PROCEDURE,
            text="Acquisition hélicoïdale après injection de 80 ml de produit de contraste iodé.",
        ),
        Section(
            kind=SectionKind.FINDINGS,
            title="Résultats",
            text="Tête : pas de processus expansif, pas d'hémorragie. Système ventriculaire de taille "
            "normale.\n\nThorax : pas d'épanchement pleural. Nodule sous-pleural de 4 mm du lobe inférieur "
            "droit, d'allure bénigne.",
        ),
        Section(
            kind=SectionKind.CONCLUSION,
            text="Examen de la tête sans anomalie.\nNodule pulmonaire de 4 mm : contrôle dans 12 mois.",
        ),
    ),
)

CONTEXT = SubmissionContext(protocol=Protocol.HL7V2, site="default", message_type="ORU^R01", control_id="1")

IDENTITY = VersionIdentity(
    environment="test",
    site="default",
    set_key="CR-2021-000042^1.2.250.1.925.994044785528.30",
    number=1,
    created_at=datetime(2021, 1, 8, 10, 18, 5, tzinfo=UTC),
    document_id=derive_oid("test", "default", "CR-2021-000042", "1", "document"),
    set_id=derive_oid("test", "default", "CR-2021-000042", "set"),
)

VERSION = ReportVersion(version_id=1, identity=IDENTITY, report=REPORT, context=CONTEXT, site=SITE)


def with_report(**changes: object) -> ReportVersion:
    """VERSION with some fields of its report changed."""
    return replace(VERSION, report=replace(REPORT, **changes))


def with_patient(**changes: object) -> ReportVersion:
    """VERSION with some fields of its patient changed."""
    return with_report(patient=replace(PATIENT, **changes))


def with_act(**changes: object) -> ReportVersion:
    """VERSION with one act, changed."""
    return with_report(acts=(replace(HEAD, **changes),))


REPLACEMENT = replace(
    VERSION,
    version_id=2,
    identity=replace(
        IDENTITY,
        number=2,
        document_id=derive_oid("test", "default", "CR-2021-000042", "2", "document"),
        replaces_document_id=IDENTITY.document_id,
    ),
)
