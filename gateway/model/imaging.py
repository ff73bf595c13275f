"""What a structured report (N3) says of an act beyond its words: products, doses, devices."""

from datetime import datetime

from gateway.model.base import Value
from gateway.model.people import Practitioner
from gateway.model.terms import Code, Identifier


class Quantity(Value):
    """`value` is a decimal number as text, with a point (`1140.26`); `unit` a UCUM code (`mL`, `mGy.cm`)."""

    value: str
    unit: str = ""


class AdministeredProduct(Value):
    """A product given for the act: contrast medium, or radiopharmaceutical with its activity.

    `codes`: CIP (1.2.250.1.213.2.3.2), UCD, ATC (2.16.840.1.113883.6.73). `route`: EDQM Standard Terms
    (0.4.0.127.0.16.1.1.2.1). `quantity`: volume or mass, of a radiopharmaceutical its activity (MBq).
    """

    label: str
    codes: tuple[Code, ...] = ()
    route: Code | None = None
    quantity: Quantity | None = None
    lot: str = ""
    comment: str = ""


class RadiationDose(Value):
    """One measure of exposure: `code` DCM of JDV 1.2.250.1.213.1.1.5.620, `site` SNOMED CT of 5.694.

    Without a site, that of the act is meant.
    """

    code: Code
    quantity: Quantity
    site: Code | None = None


class RadiationExposure(Value):
    """Exposure of the patient in one act. Without a name, the radiologist of the act authorised it."""

    doses: tuple[RadiationDose, ...] = ()
    authorized_by: Practitioner | None = None


class ContraIndication(Value):
    """A contra-indication or an allergy: `code` of JDV 1.2.250.1.213.1.1.5.659, or only what was written."""

    code: Code | None = None
    comment: str = ""


class Device(Value):
    """A medical device used in the act or present in the patient; `code` EMDN (1.2.250.1.213.2.68)."""

    label: str
    code: Code | None = None
    udi: Identifier | None = None
    """Unique device identifier (UDI-DI and UDI-PI), with its issuing agency's OID."""
    used_at: datetime | None = None
