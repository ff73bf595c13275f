"""`gateway retry | release | cancel | pause | resume`: through the running server, else in the store."""

import asyncio
import getpass
import os
import ssl
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.common import FAILED, emit, fail, settings

if TYPE_CHECKING:
    import httpx

    from gateway.config import Settings
    from gateway.store import Store

Outcome = tuple[bool, str]
"""(done, state after, or why not)."""
Change = Callable[["Store"], Coroutine[Any, Any, Outcome]]


def deliveries(verb: str, identifiers: Iterable[int], as_json: bool, config: Path | None) -> None:
    """Apply `verb` to each delivery; exit 1 when one of them did not take it."""
    current = settings(config)
    targets = {
        str(one): (f"/api/deliveries/{one}/{verb}", _delivery_change(verb, one)) for one in identifiers
    }
    apply(verb, current, targets, as_json)


def destinations(verb: str, names: Iterable[str], as_json: bool, config: Path | None) -> None:
    """Pause or resume destinations."""
    from gateway.model.delivery import Destination

    current, wanted = settings(config), tuple(names)
    for name in wanted:
        if name not in set(Destination):
            fail(f"no destination {name}: {', '.join(Destination)}", 2)
    targets = {name: (f"/api/destinations/{name}/{verb}", _destination_change(verb, name)) for name in wanted}
    apply(verb, current, targets, as_json)


def purge(dry_run: bool, exported: bool, as_json: bool, config: Path | None) -> None:
    """Apply the retention policy, or say what it would let go."""
    from gateway.store.moments import to_micros
    from gateway.store.place import reading
    from gateway.store.purge import due, limits
    from gateway.store.store import SystemClock

    current = settings(config)
    policy = current.retention
    if not any(policy.days.values()):
        fail("no retention policy: set retention.reports, messages or orders (days)")
    if dry_run:
        session = reading(current.database)
        now = to_micros(SystemClock().now())
        found = due(session, limits(session, policy, now, exported=exported))
        session.close()
        emit([found._asdict()]) if as_json else print(f"would go: {found}")
        return

    async def change(store: "Store") -> Outcome:
        return True, str(await store.purge(policy, actor=me(), exported=exported))

    path = f"/api/purge?exported={'true' if exported else 'false'}"
    apply("purge", current, {"purged": (path, change)}, as_json)


def note(current: "Settings", action: str, **about: Any) -> None:
    """Tell the audit trail that somebody looks: `action` read or export; `about`: message_id, report_id,
    result. Ends the command when it cannot be told."""

    async def change(store: "Store") -> Outcome:
        await store.note(action, actor=me(), **about)
        return True, "told"

    query = "&".join(f"{name}={value}" for name, value in about.items())
    (done, text) = asyncio.run(_run(current, {action: (f"/api/audit/{action}?{query}", change)}))[action]
    if not done:
        fail(f"not told to the audit trail: {text}")


def apply(verb: str, current: "Settings", targets: dict[str, tuple[str, Change]], as_json: bool) -> None:
    from gateway.store import exists

    if not exists(current.database):
        fail(f"no store at {current.database}: start `gateway serve` first, or set GATEWAY_DATA_DIR")
    results = asyncio.run(_run(current, targets))
    for name, (done, text) in results.items():
        if as_json:
            emit([{"target": name, "verb": verb, "done": done, "result": text}])
        else:
            print(f"{name}: {text}")
    if not all(done for done, _ in results.values()):
        raise SystemExit(FAILED)


async def _run(current: "Settings", targets: dict[str, tuple[str, Change]]) -> dict[str, Outcome]:
    """Through the server that holds the folder; where none does, under the folder's lock. A PostgreSQL takes
    the change from anywhere: it knows what every node has in hand."""
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreLockedError, open_store

    try:
        store = open_store(current.database, current.data_dir, serving=False, retry=current.retry)
    except StoreLockedError:
        return _ask(current, {name: path for name, (path, _) in targets.items()})
    except (SchemaError, StoreUnavailableError) as wrong:
        fail(str(wrong))
    try:
        if not isinstance(current.database, str):
            await _recover(store, current)
        return {name: await change(store) for name, (_, change) in targets.items()}
    finally:
        await store.close()


