"""CDA documents built, and judged by the official rules, a second on one core.

The plain run of the same rules tries every node against every rule and reads value sets anew in each run, as
the official chain does; `a process each` is one `conformance validate` a document.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from conformance.schematron import compiler
from conformance.schematron.contexts import ANY_NODE
from conformance.schematron.engine import Engine
from conformance.schematron.official import Official
from conformance.xml import parse
from gateway import pdf
from gateway.cda import build_n1, build_n3, check, check_built
from gateway.model.base import replace
from tests.n3_cases import FULL
from tests.reports import VERSION
from tests.support import KIT


def run(*, seconds: float) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    page = pdf.typeset(pdf.letter(VERSION), now)
    n1, n3 = build_n1(VERSION, page).data, build_n3(FULL, page).data
    print(f"{'one core':44}{'per s':>9}")
    _line("N1 built, PDF given", _cpu(lambda: build_n1(VERSION, page), seconds))
    _line("N1 built and checked", _cpu(lambda: check_built(build_n1(VERSION, page)), seconds))
    _line("N1 received and checked", _cpu(lambda: check(n1), seconds))
    _line("N3 built (everything filled), PDF given", _cpu(lambda: build_n3(FULL, page), seconds))
    _line("N3 built and checked", _cpu(lambda: check_built(build_n3(FULL, page)), seconds))
    _line("N3 received and checked", _cpu(lambda: check(n3), seconds))

    numbers = count()

    def n1_with_its_page() -> object:
        """Each a report of its own: typst keeps what it has set before."""
        title = f"{VERSION.report.title} {next(numbers)}"
        version = replace(VERSION, report=replace(VERSION.report, title=title))
        return build_n1(version, pdf.typeset(pdf.letter(version), now))

    _line("N1 with its PDF typeset", _cpu(n1_with_its_page, seconds))
    if not KIT.is_dir():
        print("validation: no official kit (set SHARED)")
        return
    _validation({"N1": n1, "N3": n3}, seconds)


def _validation(documents: dict[str, bytes], seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain = _plain(Path(folder))
        warm = Official(KIT)
        warm.warm()
        for name, data in documents.items():
            root = parse(data)
            assert not [one for one in warm.judge(root)[1] if one.severity == "error"]
            quick = _cpu(lambda root=root: warm.judge(root), seconds)
            slow = _cpu(lambda root=root: plain.judge(root), seconds)
            file = Path(folder) / f"{name}.xml"
            file.write_bytes(data)
            single = _single(file)
            _line(f"{name} judged, warm", quick)
            print(f"{'  × a plain run of the same rules':44}{quick / slow:9.1f}  ({slow:.2f} a second)")
            print(f"{'  × a process each':44}{quick / single:9.1f}  ({single:.2f} a second)")


def _plain(folder: Path) -> Official:
    """An engine with neither the choice of nodes nor kept documents; its compiled rules stand apart."""

    class Forgetful(Engine):
        def _keep(self, executable: Any) -> None:  # a PyXsltExecutable
            executable.clear_xsl_messages()

    official = Official(KIT, folder)
    official._engine = Forgetful(folder)
    with mock.patch.object(compiler, "candidates", lambda contexts: ANY_NODE):
        official.warm()
    return official


def _cpu(work: Callable[[], object], seconds: float) -> float:
    """Calls a second of this process's own time, which neighbours disturb least."""
    work()
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        work()
        done += 1
    return done / spent


def _single(file: Path) -> float:
    command = [sys.executable, "-m", "conformance", "validate", str(file), "--kit", str(KIT)]
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return 1 / (after.children_user + after.children_system - before.children_user - before.children_system)


def _line(title: str, figure: float) -> None:
    print(f"{title:44}{figure:9.1f}")
