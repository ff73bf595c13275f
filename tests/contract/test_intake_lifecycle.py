"""The life of a report through the intake: P → F → F with new content → C, and what comes late (§4.4)."""

from tests.intake_house import House, fixture


async def test_a_report_from_its_draft_to_its_correction(house: House) -> None:
    final, other = fixture("oru_report"), ("sans anomalie décelable", "avec un nodule de 4 mm")
    draft = fixture("oru_report", ("||CT|F|", "||CT|P|"))

    assert await house.take(draft) == "AA"
    assert house.last()["state"] == "held"
    assert house.deliveries() == {}

    assert await house.take(final) == "AA"
    assert house.deliveries()["dmp"] == ("create", "planned", "")

    # The same filler number with new content is a new version, whatever the status says.
    assert await house.take(fixture("oru_report", other)) == "AA"
    assert house.report(2).sections[-1].text.startswith("Examen avec un nodule")
    assert house.deliveries()["dmp"] == ("create", "planned", ""), "nothing has left: still a creation"

    assert await house.take(fixture("oru_report", other)) == "AA"
    assert "CONTENT-UNCHANGED" in house.codes()

    assert await house.take(fixture("oru_corrected")) == "AA"
    assert house.report(3).status == "corrected"

    assert await house.take(draft) == "AA"
    report = house.queries.report(house.last()["reports"][0]["id"])
    assert report is not None
    assert report["status"] == "corrected", "a late draft does not hide the report"
    assert len(report["versions"]) == 3
