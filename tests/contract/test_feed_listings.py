"""Orders and identities as operators see them: `gateway orders | order | identities`, and over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.web.application import application
from tests.intake_house import House, fixture

ORDER = {"status": "scheduled", "placer": "984375862^1.2.250.1.748.12345678.12", "version": 1}
NAMES = ("PAT-TROIS", "DOMINIQUE", "19790328")
"""What no listing of the feed shows."""


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    one = House(tmp_path)
    assert await one.take(fixture("orm_zds")) == "AA"
    assert await one.take(fixture("adt_a08_qualified")) == "AA"
    yield one
    one.queries.close()
    await one.store.close()


def told(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == status, done.output
    return done.output


def rows(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told(*arguments, "--json").splitlines()]


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    made = application(
        intake=house.intake, queries=house.queries, token="t", limit=1000, ready=lambda: (True, {})
    )
    transport = httpx.ASGITransport(app=made, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://gateway", headers={"Authorization": "Bearer t"}
    ) as one:
        yield one


@pytest.mark.req("REQ-64")
def test_orders_are_listed_with_their_numbers_and_status(house: House) -> None:
    (row,) = rows("orders")
    assert {name: row[name] for name in ORDER} == ORDER
    assert rows("orders", "--status", "cancelled") == []
    assert "984375862" in told("orders")
    assert "expected one of" in told("orders", "--status", "lost", status=2)


def test_one_order_shows_what_it_asks_for_and_who_spoke_of_it(house: House) -> None:
    (row,) = rows("order", "1")
    assert row["order"]["requester"]["family"] == "DUPONT"
    assert [(one["message_id"], one["control"]) for one in row["messages"]] == [(1, "NW")]
    lines = told("order", "1").splitlines()
    title, spoke = lines[lines.index("messages") + 1 :][:2]
    assert dict(zip(title.split(), spoke.split(), strict=True))["control"] == "NW"
    told("order", "9", status=1)


@pytest.mark.req("REQ-17")
def test_identities_are_found_by_their_number_and_shown_without_names(house: House) -> None:
    every = rows("identities")
    assert len(every) == 2, "the local number and the matricule"
    (row,) = rows("identities", "--number", "000003")
    assert (row["ins"].partition("^")[0], row["status"]) == ("279035121518989", "qualifiee")
    assert [one["key"].partition("^")[0] for one in rows("identities", "--number", "279035121518989")] == [
        "279035121518989"
    ]
    assert rows("identities", "--number", "0000") == []
    assert not any(name in told("identities") for name in NAMES)


async def test_the_same_over_http(house: House, http: httpx.AsyncClient) -> None:
    orders = (await http.get("/api/orders")).json()
    assert {name: orders["items"][0][name] for name in ORDER} == ORDER
    assert (await http.get("/api/orders/1")).json()["order"]["requester"]["family"] == "DUPONT"
    assert (await http.get("/api/orders/9")).status_code == 404
    found = (await http.get("/api/identities", params={"site": "default", "number": "000003"})).json()
    assert [row["status"] for row in found["items"]] == ["qualifiee"]
    page = (await http.get("/api/identities", params={"site": "default", "limit": 1})).json()
    rest = await http.get("/api/identities", params={"site": "default", "cursor": page["next_cursor"]})
    assert len(rest.json()["items"]) == 1
    for path in ("/api/orders", "/api/orders/1", "/api/identities?site=default"):
        assert (await http.get(path, headers={"Authorization": "Bearer x"})).status_code == 401


async def test_the_list_of_messages_says_why_each_was_refused(house: House) -> None:
    """The first error, else the first warning: nobody has to open every message to see what goes wrong."""
    await house.take(fixture("orm_zds", ("ORM^O01", "ORM^O99")))
    await house.take(fixture("orm_zds"))
    await house.take(fixture("oru_preliminary", ("|20210108111705+0100|", "||")))
    third, second, first = house.queries.messages(limit=3)
    assert (third["state"], third["finding"]) == ("held", "NOT-VALIDATED")
    assert (first["state"], first["finding"]) == ("rejected", "HL7-EVENT-UNSUPPORTED")
    assert (second["state"], second["finding"]) == ("accepted", "")
