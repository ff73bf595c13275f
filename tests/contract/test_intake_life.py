"""The life of a report through intake and store: P, F, C, X, by status, content and document chain (T8)."""

from base64 import b64decode
from typing import Any

import pytest

from tests.intake_house import House
from tests.unit.mapping_messages import changed, with_field
from tests.unit.test_mapping_cda_message import ROOT, edited, replacement, with_document
from tests.unit.test_mapping_volet import N3, two


def status(code: str, *pairs: tuple[str, str], control: str = "NW") -> str:
    return with_field("OBR", 25, code, with_field("ORC", 1, control, changed(*pairs)))


NEW_WORDS = ("Examen sans anomalie décelable.", "Nodule de 3 mm.")


async def state(house: House, message: str) -> tuple[str, str]:
    """(acknowledgement, state of the message)."""
    return await house.take(message), house.last()["state"]


def versions(house: House) -> list[dict[str, Any]]:
    """The versions of the first report that the store knows."""
    row = house.queries.report("1")
    assert row is not None
    found: list[dict[str, Any]] = row["versions"]
    return found


@pytest.mark.req("REQ-29")
async def test_preliminary_final_corrected_withdrawn(house: House) -> None:
    assert await state(house, status("P")) == ("AA", "held")
    assert house.deliveries() == {}
    assert await state(house, status("F")) == ("AA", "accepted")
    assert len(versions(house)) == 1
    assert await state(house, status("C", NEW_WORDS, control="RO")) == ("AA", "accepted")
    assert len(versions(house)) == 2
    assert house.report(2).status == "corrected"
    assert await state(house, status("X", NEW_WORDS)) == ("AA", "accepted")
    assert "REPORT-RECALLED" in house.codes(), "nothing had left"
    assert len(versions(house)) == 2


@pytest.mark.req("REQ-29")
async def test_a_final_report_with_other_content_is_a_correction_without_saying_so(house: House) -> None:
    await house.take(status("F"))
    assert await state(house, status("F", NEW_WORDS)) == ("AA", "accepted")
    assert len(versions(house)) == 2
    assert house.report(2).sections[-1].text == "Nodule de 3 mm."


async def test_the_same_content_again_makes_no_version(house: House) -> None:
    await house.take(status("F"))
    assert await state(house, status("F")) == ("AA", "accepted")
    assert "CONTENT-UNCHANGED" in house.codes()
    assert len(versions(house)) == 1


async def test_a_late_preliminary_report_does_not_hide_the_final_one(house: House) -> None:
    await house.take(status("F"))
    assert await state(house, status("P", NEW_WORDS)) == ("AA", "held")
    assert await state(house, status("F")) == ("AA", "accepted")
    assert "CONTENT-UNCHANGED" in house.codes()


@pytest.mark.parametrize("code", ["X", "D", "W"])
async def test_the_withdrawal_of_what_never_left_is_kept(house: House, code: str) -> None:
    assert await state(house, status(code)) == ("AA", "held")
    assert house.deliveries() == {}


async def test_a_correction_before_its_original_is_kept_and_sent(house: House) -> None:
    assert await state(house, status("C", NEW_WORDS, control="RO")) == ("AA", "accepted")
    assert "ORIGINAL-UNKNOWN" in house.codes()


# --- received documents without setId: the chain of their ids names the set (architecture decision 11)


def document(number: int, replaces: int | None = None) -> str:
    """The MDM with document `number`, without setId."""
    related = "<componentOf>"
    if replaces is not None:
        related = (
            f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{ROOT}.50.46.{replaces}"/>'
            "</parentDocument></relatedDocument><componentOf>"
        )
    message = edited("<componentOf>", related)
    data = b64decode(
        next(line for line in message.split("\r") if "^XML^Base64^" in line).split("^")[-1].split("|")[0]
    )
    data = data.replace(f'<setId root="{ROOT}.51.46"/>'.encode(), b"")
    first, own = (f'<id root="{ROOT}.50.46.{one}"/>'.encode() for one in (1, number))
    data = data.replace(first, own, 1)
    message = with_field("TXA", 12, f"{ROOT}.50.46.{number}", with_document(data))
    return replacement(message) if replaces is not None else message


@pytest.mark.req("REQ-33")
async def test_a_third_version_finds_its_set_by_the_second(house: House) -> None:
    assert await house.take(document(1)) == "AA"
    assert await house.take(document(2, replaces=1)) == "AA"
    assert await house.take(document(3, replaces=2)) == "AA"
    assert await house.take(document(4, replaces=3)) == "AA"
    every = house.queries.messages(limit=4)
    assert len({tuple(row["report_ids"]) for row in every}) == 1, "all four are of one report"
    assert "ORIGINAL-UNKNOWN" not in house.codes()
    assert house.report(4).report_set.value == f"{ROOT}.50.46.1"
    assert len(versions(house)) == 4


async def test_a_replacement_of_a_document_that_nobody_knows_is_kept_with_a_remark(house: House) -> None:
    assert await house.take(document(2, replaces=9)) == "AA"
    assert "ORIGINAL-UNKNOWN" in house.codes()


async def test_n1_and_n3_of_one_message_are_two_reports_with_their_deliveries(house: House) -> None:
    assert await house.take(two(N3)) == "AA"
    row = house.last()
    assert len(row["reports"]) == 2
    destinations = sorted(one["destination"] for one in row["deliveries"])
    assert destinations == ["dmp", "dmp", "folder", "folder", "mssante-ps", "mssante-ps"]


async def test_one_refused_document_of_two_keeps_both_out(house: House) -> None:
    other = N3.replace(b'<code code="18748-4"', b'<code code="11502-2"', 1)
    assert other != N3
    assert await state(house, two(other)) == ("AE", "rejected")
    assert house.deliveries() == {}
