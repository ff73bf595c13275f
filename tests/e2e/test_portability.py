"""Export, wipe, import: the same list and hashes. Restore: checked. Who looks at contents is told."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Gateway
from tests.e2e.test_operation import MESSAGE, send, wait_for


def listed(gateway: Gateway) -> list[Any]:
    """Messages, deliveries and the hashes of every document."""
    queries = [gateway.rows("messages"), gateway.rows("deliveries")]
    evidence = gateway.folder / "proof.zip"
    evidence.unlink(missing_ok=True)
    assert gateway.run("evidence", "1", "--out", evidence).returncode == 0
    with zipfile.ZipFile(evidence) as archive:
        facts = json.loads(archive.read("evidence.json"))
    return [*queries, facts["versions"], facts["messages"]]


@pytest.mark.req("REQ-68", "REQ-69")
def test_export_wipe_import_gives_the_same_list_and_hashes(gateway: Gateway, tmp_path: Path) -> None:
    send(gateway)
    wait_for(gateway, "delivered")
    before = listed(gateway)
    out = tmp_path / "all.zip"
    done = gateway.run("export", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        (index,) = (name for name in names if name.endswith("index.json"))
        assert "279035121518989" in index
        folder = index.removesuffix("index.json")
        assert f"{folder}report-1/version-1/1-cda.xml" in names
        assert archive.read(f"{folder}report-1/version-1/2-pdf.pdf").startswith(b"%PDF-")
        traces = archive.read(f"{folder}traces.jsonl").decode().splitlines()
        assert {"at", "action", "actor", "result"} <= json.loads(traces[0]).keys()
        assert archive.read("messages/1/received") == MESSAGE.read_bytes().rstrip(b"\n")
    assert gateway.process is not None
    gateway.process.stop()
    refused = gateway.run("import", out)
    assert (refused.returncode, "exists" in refused.stderr) == (1, True)

    shutil.rmtree(tmp_path / "var")
    assert gateway.run("import", out).returncode == 0
    assert listed(gateway) == before
    assert gateway.run("doctor").returncode == 0
    gateway.serve()
    send(gateway)
    assert [row["state"] for row in gateway.rows("messages")] == ["duplicate", "accepted"]


def test_a_changed_export_is_refused_before_anything_is_written(gateway: Gateway, tmp_path: Path) -> None:
    send(gateway)
    out, changed = tmp_path / "all.zip", tmp_path / "changed.zip"
    assert gateway.run("export", "--out", out).returncode == 0
    with zipfile.ZipFile(out) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(b"PID", b"PIE") if name == "messages/1/received" else data)
    other = Gateway(tmp_path / "other")
    refused = other.run("import", changed)
    assert refused.returncode == 1
    assert "messages/1/received was changed" in refused.stderr
    assert not (other.folder / "var" / "gateway.db").exists()


@pytest.mark.req("REQ-78")
def test_a_backup_is_restored_checked_and_goes_on(gateway: Gateway, tmp_path: Path) -> None:
    gateway.run("pause", "folder")
    send(gateway)
    wait_for(gateway, "pending")
    copy = tmp_path / "copy"
    assert gateway.run("db", "backup", copy).returncode == 0
    served = gateway.run("db", "restore", copy)
    assert (served.returncode, "has a store" in served.stderr) == (1, True)
    assert gateway.process is not None
    gateway.process.kill()
    for path in (tmp_path / "var").glob("gateway.db*"):
        path.unlink()

    database = copy / "gateway.db"
    whole = database.read_bytes()
    damaged = whole.replace(b"taken", b"token")
    assert damaged != whole
    database.write_bytes(damaged)
    refused = gateway.run("db", "restore", copy)
    assert (refused.returncode, "audit row" in refused.stderr) == (1, True)
    assert not (tmp_path / "var" / "gateway.db").exists()

    database.write_bytes(whole)
    assert gateway.run("db", "restore", copy).returncode == 0
    gateway.serve()
    assert gateway.run("resume", "folder").returncode == 0
    wait_for(gateway, "delivered")
    assert gateway.run("doctor").returncode == 0


@pytest.mark.req("REQ-70")
def test_who_looks_at_contents_stands_in_the_audit_trail(gateway: Gateway, tmp_path: Path) -> None:
    send(gateway)
    wait_for(gateway, "delivered")
    token = (tmp_path / "var" / "admin-token").read_text().strip()
    head = {"Authorization": f"Bearer {token}", "X-Actor": "alice"}
    assert httpx.get(f"{gateway.http}/api/messages/1/raw", headers=head).status_code == 200
    assert gateway.run("message", "1", "--raw").returncode == 0
    assert gateway.run("evidence", "1", "--out", tmp_path / "proof.zip").returncode == 0
    assert gateway.run("export", "--out", tmp_path / "all.zip").returncode == 0
    assert httpx.get(f"{gateway.http}/api/export").status_code == 401
    answer = httpx.post(f"{gateway.http}/api/export", headers=head)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    (tmp_path / "all.zip").write_bytes(answer.content)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert {"SHA256SUMS", "export.json", "audit-key", "messages/1/received"} <= set(archive.namelist())
        rows = [json.loads(line) for line in archive.read("tables/audit.jsonl").decode().splitlines()]
    looks = [row for row in rows if row["action"] in ("read", "export")]
    assert [(row["action"], row["message_id"], row["report_id"], row["result"]) for row in looks] == [
        ("read", 1, None, "raw"),
        ("read", 1, None, "raw"),
        ("export", None, 1, "evidence"),
        ("export", None, None, "everything"),
        ("export", None, None, "everything"),
    ]
    assert [looks[0]["actor"], looks[-1]["actor"]] == ["token alice"] * 2
    trail = httpx.get(f"{gateway.http}/api/audit", params={"actor": "token alice"}, headers=head).json()
    assert [row["action"] for row in trail["items"]] == ["export", "read"]
    whose = gateway.rows("audit", "--patient", "279035121518989^1.2.250.1.213.1.4.10")
    assert [row["action"] for row in whose] == ["export", "attempt", "taken"]
    assert httpx.get(f"{gateway.http}/api/audit").status_code == 401


@pytest.mark.req("REQ-76")
def test_a_purge_needs_a_policy_and_an_export(gateway: Gateway, tmp_path: Path) -> None:
    send(gateway)
    wait_for(gateway, "delivered")
    refused = gateway.run("purge")
    assert (refused.returncode, "no retention policy" in refused.stderr) == (1, True)
    gateway.environment["GATEWAY_RETENTION__REPORTS"] = "1"
    assert gateway.run("purge", "--dry-run").stdout == "would go: 0 reports, 0 messages, 0 orders\n"
    assert gateway.run("db", "compact").returncode == 1, "it is served"
    assert gateway.process is not None
    gateway.process.stop()
    done = gateway.run("db", "compact")
    assert (done.returncode, gateway.run("db", "check").returncode) == (0, 0), done.stderr
