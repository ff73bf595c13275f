"""The HTTP surface over a real store: token, size cap, FHIR answers, read-only API."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.connectors.inflight import Hold, Inflight
from gateway.mapping import sites
from gateway.model.delivery import Destination
from gateway.pipeline.intake import Intake
from gateway.ports import StoreUnavailableError
from gateway.store import SqliteStore, StoreQueries, SystemClock
from gateway.telemetry import metrics
from gateway.web.application import application
from gateway.web.auth import ensure_token
from tests.store_support import until
from tests.support import FIXTURES, SAMPLES, needs_samples

REPORT = (FIXTURES / "fhir" / "report.json").read_bytes()
FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture
def inflight() -> Inflight:
    return Inflight(1_000_000)


@pytest.fixture
async def client(tmp_path: Path, inflight: Inflight) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the right token; the store has one destination, the folder."""
    store = SqliteStore.open(tmp_path / "gateway.db")
    queries = StoreQueries.open(tmp_path / "gateway.db")
    intake = Intake(
        store, sites.load(), SystemClock(), environment="test", enabled=frozenset({Destination.FOLDER})
    )
    app = application(
        intake=intake,
        queries=queries,
        token=ensure_token(tmp_path / "admin-token"),
        limit=200_000,
        ready=lambda: (True, {}),
        inflight=inflight,
    )
    token = (tmp_path / "admin-token").read_text().strip()
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://gateway", headers={"Authorization": f"Bearer {token}"}
    ) as one:
        yield one
    queries.close()
    await store.close()


def codes(answer: httpx.Response) -> set[str]:
    """Finding codes of an OperationOutcome."""
    return {
        coding["code"] for issue in answer.json()["issue"] for coding in issue["details"].get("coding", ())
    }


def test_the_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "admin-token"
    assert ensure_token(path) == ensure_token(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_open(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"Authorization": ""})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/fhir"), ("GET", "/fhir/metadata"), ("GET", "/api/messages"), ("GET", "/metrics")],
)
@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic abc", "Bearer é"])
async def test_everything_else_wants_the_token(
    client: httpx.AsyncClient, method: str, path: str, given: str
) -> None:
    headers = [(b"Authorization", given.encode("latin-1"))]
    answer = await client.request(method, path, headers=headers, content=b"")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.req("REQ-04", "REQ-01")
async def test_a_bundle_is_taken_and_can_be_read_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fhir", content=REPORT, headers=FHIR)
    assert answer.status_code == 200
    assert answer.json()["type"] == "transaction-response"
    (row,) = (await client.get("/api/messages")).json()["items"]
    assert row["state"] == "accepted"
    detail = (await client.get(f"/api/messages/{row['id']}")).json()
    assert [one["destination"] for one in detail["deliveries"]] == ["folder"]
    assert (await client.get(f"/api/messages/{row['id']}/raw")).content == REPORT
    report = (await client.get(f"/api/reports/{detail['reports'][0]['id']}")).json()
    assert report["status"] == "final"


@pytest.mark.req("REQ-03")
async def test_the_same_bundle_again_gives_the_same_answer_and_no_second_job(
    client: httpx.AsyncClient,
) -> None:
    first = await client.post("/fhir", content=REPORT, headers=FHIR)
    again = await client.post("/fhir", content=REPORT, headers=FHIR)
    assert again.content == first.content
    states = [row["state"] for row in (await client.get("/api/messages")).json()["items"]]
    assert states == ["duplicate", "accepted"]
    assert len((await client.get("/api/deliveries")).json()["items"]) == 1


