"""MSH-11 against the environment: nothing of a test leaves a production gateway, nor the reverse.

HL7 table 0103 (P production, T training, D debugging); volet Transmission 2.1 §1.4.
"""

from gateway.model.findings import Finding, finding
from gateway.model.submission import Mapped

TAKEN = {"production": frozenset({"P"}), "test": frozenset({"P", "T", "D"})}
"""What each environment takes. P at a test gateway: all official samples say so; its INS roots guard it."""


def check(mapped: Mapped, environment: str) -> tuple[Finding, ...]:
    """HL7-PROCESSING-ID for a message of another environment; an empty MSH-11 (or FHIR) says nothing."""
    said = mapped.context.processing_id
    if not said or said in TAKEN[environment]:
        return ()
    return (finding("HL7-PROCESSING-ID", "MSH-11", f"{said[:4]} at a {environment} gateway"),)
