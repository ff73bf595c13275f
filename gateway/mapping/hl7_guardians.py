"""NK1 → who answers for the patient: legal guardians always, parents of a minor (HL7 2.5 §3.4.5)."""

from gateway.hl7v2 import parse_date
from gateway.mapping import hl7_types as types
from gateway.mapping.hl7_reader import Reader
from gateway.model.people import Guardian

MAJORITY = 18
"""Years: above, a mother or father is a contact, not a legal representative (code civil, art. 414)."""


def guardians(reader: Reader, birth_date: str) -> tuple[Guardian, ...]:
    """By `patient.guardians`, then by `patient.parents` when the patient is a minor on the day of MSH-7."""
    names = ["patient.guardians", *(["patient.parents"] if _minor(reader, birth_date) else [])]
    made: list[Guardian] = []
    for name in names:
        for found in reader.find_all(name):
            segment = found.segment
            person = types.xpn(reader.scope, segment, found.field, found.repetition)
            phone = types.xtn(reader.scope, segment, 5, 1)
            reader.mark(segment, 2, 3, 4, 5)
            guardian = Guardian(
                family=person.family,
                given=person.given,
                prefix=person.prefix,
                address=types.xad(reader.scope, segment, 4, 1),
                telecoms=(phone,) if phone is not None else (),
            )
            if guardian.family and guardian not in made:
                reader.trail.source(f"patient.guardians[{len(made)}]", found.location)
                made.append(guardian)
    return tuple(made)


def _minor(reader: Reader, birth_date: str) -> bool:
    """Under 18 on the day the message was sent; not when either date is unknown."""
    header = reader.scope.first("MSH")
    sent = parse_date(header.value(7)) if header is not None else ""
    if len(birth_date) < 10 or len(sent) < 10:
        return False
    years = int(sent[:4]) - int(birth_date[:4]) - (sent[5:10] < birth_date[5:10])
    return 0 <= years < MAJORITY
