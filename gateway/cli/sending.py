"""`gateway send`: an MLLP or FHIR client that prints what the other side answered."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from gateway.cli.common import FAILED, WRONG_USE, emit, fail, read_file, settings
from gateway.cli.sending_lines import HttpLine, Line, LineError, MllpLine, Reply, stored_token
from gateway.config import Settings, is_loopback
from gateway.connectors import tls
from gateway.hl7v2.er7 import PADDING
from gateway.pipeline.offline import InputKind, messages, recognise

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the first repetition, doubled for each further one."""
_SCHEMES = {"mllp": False, "mllps": True, "http": False, "https": True}
"""Scheme of --to → whether it is TLS."""


@dataclass(frozen=True, slots=True)
class Options:
    """As on the command line. `rate`: messages a second, 0 = as fast as they are answered."""

    to: str
    token: str = ""
    timeout: float = 30.0
    retries: int = 0
    rate: float = 0.0
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    as_json: bool = False
    config: Path | None = None


def send(paths: list[Path], options: Options) -> None:
    """Send every message of every file in order, folders in the order of names; exit 1 when one was not
    accepted, or not answered: then nothing more is sent."""
    target = _target(options)
    current = settings(options.config)
    files = _files(paths)
    try:
        refused = asyncio.run(_run(files, _line(target, options, current), target, options, current))
    except LineError as lost:
        fail(f"{options.to}: {lost}")
    if refused:
        raise SystemExit(FAILED)


def _target(options: Options) -> SplitResult:
    try:
        target = urlsplit(options.to)
        known = target.scheme in _SCHEMES and bool(target.hostname) and (target.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        fail(f"--to {options.to}: expected mllp[s]://HOST:PORT or http[s]://HOST:PORT/fhir", WRONG_USE)
    if not _SCHEMES[target.scheme] and (options.ca or options.certificate or options.key):
        fail(f"--ca, --cert and --key need {target.scheme}s:// in --to", WRONG_USE)
    return target


def _line(target: SplitResult, options: Options, current: Settings) -> Line:
    secured = None
    if _SCHEMES[target.scheme]:
        try:
            secured = tls.client_context(ca=options.ca, certificate=options.certificate, key=options.key)
        except tls.TlsSettingsError as wrong:
            fail(str(wrong), WRONG_USE)
    host = target.hostname or ""
    if target.scheme.startswith("mllp"):
        return MllpLine(host, target.port or 2575, timeout=options.timeout, tls=secured)
    # The token of this machine's gateway is for this machine alone.
    token = options.token or (stored_token(current.data_dir) if is_loopback(host) else "")
    return HttpLine(options.to, token=token, timeout=options.timeout, verify=secured)


# --- what is sent


def _files(paths: list[Path]) -> list[tuple[Path, bool]]:
    """(file, whether it was named itself), folders with all that lies below them."""
    found: list[tuple[Path, bool]] = []
    for path in paths:
        if path.is_dir():
            within = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
            if not within:
                fail(f"{path}: no files", WRONG_USE)
            found += ((one, False) for one in within)
        elif path.exists():
            found.append((path, True))
        else:
            fail(f"{path}: no such file", WRONG_USE)
    return found


def _payloads(file: Path, named: bool, target: SplitResult, limit: int) -> tuple[bytes, ...]:
    """The messages of a file; () for what lies in a folder and is not for this receiver."""
    data = read_file(file, limit)
    is_fhir = recognise(data) is InputKind.FHIR
    if target.scheme.startswith("http"):
        return (data,) if named or is_fhir else ()
    if is_fhir:
        if named:
            fail(f"{file}: FHIR goes to http(s)://HOST:PORT/fhir", WRONG_USE)
        return ()
    found = messages(data)
    return found if named or any(one.lstrip(PADDING).startswith(b"MSH") for one in found) else ()


# --- sending


async def _run(
    files: list[tuple[Path, bool]], line: Line, target: SplitResult, options: Options, current: Settings
) -> int:
    """How many were not accepted."""
    tally: Counter[str] = Counter()
    left_out: list[str] = []
    refused, started = 0, time.monotonic()
    with _progress(len(files), options.as_json) as (say, advance):
        try:
            for file, named in files:
                payloads = _payloads(file, named, target, current.limits.max_bytes)
                if not payloads:
                    left_out.append(file.name)
                for payload in payloads:
                    await _pace(started, sum(tally.values()), options.rate)
                    reply = await _persist(line, payload, options.retries)
                    tally[reply.verdict] += 1
                    refused += not reply.accepted
                    _show(file, reply, options.as_json, say)
                advance()
        finally:
            await line.close()
    if left_out:
        names = ", ".join(left_out[:5]) + (", …" if len(left_out) > 5 else "")
        print(f"gateway: {len(left_out)} left out, no message for this receiver: {names}", file=sys.stderr)
    if sum(tally.values()) > 1 and not options.as_json:
        counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(tally.items()))
        print(f"{sum(tally.values())} sent: {counted} in {time.monotonic() - started:.1f} s")
    return refused


async def _pace(started: float, sent: int, rate: float) -> None:
    """Wait until the next message is due."""
    if rate > 0:
        await asyncio.sleep(max(0.0, started + sent / rate - time.monotonic()))


async def _persist(line: Line, payload: bytes, retries: int) -> Reply:
    """The reply, after up to `retries` repetitions of what may be repeated. Raises LineError."""
    for attempt in range(retries + 1):
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
        try:
            reply = await line.send(payload)
        except LineError:
            if attempt == retries:
                raise
        else:
            if not reply.again or attempt == retries:
                return reply
            pause = max(pause, reply.retry_after)
        await asyncio.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


# --- showing


@contextmanager
def _progress(total: int, as_json: bool) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """(print a line, count a file): with a bar for several files on a terminal."""
    if total < 2 or as_json or not sys.stdout.isatty():
        yield print, lambda: None
        return
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("sending", total=total)

        def say(text: str) -> None:
            bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield say, lambda: bar.advance(task)


def _show(file: Path, reply: Reply, as_json: bool, say: Callable[[str], None]) -> None:
    if as_json:
        emit([{"file": str(file), **reply.row, "seconds": round(reply.seconds, 4)}])
        return
    head = " ".join(part for part in (reply.verdict, reply.summary) if part)
    say(f"{file.name}: {head} ({reply.seconds * 1000:.0f} ms)")
    for line in reply.lines:
        say(f"  {line}")
