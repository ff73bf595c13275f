"""What the demo sends and what must come of it: data, so that the table on the screen can be checked."""

from pathlib import Path
from typing import NamedTuple

MESSAGES = Path(__file__).with_name("messages")

ALL = {"dmp": "delivered", "mssante-ps": "delivered", "mssante-patient": "delivered", "folder": "delivered"}


class Step(NamedTuple):
    """One message; `deliveries`: the state each destination must reach, {} when nothing may be planned."""

    file: str
    what: str
    state: str
    deliveries: dict[str, str]


STEPS = (
    Step(
        "mdm_cda.er7",
        "MDM^T02 carrying a CDA (volet CISIS), not for the patient",
        "accepted",
        {"dmp": "delivered", "mssante-ps": "delivered", "folder": "delivered"},
    ),
    Step("oru_report.er7", "ORU^R01 with report text (RIS)", "accepted", ALL),
    Step("oru_pdf.er7", "ORU^R01 with a PDF (RIS)", "accepted", ALL),
    Step("fhir_report.json", "FHIR transaction Bundle", "accepted", ALL),
    Step("oru_preliminary.er7", "ORU^R01 preliminary report: held, nothing leaves", "held", {}),
    Step(
        "oru_unqualified.er7",
        "ORU^R01 with an unqualified identity: no DMP, no patient mail",
        "blocked",
        {"dmp": "blocked", "mssante-patient": "blocked", "mssante-ps": "delivered", "folder": "delivered"},
    ),
    Step(
        "oru_withdrawn.er7",
        "ORU^R01 withdrawing the report with a PDF: deleted in the DMP, cancelled by mail",
        "accepted",
        ALL,
    ),
)