@pytest.mark.req("REQ-08")
async def test_a_body_above_the_cap_is_413_and_never_kept(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    for content in (b" " * 300_000, endless()):
        answer = await client.post("/fhir", content=content, headers=FHIR)
        assert answer.status_code == 413
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert (await client.get("/api/messages")).json()["items"] == []


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"not json", "application/fhir+json", 400, "FHIR-SYNTAX"),
        (b"<Bundle/>", "application/fhir+xml", 415, "FHIR-MEDIA-TYPE"),
        (b'{"resourceType": "Patient"}', "application/fhir+json", 422, "FHIR-NO-REPORT"),
        (
            b'{"resourceType": "Bundle", "type": "transaction"}',
            "application/fhir+json",
            422,
            "FHIR-NO-REPORT",
        ),
    ],
)
async def test_what_is_no_report_is_refused_with_its_code(
    client: httpx.AsyncClient, content: bytes, content_type: str, status: int, code: str
) -> None:
    answer = await client.post("/fhir", content=content, headers={"Content-Type": content_type})
    assert (answer.status_code, code in codes(answer)) == (status, True), answer.text
    (row,) = (await client.get("/api/messages")).json()["items"]
    assert row["state"] == "rejected"


@needs_samples
@pytest.mark.samples
@pytest.mark.req("REQ-04", "REQ-26", "REQ-19")
@pytest.mark.parametrize(
    ("prefix", "status", "code"),
    [
        ("09", 422, "FHIR-VERSION"),
        ("90", 200, ""),
        ("91", 200, ""),
        ("93", 200, ""),
        ("96", 422, "RPPS-MISSING"),
    ],
)
async def test_the_public_samples_get_the_answer_of_the_catalogue(
    client: httpx.AsyncClient, prefix: str, status: int, code: str
) -> None:
    (file,) = (SAMPLES / "fhir").glob(f"{prefix}_*.json")
    answer = await client.post("/fhir", content=file.read_bytes(), headers=FHIR)
    assert answer.status_code == status, answer.text
    if code:
        assert code in codes(answer)


async def test_pages_follow_the_cursor(client: httpx.AsyncClient) -> None:
    for number in range(5):
        changed = REPORT.replace(b"CR-2021-000042", b"CR-2021-9%05d" % number)
        assert (await client.post("/fhir", content=changed, headers=FHIR)).status_code == 200
    first = (await client.get("/api/messages?limit=3")).json()
    rest = (await client.get(f"/api/messages?limit=3&cursor={first['next_cursor']}")).json()
    ids = [row["id"] for row in (*first["items"], *rest["items"])]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 5
    assert rest["next_cursor"] is None


