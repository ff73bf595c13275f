"""`python -m tests.fuzz`: fuzz the targets for a while; exit 1 with the input that broke one.

With atheris (coverage-guided, libFuzzer) where it is installed, else with hypothesis. An execution that
takes longer than PATIENCE counts as a hang. What breaks a target is written to `var/fuzz/`.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

PATIENCE = 5.0
"""Seconds for one input of at most some 100 kB."""
ROUND = 2000
"""Inputs between two looks at the clock."""
KEPT = Path("var/fuzz")


class HangError(Exception):
    """One input took longer than PATIENCE."""


def main() -> int:
    options = _options()
    names = options.target or list(_names())
    share = options.seconds / len(names)
    failed = 0
    for name in names:
        if options.engine == "atheris":
            failed += _atheris_process(name, share)
        else:
            failed += not _hypothesis(name, share)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    engine = "atheris" if importlib.util.find_spec("atheris") else "hypothesis"
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="in all, shared by the targets")
    parser.add_argument("--target", action="append", choices=list(_names()))
    parser.add_argument("--engine", choices=["atheris", "hypothesis"], default=engine)
    return parser.parse_args()


def _names() -> tuple[str, ...]:
    return ("framer", "reader", "mapping", "answers", "several")


def _starts(name: str) -> list[bytes]:
    from tests.fuzz import corpus

    found = corpus.seeds()
    return [corpus.framed(one) for one in found] if name == "framer" else list(found)


def _guarded(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target with a limit on its time."""

    def hang(_: int, __: FrameType | None) -> None:
        raise HangError

    signal.signal(signal.SIGALRM, hang)

    def run(data: bytes) -> None:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            target(data)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return run


def _keep(name: str, data: bytes) -> Path:
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


# --- hypothesis


def _hypothesis(name: str, seconds: float) -> bool:
    """Whether the target held for so long."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.fuzz import corpus, targets

    starts, run = _starts(name), _guarded(targets.TARGETS[name])
    for start in starts:
        run(start)
    executed, started, number = len(starts), time.monotonic(), 0
    last = b""

    def execute(data: bytes) -> None:
        nonlocal executed, last
        executed, last = executed + 1, data
        run(data)

    while time.monotonic() - started < seconds:
        number += 1
        one_round = seed(number * os.getpid())(
            settings(
                max_examples=ROUND,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            )(given(corpus.inputs(starts))(execute))
        )
        try:
            one_round()
        except Exception as broken:  # whatever it is, it is what we look for
            print(f"{name}: {type(broken).__name__}: {broken}; input kept in {_keep(name, last)}")
            return False
    elapsed = time.monotonic() - started
    pace = f"{executed / elapsed:.0f} a second"
    print(f"{name}: {executed} inputs in {elapsed:.0f} s ({pace}), {len(starts)} seeds: held", flush=True)
    return True


# --- atheris


def _atheris_process(name: str, seconds: float) -> int:
    """libFuzzer ends its process, so each target has one of its own. 1 when the target broke."""
    from tests.fuzz import corpus

    KEPT.mkdir(parents=True, exist_ok=True)
    log = KEPT / f"{name}.log"
    with tempfile.TemporaryDirectory(prefix="gateway-fuzz-") as folder, log.open("wb") as told:
        starts, words = Path(folder) / "corpus", Path(folder) / "words"
        starts.mkdir()
        for number, start in enumerate(_starts(name)):
            (starts / f"seed-{number:03d}").write_bytes(start)
        words.write_text("".join(f'"{_escaped(token)}"\n' for token in corpus.TOKENS))
        command = [sys.executable, "-m", "tests.fuzz.coverage_guided", name, str(int(seconds)), starts, words]
        broken = subprocess.run(command, stdout=told, stderr=told, check=False).returncode != 0
    done = re.search(r"number_of_executed_units: (\d+)", log.read_text(errors="replace"))
    count = done[1] if done else "?"
    print(
        f"{name}: {count} inputs in {seconds:.0f} s: {f'broken, see {log}' if broken else 'held'}", flush=True
    )
    return int(broken)


def _escaped(token: bytes) -> str:
    """A word of a libFuzzer dictionary."""
    return "".join(f"\\x{byte:02X}" for byte in token)


if __name__ == "__main__":
    raise SystemExit(main())