async def _recover(store: "Store", current: "Settings") -> None:
    """What a killed server was sending counts first: else it would be given up, or sent twice."""
    from gateway.pipeline import journal

    for path in journal.all_in(current.data_dir / "journal"):
        if journal.alive(path):
            fail("a worker of the last run is still sending: try again in a moment")
        await store.settle(journal.recover(path).settlements)
        journal.forget(path)


def _ask(current: "Settings", paths: dict[str, str]) -> dict[str, Outcome]:
    """One after the other over one connection: after an outage they are hundreds."""
    import httpx

    base = _address(current)
    certificate = current.http.tls_certificate
    try:
        token = (current.data_dir / "admin-token").read_text().strip()
        with httpx.Client(
            headers={"Authorization": f"Bearer {token}", "X-Actor": _user()},
            verify=_own(certificate) if certificate else True,
        ) as client:
            return {
                name: _outcome(
                    client.post(base + path, timeout=3600 if path.startswith("/api/purge") else 30)
                )
                for name, path in paths.items()
            }
    except (httpx.HTTPError, OSError) as wrong:
        fail(f"the gateway that serves {current.data_dir} does not answer at {base}: {wrong}")


def _outcome(answer: "httpx.Response") -> Outcome:
    body = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else {}
    if answer.is_success:
        return True, str(
            body.get("detail") or body.get("state") or ("paused" if body.get("paused") else "working")
        )
    return False, str(body.get("detail") or f"HTTP {answer.status_code}")


def readiness(current: "Settings") -> dict[str, Any] | None:
    """`/readyz` of the server of this data folder; None when none answers there."""
    import httpx

    certificate = current.http.tls_certificate
    if not _written(current).is_file():
        return None  # nobody served it yet: who answers at the address of the settings serves another folder
    try:
        answer = httpx.get(
            f"{_address(current)}/readyz", verify=_own(certificate) if certificate else True, timeout=5
        )
        said = answer.json()
    except (httpx.HTTPError, OSError, ValueError):
        return None
    return said if isinstance(said, dict) and "configuration" in said else None


def _written(current: "Settings") -> Path:
    """Where a server writes its address when it is ready."""
    return current.data_dir / "http-address"


def _address(current: "Settings") -> str:
    """Where the server of this data folder answers: as it wrote itself, else by the settings."""
    address = _written(current)
    if address.is_file() and (base := address.read_text().strip()):
        return base
    scheme = "https" if current.http.tls_certificate else "http"
    from gateway.config import at

    return f"{scheme}://{at(current.http.host, current.http.port)}"


def _own(certificate: Path) -> ssl.SSLContext:
    """Trusts the server's own certificate and nothing else; the name may be another than the address."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _delivery_change(verb: str, identifier: int) -> Change:
    async def change(store: "Store") -> Outcome:
        from gateway.model.delivery import IllegalTransitionError
        from gateway.web.operating import explain

        try:
            return True, (await getattr(store, verb)(identifier, actor=me())).value
        except LookupError:
            return False, f"no delivery {identifier}"
        except IllegalTransitionError as illegal:
            return False, explain(identifier, verb, illegal)

    return change


def _destination_change(verb: str, name: str) -> Change:
    async def change(store: "Store") -> Outcome:
        from gateway.model.delivery import Destination

        await getattr(store, verb)(Destination(name), actor=me())
        return True, "paused" if verb == "pause" else "working"

    return change


def me() -> str:
    """Actor of what is done on this machine."""
    return f"cli {_user()}"


def _user() -> str:
    """By name; in a container the user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