async def test_what_does_not_exist_is_404_in_words(client: httpx.AsyncClient) -> None:
    many = "9" * 5000
    for path in (
        "/api/messages/999",
        "/api/messages/999/raw",
        "/api/reports/999",
        f"/api/reports/{many}",
        "/api/deliveries/999",
    ):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "999" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "messages/99999999999999999999",
        "messages?cursor=99999999999999999999",
        "messages?state=acepted",
        "deliveries?state=failled",
        "deliveries?destination=dpm",
        "orders/99999999999999999999",
        "orders?status=done",
    ],
)
async def test_what_cannot_be_is_wrong_use_and_no_empty_list(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/api/{path}")).status_code == 422


async def test_a_delivery_is_shown_with_its_attempts(client: httpx.AsyncClient) -> None:
    await client.post("/fhir", content=REPORT, headers=FHIR)
    (row,) = (await client.get("/api/deliveries?state=planned&destination=folder")).json()["items"]
    shown = (await client.get(f"/api/deliveries/{row['id']}")).json()
    assert shown == {**row, "attempts_made": []}


async def test_the_description_of_the_api_has_no_name_twice(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/openapi.json")).json()["paths"]
    names = [one["operationId"] for methods in paths.values() for one in methods.values()]
    assert len(set(names)) == len(names)


@pytest.mark.req("REQ-71")
def test_a_state_that_has_no_delivery_any_more_stands_at_0() -> None:
    metrics.deliveries([("zam", "failed", 3), ("zam", "delivered", 1)])
    metrics.deliveries([("zam", "delivered", 4)])
    scraped = metrics.exposition().decode()
    assert 'gateway_deliveries{destination="zam",state="failed"} 0.0' in scraped
    assert 'gateway_deliveries{destination="zam",state="delivered"} 4.0' in scraped


@pytest.mark.req("REQ-71")
async def test_metrics_are_told_while_the_store_does_not_answer(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*arguments: object) -> None:
        raise StoreUnavailableError("connection refused")

    monkeypatch.setattr(StoreQueries, "delivery_counts", down)
    scraped = await client.get("/metrics")
    assert scraped.status_code == 200
    assert "gateway_mllp_connections" in scraped.text


@pytest.mark.req("REQ-71")
async def test_metrics_carry_no_identity(client: httpx.AsyncClient) -> None:
    await client.post("/fhir", content=REPORT, headers=FHIR)
    scraped = (await client.get("/metrics")).text
    assert 'gateway_deliveries{destination="folder",state="planned"} 1.0' in scraped
    for secret in ("279035121518989", "PAT-TROIS", "CR-2021", "801234560801"):
        assert secret not in scraped


async def test_the_capability_statement_names_what_is_served(client: httpx.AsyncClient) -> None:
    statement = json.loads((await client.get("/fhir/metadata")).content)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["rest"][0]["resource"][0]["type"] == "DiagnosticReport"


async def test_a_store_that_does_not_answer_is_503_and_no_fault(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*arguments: object, **named: object) -> None:
        raise StoreUnavailableError("postgresql://db:5432/gateway: connection refused")

    monkeypatch.setattr(StoreQueries, "messages", down)
    answer = await client.get("/api/messages")
    assert answer.status_code == 503
    assert answer.json()["detail"].endswith("connection refused")


@pytest.mark.req("REQ-38", "REQ-39")
@pytest.mark.parametrize("path", ["announce", "mask?flag=MASQUE_PS"])
async def test_commands_about_a_report_want_the_token_and_a_report(
    client: httpx.AsyncClient, path: str
) -> None:
    bare = await client.post(f"/api/reports/1/{path}", headers={"Authorization": ""})
    assert bare.status_code == 401
    assert (await client.post(f"/api/reports/1/{path}")).status_code == 404
    assert (await client.post(f"/api/reports/x/{path}")).status_code == 404
    await client.post("/fhir", content=REPORT, headers=FHIR)
    done = await client.post(f"/api/reports/1/{path}", headers={"X-Actor": "radiologue"})
    assert (done.status_code, done.json()["state"]) == (200, "accepted")
    (row, _) = (await client.get("/api/messages")).json()["items"]
    assert (row["protocol"], row["peer"]) == ("command", "token radiologue")


async def test_a_large_body_waits_while_other_senders_fill_the_memory(
    client: httpx.AsyncClient, inflight: Inflight
) -> None:
    """Those of MLLP count, too: there is one memory."""
    other = Hold()
    inflight.account(other, 2_000_000)
    await inflight.room(other)
    asked = asyncio.create_task(client.post("/fhir", content=REPORT + b" " * 150_000, headers=FHIR))
    await until(lambda: inflight.crowded)
    assert not asked.done()
    assert (await client.post("/fhir", content=REPORT, headers=FHIR)).status_code == 200, "a small one passes"
    inflight.account(other, 0)
    assert (await asked).status_code == 200
    assert inflight.held == 0


@pytest.mark.parametrize("path", ["/fhir", "/fhir/ServiceRequest"])
async def test_an_order_by_itself_is_taken_where_the_capabilities_say_so(
    client: httpx.AsyncClient, path: str
) -> None:
    served = (await client.get("/fhir/metadata")).json()["rest"][0]["resource"]
    assert [one["type"] for one in served] == ["DiagnosticReport", "ServiceRequest"]
    tree = json.loads(REPORT)
    by_kind = {one["resource"]["resourceType"]: one["resource"] for one in tree["entry"]}
    order = by_kind["ServiceRequest"] | {
        "contained": [by_kind["Patient"] | {"id": "p"}],
        "subject": {"reference": "#p"},
        "requester": {"display": "Dr DUPONT"},
    }
    answer = await client.post(path, content=json.dumps(order), headers=FHIR)
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")
    (row,) = (await client.get("/api/orders")).json()["items"]
    assert row["placer"] == "984375862^1.2.250.1.748.12345678.12"
