"""Reports over all modalities and situations, to build documents of both levels from; all fictive."""

from datetime import datetime

from gateway.model.base import replace
from gateway.model.imaging import (
    AdministeredProduct,
    ContraIndication,
    Device,
    Quantity,
    RadiationDose,
    RadiationExposure,
)
from gateway.model.narrative import Block
from gateway.model.people import Guardian, Organization, Practitioner, Sex
from gateway.model.report import (
    Act,
    ImagingSeries,
    ImagingStudy,
    OrderReference,
    ReportStatus,
    Section,
    SectionKind,
)
from gateway.model.terms import (
    ATC,
    CIM10,
    CISIS_TERMS,
    DCM,
    LOINC,
    SNOMED_CT,
    Address,
    Code,
    Identifier,
    Telecom,
)
from gateway.model.version import ReportVersion
from tests.reports import (
    BIDEAULT,
    DUPONT,
    HEAD,
    PARIS,
    PATIENT,
    RADIOLOGY,
    REPLACEMENT,
    REPORT,
    THORAX,
    VERSION,
    accession,
    modality,
    with_act,
    with_patient,
    with_report,
)

CIP = "1.2.250.1.213.2.3.2"
IV = Code(code="20045000", system="0.4.0.127.0.16.1.1.2.1", display="Voie intraveineuse")
UID = "1.2.250.1.925.994044785528.27.123."


def site(code: str, display: str) -> Code:
    return Code(code=code, system=SNOMED_CT, display=display)


def dose(code: str, value: str, unit: str, where: Code | None = None) -> RadiationDose:
    return RadiationDose(
        code=Code(code=code, system=DCM), quantity=Quantity(value=value, unit=unit), site=where
    )


def act(number: int, label: str, loinc: str, kind: str, where: Code, **more: object) -> Act:
    """An act with its own study, `kind` a DCM modality."""
    made = Act(
        label=label,
        code=Code(code=loinc, system=LOINC, display=label),
        modalities=(modality(kind, kind),),
        sites=(where,),
        start=datetime(2021, 1, 8, 10, 25, tzinfo=PARIS),
        study_uid=f"{UID}{number}",
        accession=accession(f"ACC{number}"),
    )
    return replace(made, **more)


def study(number: int, kind: str, sop_class: str = "") -> ImagingStudy:
    uid = f"{UID}{number}"
    series = ImagingSeries(uid=f"{uid}.1", modality=kind, sop_class_uid=sop_class, instance_uid=f"{uid}.1.1")
    return ImagingStudy(
        uid=uid,
        accession=accession(f"ACC{number}"),
        modalities=(kind,),
        started=datetime(2021, 1, 8, 10, 30, tzinfo=PARIS),
        series=(series,),
    )


def said(kind: SectionKind, text: str, **more: object) -> Section:
    return replace(Section(kind=kind, text=text), **more)


def report(label: str, *acts: Act, sections: tuple[Section, ...] = (), **more: object) -> ReportVersion:
    """A version about `acts`, with a request, a technique, results and a conclusion."""
    words = (
        said(SectionKind.CLINICAL, "Douleurs persistantes."),
        said(SectionKind.PROCEDURE, "Technique habituelle."),
        said(SectionKind.FINDINGS, "Pas d'anomalie décelée."),
        said(SectionKind.CONCLUSION, "Examen sans particularité."),
    )
    orders = (OrderReference(placer=REPORT.orders[0].placer, accession=acts[0].accession),)
    numbers = [found.study_uid.removeprefix(UID) for found in acts]
    studies = tuple(
        study(int(number), found.modalities[0].code) for number, found in zip(numbers, acts, strict=True)
    )
    made = with_report(
        title=f"CR d'imagerie médicale - {label}", acts=acts, orders=orders, studies=studies, sections=words
    )
    return replace(made, report=replace(made.report, sections=sections or words, **more))


CONTRAST = AdministeredProduct(
    label="Produit de contraste iodé 350",
    codes=(
        Code(code="3400936915657", system=CIP, display="Produit iodé 350, 150 mL"),
        Code(code="V08AB11", system=ATC, display="Iobitridol"),
    ),
    route=IV,
    quantity=Quantity(value="80", unit="mL"),
    lot="LOT-0002034",
    comment="Injection bien tolérée.",
)
TRACER = AdministeredProduct(
    label="Fludésoxyglucose (18F)",
    codes=(Code(code="V09IX04", system=ATC, display="Fludésoxyglucose (18F)"),),
    route=IV,
    quantity=Quantity(value="210.5", unit="MBq"),
    lot="LOT-77",
    comment="Repos de soixante minutes.",
)

