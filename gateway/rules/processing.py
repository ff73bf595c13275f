"""MSH-11 against the environment: nothing of a test leaves a production gateway, nor the reverse.

HL7 table 0103 (P production, T training, D debugging); volet Transmission 2.1 §1.4.
"""

from gateway.model.findings import Finding, finding

TAKEN = {"production": frozenset({"P"}), "test": frozenset({"P", "T", "D"})}
"""What each environment takes. P at a test gateway: all official samples say so; its INS roots guard it."""


def check(said: str, environment: str) -> tuple[Finding, ...]:
    """HL7-PROCESSING-ID for a message of another environment, `said` being its MSH-11; an empty one (or FHIR)
    says nothing. Reports, orders and identities alike: a test must not qualify a real patient."""
    if not said or said in TAKEN[environment]:
        return ()
    return (finding("HL7-PROCESSING-ID", "MSH-11", f"{said[:4]} at a {environment} gateway"),)
