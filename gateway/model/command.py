"""What a person orders for a report that the gateway keeps: an input that is stored like a message."""

from enum import StrEnum

from gateway.model.base import Value


class Verb(StrEnum):
    ANNOUNCE = "announce"
    """The patient was told: the document becomes visible, and the patient's mail goes."""
    MASK = "mask"
    UNMASK = "unmask"
    WITHDRAW = "withdraw"
    """The report was wrong: what has not left is cancelled, and it is deleted wherever it arrived."""


class Command(Value):
    """One order about the report set `set_key` of a site, which API and CLI name `report_id`.

    `actor` is who says it, as the audit trail shows it. `flag`: the mask (MASK, UNMASK) by its name in the
    message or in the DMP. `mail`: whether an announcement sends the patient's mail.
    """

    verb: Verb
    report_id: int
    site: str
    set_key: str
    actor: str
    flag: str = ""
    mail: bool = True
