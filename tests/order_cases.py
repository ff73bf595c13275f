"""Imaging orders to build IMG-DA-IMG documents from. All data are fictive."""

from datetime import datetime

from gateway.model.base import replace
from gateway.model.imaging import ContraIndication, Quantity
from gateway.model.order import ImagingOrder, OrderStatus
from gateway.model.people import Organization
from gateway.model.report import Act
from gateway.model.site import Site
from gateway.model.terms import CIM10, CISIS_TERMS, SNOMED_CT, Address, Code, Identifier
from gateway.model.version import VersionIdentity, derive_oid
from tests.n3_cases import ABDOMEN, CHEST_SITE, CONTRAST, HEART, KNEE, SKELETON, WHOLE
from tests.reports import DUPONT, GENERAL, PARIS, PATIENT, modality, region

SURGERY = Organization(
    id="1750803447",
    name="Cabinet du Petit Pont",
    address=Address(lines=("3 bis Rue du Petit Pont",), postal_code="75005", city="PARIS"),
    practice_setting=Code(code="AMBULATOIRE", system="1.2.250.1.213.1.1.4.9", display="Ambulatoire"),
    facility_type=Code(code="SA07", system="1.2.250.1.71.4.2.4", display="Cabinet individuel"),
)
HOUSE = Site(name="surgery", fictive=True, structure=SURGERY)
ASKED_AT = datetime(2021, 1, 6, 9, 30, tzinfo=PARIS)

IDENTITY = VersionIdentity(
    environment="test",
    site="surgery",
    set_key="984375874^1.2.250.1.748.12345678.12",
    number=1,
    created_at=ASKED_AT,
    document_id=derive_oid("test", "surgery", "984375874", "1", "document"),
    set_id=derive_oid("test", "surgery", "984375874", "set"),
)


def wanted(label: str, kind: str, *sites: Code, **more: object) -> Act:
    return replace(Act(label=label, modalities=(modality(kind, kind),), sites=sites), **more)


ORDER = ImagingOrder(
    status=OrderStatus.REQUESTED,
    patient=PATIENT,
    placer=Identifier(value="984375874", system="1.2.250.1.748.12345678.12"),
    requester=replace(DUPONT, organization=SURGERY, specialty=GENERAL),
    attending=DUPONT,
    acts=(
        wanted(
            "IRM du genou gauche",
            "MR",
            KNEE,
            laterality=Code(code="7771000", system=SNOMED_CT, display="gauche"),
        ),
    ),
    requested_at=ASKED_AT,
    reason="Gonalgie après une chute.",
    question="Lésion méniscale ?",
    history="Entorse en 2018.",
    informed_of_risks=True,
)

ORDERS: dict[str, ImagingOrder] = {
    "coded reasons and an allergy": replace(
        ORDER,
        reasons=(Code(code="M25.5", system=CIM10, display="Douleur articulaire"),),
        contraindications=(ContraIndication(comment="Allergie alimentaire : Arachide"),),
    ),
    "MR knee": ORDER,
    "several acts and sites, urgent": replace(
        ORDER,
        acts=(
            wanted("Scanner thoraco-abdominal", "CT", CHEST_SITE, ABDOMEN, products=(CONTRAST,)),
            wanted("Radiographie du thorax", "DX", CHEST_SITE),
            wanted("Échographie", "US", ABDOMEN),
        ),
        priority="S",
        pregnancy=Code(code="60001007", system=SNOMED_CT),
        contraindications=(
            ContraIndication(
                code=Code(code="MED-1109", system=CISIS_TERMS, display="Claustrophobe"), comment="Sévère."
            ),
        ),
        height=Quantity(value="1.70", unit="m"),
        weight=Quantity(value="63", unit="kg"),
        informed_of_risks=False,
    ),
    "NM with its function": replace(
        ORDER,
        acts=(wanted("Scintigraphie", "NM", SKELETON, function=Code(code="MED-1143", display="Osseuse")),),
    ),
    "PT without a function, region only": replace(
        ORDER,
        acts=(replace(wanted("TEP", "PT", WHOLE), sites=(), regions=(region("38266002", "Corps entier"),)),),
    ),
    "mammography, bone density, angiography": replace(
        ORDER,
        acts=(
            wanted("Mammographie", "MG", Code(code="181131000", system=SNOMED_CT, display="Sein")),
            wanted("Ostéodensitométrie", "BMD", SKELETON),
            wanted("Coronarographie", "XA", HEART, products=(CONTRAST,)),
        ),
        priority="R",
    ),
    "nothing but what must be": ImagingOrder(
        status=OrderStatus.REQUESTED,
        patient=PATIENT,
        requester=DUPONT,
        acts=(wanted("", "CT", CHEST_SITE),),
    ),
}