HEAD_SITE, CHEST_SITE = site("302548004", "Tête"), site("302551006", "Thorax")
KNEE, WRIST = site("361291001", "Région du genou"), site("361289009", "Région du poignet")
ABDOMEN = site("302553009", "Abdomen")
BREAST, HEART = site("181131000", "Sein"), site("302509004", "Cœur")
WHOLE, SKELETON = site("38266002", "Corps entier"), site("361378004", "Squelette")

FULL = with_report(
    acts=(
        replace(
            HEAD,
            sites=(HEAD_SITE,),
            parameters="Scanner 64 barrettes.\nMis en service le 3 mars 2019.",
            products=(CONTRAST,),
            exposure=RadiationExposure(
                doses=(dose("113813", "1140.26", "mGy.cm"), dose("113830", "13.64", "mGy", HEAD_SITE)),
                authorized_by=BIDEAULT,
            ),
        ),
        replace(
            THORAX,
            sites=(CHEST_SITE,),
            radiopharmaceuticals=(TRACER,),
            laterality=Code(code="24028007", system=SNOMED_CT, display="Droit"),
        ),
    ),
    pregnancy=Code(code="60001007", system=SNOMED_CT, display="Absence de grossesse"),
    contraindications=(
        ContraIndication(
            code=Code(code="MED-1105", system=CISIS_TERMS, display="Hypersensibilité au produit iodé"),
            comment="Urticaire en 2015, prémédication faite.",
        ),
        ContraIndication(comment="Ne supporte pas le bruit."),
    ),
    devices=(
        Device(
            label="Injecteur de produit de contraste",
            code=Code(code="Z11039014", system="1.2.250.1.213.2.68", display="Injecteurs"),
            udi=Identifier(value="(01)00844588003288(21)A7", system="2.16.840.1.113883.3.3719"),
            used_at=datetime(2021, 1, 8, 10, 25, tzinfo=PARIS),
        ),
        Device(label="Chambre implantable"),
    ),
    studies=(
        replace(study(1876350, "CT", "1.2.840.10008.5.1.4.1.1.2"), description="Tête avec injection"),
        ImagingStudy(uid=THORAX.study_uid, accession=accession("105234752"), modalities=("CT",)),
    ),
    sections=(
        said(SectionKind.REQUEST, "Recherche d'une lésion expansive.", title="Motif de la demande"),
        said(SectionKind.CLINICAL, "Céphalées persistantes depuis trois semaines.\nToux sèche."),
        said(SectionKind.MEDICAL_HISTORY, "Migraine depuis l'enfance.\n\n- Tabac : 10 PA\n- Pas d'alcool"),
        said(SectionKind.SURGICAL_HISTORY, "Appendicectomie en 1995."),
        said(SectionKind.PROCEDURE, "Acquisition hélicoïdale.\nCoupes de 1 mm.", act=0),
        said(SectionKind.PROCEDURE, "Acquisition en apnée.", act=1, title="Technique du thorax"),
        said(SectionKind.COMPLICATIONS, "Malaise vagal bref à la pose du cathéter.", act=0),
        said(SectionKind.EXPOSURE, "Dose de l'ordre de six mois d'irradiation naturelle.", act=0),
        said(SectionKind.COMPARISON, "Scanner du 4 mars 2018."),
        said(SectionKind.PRIOR_RESULTS, "Clairance de la créatinine : 92 mL/min."),
        said(
            SectionKind.FINDINGS,
            "Tête : normale.\nMesures du thorax",
            title="Résultats",
            blocks=(
                Block(text="Tête", heading=True),
                Block(items=("pas de processus expansif", "pas d'hémorragie"), text="À l'étage supérieur :"),
                Block(
                    text="Mesures du thorax",
                    header=("Lésion", "Taille"),
                    rows=(("Nodule du lobe inférieur", "4 mm"), ("Ganglion", "< 1 cm & net")),
                ),
            ),
        ),
        said(SectionKind.CONCLUSION, "Examen de la tête sans anomalie."),
        said(SectionKind.RECOMMENDATION, "Contrôle dans 12 mois."),
        said(SectionKind.COMMENT, "Images remises sur place."),
        said(
            SectionKind.ADDENDUM, "Relu ce jour : inchangé.", author=DUPONT, authored_at=REPORT.validated_at
        ),
        said(SectionKind.PATIENT_INFORMATION, "Bien boire pendant deux jours."),
    ),
)
"""Every field that an N3 can carry."""

