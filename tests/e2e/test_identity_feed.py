"""Orders and identities over sockets: the simulated DMP gets what waited for an identity, once."""

import asyncio

import pytest

from conformance.demo.stage import Stage
from gateway import hl7v2
from gateway.connectors.mllp import connect
from tests.stage_support import deliveries
from tests.support import FIXTURES

HL7 = FIXTURES / "hl7v2"
INS = b"279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS~"
UNQUALIFIED = (HL7 / "oru_unqualified.er7").read_bytes().replace(INS, b"")
QUALIFIED = (HL7 / "adt_a08_qualified.er7").read_bytes()
ORDER = (HL7 / "orm_zds.er7").read_bytes()


def send(stage: Stage, *messages: bytes) -> list[str]:
    """Acknowledgement codes."""

    async def exchange() -> list[str]:
        async with connect(*stage.mllp, timeout=10) as client:
            return [hl7v2.read_ack((await client.exchange(one)).answer).code for one in messages]

    return asyncio.run(exchange())


@pytest.mark.req("REQ-12", "REQ-17", "REQ-64")
def test_a_report_without_qualified_identity_reaches_the_dmp_after_the_adt(stage: Stage) -> None:
    # The report names nobody who asked: its order does.
    report = UNQUALIFIED.replace(
        b"801234567897^DUPONT^Alain^^^DR^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^L^^^IDNPS", b""
    )
    assert send(stage, ORDER, report) == ["AA", "AA"]
    first = deliveries(stage, 4)
    assert {row["destination"]: row["state"] for row in first if row["destination"] != "mssante-ps"} == {
        "folder": "delivered",
        "dmp": "blocked",
        "mssante-patient": "blocked",
    }
    assert stage.ledger("dmp") == []

    assert send(stage, QUALIFIED) == ["AA"]
    after = deliveries(stage, 2 * len(first))
    newest = [row for row in after if row["id"] not in {one["id"] for one in first}]
    assert {(row["destination"], row["action"], row["state"]) for row in newest} >= {
        ("dmp", "create", "delivered"),
        ("mssante-patient", "create", "delivered"),
        ("mssante-ps", "replace", "delivered"),
        ("folder", "replace", "delivered"),
    }
    (received,) = stage.ledger("dmp")
    assert received["errors"] == []
    assert received["patient"].startswith("279035121518989^")
    older = [row for row in after if row not in newest]
    assert {row["destination"]: row["reason"] for row in older if row["state"] == "cancelled"} == {
        "dmp": "SUPERSEDED",
        "mssante-patient": "SUPERSEDED",
        "mssante-ps": "SUPERSEDED",  # the copy whose mailbox nobody knows
    }

    # The RIS sends its report once more: nothing is new.
    again = report.replace(b"RIS-2021-000044-1", b"RIS-2021-000044-2")
    assert send(stage, again) == ["AA"]
    assert len(deliveries(stage, len(after))) == len(after)
