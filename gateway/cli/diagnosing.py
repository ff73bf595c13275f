"""`gateway doctor`: is this installation fit to run, and does its ledger add up?"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway import build
from gateway.cli.common import FAILED, emit, settings
from gateway.config import Environment

if TYPE_CHECKING:
    from gateway.config import Settings

CERTIFICATE_WARNING = timedelta(days=30)
DISK_WARNING = 2 * 1024**3


class Check(NamedTuple):
    """`verdict`: ok, warning or error; `text` says what was found and what to do."""

    subject: str
    verdict: str
    text: str


def doctor(as_json: bool, config: Path | None) -> None:
    """Print one line a check; exit 1 when one is an error."""
    current = settings(config)
    checks = tuple(_all(current))
    if as_json:
        emit(check._asdict() for check in checks)
    else:
        for check in checks:
            print(f"{check.verdict:8} {check.subject:15} {check.text}")
    if any(check.verdict == "error" for check in checks):
        raise SystemExit(FAILED)


def _all(current: "Settings") -> Iterator[Check]:
    yield Check("build", "ok", build())
    yield Check("environment", "ok", current.environment.value)
    yield from _sites(current)
    yield from _destinations(current)
    yield from _certificates(current)
    yield from _startable(current)
    yield from _disk(current)
    yield from _store(current)
    yield from _server(current)
    yield _validation(current)


def _validation(current: "Settings") -> Check:
    """Whether official rules judge what is sent; when they do, their child is really started once."""
    if current.validation.kit is None:
        text = "official rules are not run before sending, our own checks only: set validation.kit"
        return Check("validation", "warning", text)
    from gateway.connectors.validator import RulesValidator
    from gateway.ports import ValidatorUnavailableError

    validator = RulesValidator(current.validation)
    try:
        seconds = validator.start()
    except ValidatorUnavailableError as failed:
        text = f"official rules do not start, every delivery waits: {failed}"
        return Check("validation", "error", text)
    finally:
        validator.close()
    text = f"official rules of {current.validation.kit} before each delivery, loaded in {seconds:.0f} s"
    return Check("validation", "ok", text)


def _sites(current: "Settings") -> Iterator[Check]:
    from gateway.mapping import sites

    try:
        profiles = sites.load(current.sites_dir, default=current.site)
    except sites.SitesError as wrong:
        yield Check("sites", "error", str(wrong))
        return
    for profile in profiles.profiles.values():
        fictive = profile.site.fictive
        refused = fictive and current.environment is Environment.PRODUCTION
        text = f"profile {profile.site.name}" + (
            ": fictive values, write your own profile before production" if fictive else ""
        )
        yield Check("sites", "error" if refused else "warning" if fictive else "ok", text)


def _destinations(current: "Settings") -> Iterator[Check]:
    dmp = current.dmp
    if not dmp.url:
        yield Check("dmp", "ok", "off (dmp.url is not set)")
    elif dmp.registry:
        yield Check("dmp", "ok", f"sends to {dmp.url}, asks {dmp.registry}")
    else:
        text = f"sends to {dmp.url}; a replacement uses the entryUUID kept here: set dmp.registry_url"
        yield Check("dmp", "warning", text)
    mssante = current.mssante
    at = f"sends to {mssante.host}:{mssante.port}" if mssante.host else "off (mssante.host is not set)"
    yield Check("mssante", "ok", at)
    outbox = str(current.outbox) if current.folder_enabled else "off (folder.enabled is false)"
    yield Check("folder", "ok", outbox)


def _certificates(current: "Settings") -> Iterator[Check]:
    from gateway.service.watching import certificate_files, end

    now = datetime.now(UTC)
    for subject, path in certificate_files(current):
        ends = end(path)
        if ends is None:
            yield Check(subject, "error", f"certificate {path} cannot be read")
            continue
        verdict = "error" if ends < now else "warning" if ends - now < CERTIFICATE_WARNING else "ok"
        until = "ended on" if ends < now else "is valid until"
        yield Check(subject, verdict, f"certificate {path.name} {until} {ends:%Y-%m-%d}")


def _startable(current: "Settings") -> Iterator[Check]:
    """What `gateway serve` reads before it starts, and a reload before it takes it over."""
    from gateway.reload import StartError, prepare

    try:
        prepare(current)
    except StartError as wrong:
        yield Check("configuration", "error", f"`gateway serve` refuses it: {wrong}")


_UNREADY: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
    ("the store does not answer", lambda said: said["store"] != "up"),
    ("the disk is full, no message is taken", lambda said: bool(said["disk_full"])),
    ("what an earlier run left is being settled", lambda said: not said["recovered"]),
)


def _server(current: "Settings") -> Iterator[Check]:
    """What the gateway that serves this data folder says of itself, when one does."""
    from gateway.cli.operating import readiness

    said = readiness(current)
    if said is None:
        yield Check("server", "ok", f"none runs on {current.data_dir}")
        return
    why = [text for text, so in _UNREADY if so(said)]
    text = f"{said['status']}{': ' if why else ''}{', '.join(why)}"
    verdict = "ok" if said["status"] == "ready" else "error"
    yield Check("server", verdict, f"{text}; {said['alive']} of {said['workers']} workers alive")
    yield from _held(current, said)
    configuration = said["configuration"]
    if configuration["refused_at"]:
        text = (
            f"the one of {configuration['refused_at']} was refused (the log says why), "
            f"that of {configuration['loaded_at']} is in force"
        )
        yield Check("configuration", "error", text)
    if configuration["needs_restart"]:
        names = ", ".join(configuration["needs_restart"])
        yield Check("configuration", "warning", f"restart the server for {names}")


def _held(current: "Settings", said: dict[str, Any]) -> Iterator[Check]:
    """What waits behind destinations that do not simply work, since when and for how long."""
    from gateway.pipeline.watch import trouble
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreQueries

    try:
        queries = StoreQueries.open(current.database)
    except (SchemaError, StoreUnavailableError):
        return  # told as the store's fault
    try:
        queues = {name: (number, since) for name, number, since in queries.queues()}
    finally:
        queries.close()
    for name, state in sorted(said["destinations"].items()):
        down = said["circuits"].get(name)
        why = "paused: `gateway resume` lets it go" if down is None or state == "paused" else trouble(down)
        number, since = queues.get(name, (0, None))
        behind = f"{number} deliveries wait, the oldest for {_span(since)}" if since else "nothing waits"
        yield Check(name, "warning", f"{why}; {behind}")


def _span(since: datetime) -> str:
    """How long ago, in the largest unit that says enough at 3 a.m."""
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def _disk(current: "Settings") -> Iterator[Check]:
    folder = current.data_dir if current.data_dir.is_dir() else Path()
    free, least = disk_usage(folder).free, current.limits.min_free_bytes
    text = f"{free / 1024**3:.1f} GiB free for {current.data_dir}"
    if free < least:
        text += f", less than limits.min_free_bytes ({least} bytes): no message is taken"
    yield Check("disk", "error" if free < least else "warning" if free < DISK_WARNING else "ok", text)


def _node(node: dict[str, Any]) -> Check:
    """Of several gateways on one PostgreSQL."""
    seconds, what = node["seconds"], f"{node['host']} ({node['name'][:8]})"
    if seconds is None:
        return Check("node", "ok", f"{what} is stopped")
    if seconds < 0:
        return Check("node", "warning", f"{what} is silent since its lease ended {-seconds:.0f} s ago")
    return Check("node", "ok", f"{what} lives, {node['tasks']} tasks in hand")


def _store(current: "Settings") -> Iterator[Check]:
    from gateway.model.delivery import DeliveryState
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreQueries, exists

    if not exists(current.database):
        yield Check("store", "ok", f"none yet at {current.database}")
        return
    try:
        queries = StoreQueries.open(current.database)
    except (SchemaError, StoreUnavailableError) as wrong:
        yield Check("store", "error", str(wrong))
        return
    try:
        wrong_rows = queries.problems()
        for problem in wrong_rows:
            yield Check("store", "error", problem)
        for node in queries.nodes():
            yield _node(node)
        blocked = (one for one in queries.delivery_counts() if one[1] == DeliveryState.BLOCKED)
        waiting: Counter[str] = Counter()
        for _, state, count in (*queries.stuck(), *blocked):
            waiting[state] += count
        for state, count in waiting.items():
            yield Check("deliveries", "warning", f"{count} {state}: see `gateway deliveries --state {state}`")
        if not wrong_rows:
            text = "every accepted report has one row per destination, in one state; the audit chain is whole"
            yield Check("ledger", "ok", text)
    finally:
        queries.close()