REMOTE = Practitioner(
    id="801234560812",
    family="LOINTAIN",
    given="Ève",
    suffix="DR",
    specialty=RADIOLOGY,
    organization=Organization(id="1750803447", name="Téléradiologie du Centre"),
)

BY_MODALITY: dict[str, ReportVersion] = {
    "CT": report("Scanner du thorax", act(1, "CT thorax avec contraste IV", "24628-0", "CT", CHEST_SITE)),
    "CT with contrast and dose": report(
        "Scanner de la tête",
        act(
            2,
            "CT tête avec contraste IV",
            "24727-0",
            "CT",
            HEAD_SITE,
            products=(CONTRAST,),
            exposure=RadiationExposure(doses=(dose("113813", "905", "mGy.cm"),)),
        ),
    ),
    "MR": report(
        "IRM du genou gauche",
        act(3, "RM genou", "24802-1", "MR", KNEE, laterality=Code(code="7771000", display="gauche")),
    ),
    "US": report(
        "Échographie de l'abdomen",
        act(4, "Échographie abdomen", "24558-9", "US", site("302553009", "Abdomen")),
    ),
    "DX": report("Radiographie du thorax", act(5, "RX thorax ; 2 incidences", "36643-5", "DX", CHEST_SITE)),
    "CR wrist": report(
        "Radiographie du poignet",
        act(6, "RX membre supérieur", "24689-2", "CR", WRIST, exposure=RadiationExposure()),
    ),
    "MG screening": report(
        "Mammographie de dépistage",
        act(
            7,
            "MG sein ; incidences pour dépistage",
            "24606-6",
            "MG",
            BREAST,
            laterality=Code(code="51440002", display="Bilatéral"),
            exposure=RadiationExposure(doses=(dose("111637", "2,4", "mGy"),)),
        ),
        screening=True,
    ),
    "NM": report(
        "Scintigraphie osseuse",
        act(
            8,
            "MN os ; incidences avec radionucléide IV",
            "25031-6",
            "NM",
            SKELETON,
            radiopharmaceuticals=(replace(TRACER, label="Oxidronate (99mTc)", codes=()),),
        ),
    ),
    "PT": report(
        "TEP corps entier",
        act(
            9,
            "TEP corps entier avec radionucléide IV",
            "44139-4",
            "PT",
            WHOLE,
            modalities=(modality("PT", "TEP"), modality("CT", "Tomodensitométrie")),
            radiopharmaceuticals=(TRACER,),
            exposure=RadiationExposure(doses=(dose("113839", "7.1", "mSv"),)),
        ),
    ),
    "XA": report(
        "Coronarographie",
        act(
            10,
            "Angiographie des artères coronaires",
            "37174-0",
            "XA",
            HEART,
            products=(CONTRAST, replace(CONTRAST, label="Héparine", codes=(), lot="", comment="")),
            exposure=RadiationExposure(
                doses=(
                    dose("113722", "31.5", "Gy.cm2"),
                    dose("113730", "412", "s"),
                    dose("113731", "287", ""),
                )
            ),
        ),
        sections=(
            said(SectionKind.COMPLICATIONS, "Hématome au point de ponction."),
            said(SectionKind.CONCLUSION, "Réseau coronaire sain."),
        ),
    ),
    "BMD": report("Ostéodensitométrie", act(11, "Absorptiométrie du squelette", "38268-9", "BMD", SKELETON)),
    "RF": report(
        "Arthrographie du genou",
        act(12, "RF genou avec contraste intraarticulaire", "24800-5", "RF", KNEE),
        sections=(
            said(SectionKind.EXPOSURE, "PDS : 1,2 Gy.cm²."),
            said(SectionKind.CONCLUSION, "Pas de lésion méniscale."),
        ),
    ),
}

