"""Reports that wait for their validation: on the list from the first unvalidated message on (REQ-30)."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from gateway.config import AlertSettings, Settings, StoreSettings
from gateway.pipeline.dispatcher import Dispatcher
from gateway.reload import Configuration
from gateway.service import watching
from gateway.store import SystemClock
from tests.contract.test_intake_life import NEW_WORDS, status
from tests.intake_house import HL7, House
from tests.unit.mapping_messages import with_field

RADIOLOGIST = "801234560801"
LATE = SystemClock()
"""The clock of the intake under test stands years before."""

pytestmark = [pytest.mark.req("REQ-30"), pytest.mark.usefixtures("engine")]


def waiting(house: House, **filters: Any) -> list[dict[str, Any]]:
    return house.queries.unvalidated(**filters)


async def test_a_preliminary_report_waits_until_it_is_validated(house: House) -> None:
    await house.take(status("P"))
    (row,) = waiting(house)
    assert (row["report_id"], row["status"], row["version"]) == ("1", "preliminary", 0)
    assert row["message_id"] == house.last()["id"]
    assert (row["radiologist"], row["accession"]) == (RADIOLOGIST, "105234751")
    assert "PAT-TROIS" not in str(row), "the list names no patient"
    assert house.deliveries() == {}
    await house.take(status("F"))
    assert waiting(house) == []


async def test_it_waits_since_its_first_message(house: House) -> None:
    await house.take(status("P"))
    since = waiting(house)[0]["since"]
    house.clock.pass_seconds(3600)
    await house.take(status("P", NEW_WORDS))
    (row,) = waiting(house)
    assert row["since"] == since < row["updated_at"]


@pytest.mark.parametrize("leads", [True, False])
async def test_of_several_nodes_one_tells_who_is_late(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads: bool
) -> None:
    await house.take(status("P"))
    alerts = AlertSettings(unvalidated_hours=1)
    store = StoreSettings(url=SecretStr("" if house.engine.name == "sqlite" else str(house.engine.where)))
    settings = Settings(data_dir=tmp_path, alerts=alerts, store=store)
    monkeypatch.setattr(house.store, "leads", lambda: leads)
    configuration = cast("Configuration", SimpleNamespace(settings=settings))
    watch = watching.watch(configuration, house.store, Dispatcher(house.store, settings, LATE), LATE)
    opened = {one.kind: one.subject for one in (await watch.look()).opened}
    assert opened.get("unvalidated") == (RADIOLOGIST if leads else None)


@pytest.mark.parametrize("code", ["X", "D", "W"])
async def test_a_withdrawn_report_waits_no_more(house: House, code: str) -> None:
    await house.take(status("P"))
    await house.take(status(code))
    assert waiting(house) == []


async def test_a_report_in_rework_waits_and_one_that_comes_late_does_not(house: House) -> None:
    await house.take(status("F"))
    await house.take(status("P"))  # sent before the final one came
    assert waiting(house) == []
    later = (house.clock.now() + timedelta(hours=1)).strftime("%Y%m%d%H%M%S+0000")
    house.clock.pass_seconds(7200)
    await house.take(with_field("MSH", 7, later, status("P")))
    (row,) = waiting(house)
    assert (row["version"], row["status"]) == (1, "preliminary")


async def test_what_the_identity_feed_says_validates_nothing(house: House) -> None:
    unqualified = (HL7 / "oru_unqualified.er7").read_bytes().decode()
    await house.take(unqualified)
    house.clock.pass_seconds(7200)
    later = house.clock.now().strftime("%Y%m%d%H%M%S+0000")
    rework = with_field("OBR", 25, "P", with_field("MSH", 7, later, unqualified))
    await house.take(rework)
    assert len(waiting(house)) == 1
    house.clock.pass_seconds(7200)
    await house.take((HL7 / "adt_a08_qualified.er7").read_bytes().decode())
    assert len(waiting(house)) == 1


async def test_the_list_is_narrowed_by_period_and_radiologist(house: House) -> None:
    await house.take(status("P"))
    now = house.clock.now()
    day = timedelta(days=1)
    assert len(waiting(house, since=now, until=now + day)) == 1
    assert waiting(house, since=now + day) == [] == waiting(house, until=now)
    for same in (RADIOLOGIST, RADIOLOGIST[1:]):
        assert len(waiting(house, radiologist=same)) == 1
    assert waiting(house, radiologist="801234560802") == []
    assert waiting(house, cursor=1) == []


async def test_what_waits_too_long_is_counted_by_radiologist(house: House) -> None:
    await house.take(status("P"))
    came = house.clock.now()
    assert house.queries.overdue(came) == []
    assert house.queries.overdue(came + timedelta(seconds=1)) == [(RADIOLOGIST, 1, came)]
