"""MDM of classic RIS through the intake: addenda joined to their report, chains of TXA-12 and TXA-13."""

import pytest

from gateway.model.report import SectionKind
from tests.contract.test_intake_life import state
from tests.intake_house import House
from tests.unit.mapping_messages import ORU, changed, with_field, with_observations

WORDS = "Relecture : pas de fracture."
SIGNED, THEN = "20210108111700+0100", "20210109090000+0100"


def mdm(event: str, document: str, prior: str = "", *, order: bool = True, base: str = ORU) -> str:
    """A classic MDM of the canonical exam; `order=False`: without any order or accession number."""
    message = with_field("MSH", 9, f"MDM^{event}^MDM_T02", with_field("OBR", 25, "", base))
    if not order:
        message = changed(("^^1.2.250.1.925.994044785528.27^ISO", ""), ("105234751", ""), message=message)
        for segment, field in (("ORC", 3), ("OBR", 3), ("OBR", 18), ("OBR", 19), ("OBR", 20)):
            message = with_field(segment, field, "", message)
    place = message.index("OBX|1|")
    return f"{message[:place]}TXA|1|CR|TX|||||||||{document}|{prior}||||AU\r{message[place:]}"


def addendum(document: str, prior: str, *, order: bool = True, words: str = WORDS) -> str:
    message = mdm("T06", document, prior, order=order, base=with_observations(f"OBX|1|TX|||{words}||||||F"))
    return changed((SIGNED, THEN), message=message)


def text(house: House, version: int) -> list[tuple[str, str]]:
    return [(one.kind.name, one.text) for one in house.report(version).sections]


def versions(house: House) -> int:
    row = house.queries.report("1")
    assert row is not None
    return len(row["versions"])


@pytest.mark.req("REQ-29")
@pytest.mark.parametrize("order", [True, False])
async def test_an_addendum_makes_a_version_of_the_whole_report(house: House, order: bool) -> None:
    assert await house.take(mdm("T02", "DOC-1", order=order)) == "AA"
    first = text(house, 1)
    assert await state(house, addendum("DOC-2", "DOC-1", order=order)) == ("AA", "accepted")
    assert text(house, 2) == [*first, ("ADDENDUM", WORDS)]
    report = house.report(2)
    assert (report.status, f"{report.validated_at:%Y%m%d%H%M%S%z}") == ("appended", THEN)
    assert report.legal_authenticator is not None and report.acts == house.report(1).acts
    assert versions(house) == 2


async def test_a_second_addendum_stands_behind_the_first(house: House) -> None:
    await house.take(mdm("T02", "DOC-1"))
    await house.take(addendum("DOC-2", "DOC-1"))
    await house.take(addendum("DOC-3", "DOC-2", words="Avis du staff."))
    assert [words for kind, words in text(house, 3) if kind == "ADDENDUM"] == [WORDS, "Avis du staff."]


async def test_the_same_addendum_again_makes_no_version(house: House) -> None:
    await house.take(mdm("T02", "DOC-1"))
    await house.take(addendum("DOC-2", "DOC-1"))
    assert await state(house, addendum("DOC-2", "DOC-1")) == ("AA", "accepted")
    assert "CONTENT-UNCHANGED" in house.codes()
    assert versions(house) == 2


@pytest.mark.parametrize("order", [True, False])
async def test_an_addendum_before_its_report_goes_alone_and_is_joined_later(
    house: House,
    order: bool,
) -> None:
    assert await state(house, addendum("DOC-2", "DOC-1", order=order)) == ("AA", "accepted")
    assert "ORIGINAL-UNKNOWN" in house.codes()
    assert house.deliveries()["dmp"][0] == "create", "an addendum replaces no report"
    assert await state(house, mdm("T02", "DOC-1", order=order)) == ("AA", "accepted")
    kinds = [one.kind for one in house.report(2).sections]
    assert kinds[-1] is SectionKind.ADDENDUM and len(kinds) > 1
    assert house.report(2).status == "appended"
    assert versions(house) == 2


async def test_an_addendum_to_a_document_is_refused_with_what_to_send_instead(house: House) -> None:
    pdf = "JVBERi0xLjQKJcfs"
    base = with_observations(f"OBX|1|ED|18748-4^CR^LN||^application^pdf^Base64^{pdf}||||||F")
    assert await house.take(mdm("T02", "DOC-1", base=base)) == "AA"
    assert await state(house, addendum("DOC-2", "DOC-1")) == ("AE", "rejected")
    assert "ADDENDUM-NOT-POSSIBLE" in house.codes()


async def test_the_addendum_of_another_patient_is_refused(house: House) -> None:
    """The same numbers, another person: nobody's words are put behind another's report."""
    await house.take(mdm("T02", "DOC-1"))
    other = changed(("|19790328|", "|19800101|"), message=addendum("DOC-2", "DOC-1"))
    assert await state(house, other) == ("AE", "rejected")
    (refusal,) = (one for one in house.last()["findings"] if one["code"] == "ADDENDUM-NOT-POSSIBLE")
    assert refusal["detail"] == "another patient: birth date"
    assert versions(house) == 1


# --- chains by TXA-12 and TXA-13


@pytest.mark.req("REQ-29")
async def test_a_chain_of_document_ids_is_one_report(house: House) -> None:
    words = iter(("anomalie", "lésion", "fracture", "kyste"))
    last = next(words)
    for document, prior, event in (
        ("DOC-1", "", "T02"),
        ("DOC-2", "DOC-1", "T10"),
        ("DOC-3", "DOC-2", "T10"),
        ("DOC-3", "", "T08"),
    ):
        message = mdm(event, document, prior, order=False)
        assert await state(house, changed(("anomalie", last), message=message)) == ("AA", "accepted")
        assert "ORIGINAL-UNKNOWN" not in house.codes()
        last = next(words, "")
    assert versions(house) == 4
    assert {tuple(row["report_ids"]) for row in house.queries.messages(limit=4)} == {("1",)}


async def test_a_parent_known_by_its_document_wins_over_a_new_order_number(house: House) -> None:
    """Some RIS give each addendum an order number of its own."""
    await house.take(mdm("T02", "DOC-1"))
    message = addendum("DOC-2", "DOC-1")
    other = changed(("CR-2021-000042", "CR-2021-000099"), message=message)
    assert await house.take(other) == "AA"
    assert versions(house) == 2