SITUATIONS: dict[str, ReportVersion] = {
    "everything": FULL,
    "two acts, regions only": VERSION,
    "replacement": REPLACEMENT,
    "three studies, three accession numbers": report(
        "Bilan d'extension",
        act(21, "CT thorax avec contraste IV", "24628-0", "CT", CHEST_SITE),
        act(22, "Échographie abdomen", "24558-9", "US", ABDOMEN),
        act(23, "CT tête avec contraste IV", "24727-0", "CT", HEAD_SITE),
    ),
    "one study for two acts": report(
        "Scanner tête et thorax",
        act(24, "CT tête avec contraste IV", "24727-0", "CT", HEAD_SITE),
        act(24, "CT thorax avec contraste IV", "24628-0", "CT", CHEST_SITE),
    ),
    "teleradiology": with_report(
        authors=(REMOTE, BIDEAULT), legal_authenticator=BIDEAULT, authenticators=(REMOTE,)
    ),
    "addendum": with_report(
        status=ReportStatus.APPENDED,
        sections=(
            *REPORT.sections,
            said(SectionKind.ADDENDUM, "Après relecture : nodule inchangé depuis 2018."),
            said(SectionKind.ADDENDUM, "Vu avec le clinicien.", author=DUPONT),
        ),
    ),
    "minor with guardian": with_patient(
        birth_date="2015-05-17",
        guardians=(
            Guardian(
                family="NESSI",
                given="Jeanne",
                prefix="MME",
                address=Address(lines=("1 Rue X",), postal_code="75001", city="PARIS", use="H"),
                telecoms=(Telecom(value="tel:0147150000", use="H"),),
            ),
            Guardian(family="NESSI", given="Paul"),
        ),
    ),
    "born abroad": with_patient(birth_place_code="99351", birth_place_name="CASABLANCA"),
    "accents and apostrophes": replace(
        VERSION,
        report=replace(
            REPORT,
            title="CR d'imagerie – « œil & orbite » <avant/après>",
            patient=replace(
                PATIENT, birth_family="D'ÉTÉ-ŒUVRÉ", birth_given="ANAÏS-MAËLLE", used_family="L'HÔPITAL"
            ),
            authors=(replace(BIDEAULT, family="N'GUYỄN-ŁUKASZ", given="Žofia"),),
            sections=(
                said(SectionKind.FINDINGS, "L’œil droit : ½ cm² à 10 °C, « \"normal\" » & <3 ; 'ça' va…"),
                said(SectionKind.CONCLUSION, "Œdème bénin — contrôle à 6 mois."),
            ),
        ),
    ),
    "a man, with doses": with_report(
        patient=replace(PATIENT, sex=Sex.MALE),
        acts=(
            replace(
                HEAD, sites=(HEAD_SITE,), exposure=RadiationExposure(doses=(dose("113813", "12", "mGy.cm"),))
            ),
        ),
    ),
    "coded reasons and allergies": with_report(
        orders=(
            replace(
                REPORT.orders[0],
                reasons=(
                    Code(code="R51", system=CIM10, display="Céphalée"),
                    Code(code="25064002", system=SNOMED_CT, display="Céphalée"),
                    Code(code="Z99.99", system=CIM10),
                ),
            ),
        ),
        contraindications=(
            ContraIndication(
                code=Code(code="MED-1105", system=CISIS_TERMS, display="Hypersensibilité au PDC iodé"),
                comment="Allergie médicamenteuse : PDC iodé ; sévérité : sévère ; réaction : urticaire",
            ),
            ContraIndication(
                code=Code(code="J01CA04", system=ATC, display="Amoxicilline"),
                comment="Allergie médicamenteuse",
            ),
            ContraIndication(comment="Allergie alimentaire : Arachide"),
        ),
    ),
    "a link to the images": replace(
        FULL, site=replace(FULL.site, viewer="https://drimbox.example/IHEInvokeImageDisplay")
    ),
    "pregnant": with_report(pregnancy=Code(code="77386006", system=SNOMED_CT, display="Enceinte")),
    "no LOINC": with_act(code=None, sites=(HEAD_SITE,)),
    "no code at all": with_act(code=None, ccam=None, sites=(HEAD_SITE,)),
    "no study": with_report(acts=(replace(HEAD, study_uid="", accession=None),), studies=()),
    "bare minimum": with_report(
        acts=(Act(label="IRM", modalities=(modality("MR", "IRM"),), sites=(KNEE,), start=HEAD.start),),
        studies=(),
        orders=(),
        copies_to=(),
        attending=None,
        authenticators=(),
        sections=(said(SectionKind.CONCLUSION, "Normal."),),
    ),
    "values that no code takes": with_report(
        acts=(
            replace(
                HEAD,
                sites=(HEAD_SITE,),
                laterality=Code(code="médian", display="ligne médiane"),
                products=(replace(CONTRAST, quantity=Quantity(value="une", unit="ampoule")),),
                exposure=RadiationExposure(
                    doses=(dose("999", "1", "mGy"), dose("113813", "environ 900", "mGy.cm"))
                ),
            ),
        ),
        contraindications=(
            ContraIndication(code=Code(code="X1", system=CISIS_TERMS, display="Autre souci")),
        ),
    ),
}

CASES: dict[str, ReportVersion] = {**BY_MODALITY, **SITUATIONS}
