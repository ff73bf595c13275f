"""How often a second one core does each step of a report, beside another way or the part nobody can save."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from lxml import etree

from bench.load import messages
from bench.peers import peers, whole
from conformance.pki import make
from gateway import hl7v2, pdf
from gateway.cda.builder import build_n1
from gateway.dmp import claims_for, provide
from gateway.mapping import hl7 as hl7_mapping
from gateway.mapping import sites
from gateway.model.canonical import canonical
from gateway.model.decision import Decision
from gateway.model.delivery import Destination
from gateway.rules.decide import decide
from gateway.security import Cachet, vihf
from tests.reports import VERSION
from tests.unit.dmp_jobs import URL, job


@dataclass(frozen=True)
class Step:
    """`work` is ours; `floor` the library call or bare operation that it cannot do without."""

    title: str
    work: Callable[[], object]
    floor_title: str
    floor: Callable[[], object]


def steps() -> Iterator[Step]:
    now, numbers = datetime.now(UTC), count()
    frame = next(messages("micro"))[1:-2]
    yield Step(
        "HL7 v2 message read (2 kB)",
        lambda: hl7v2.read(frame),
        "split into segments and fields",
        lambda: [line.split(b"|") for line in frame.split(b"\r")],
    )
    for name, reading in peers(frame):
        yield Step("HL7 v2 message read, all components", lambda: whole(frame), name, reading)
    known = sites.load()
    yield Step(
        "HL7 v2 message read and mapped",
        lambda: hl7_mapping.reports(message := hl7v2.read(frame), known.match(message)),
        "read alone",
        lambda: hl7v2.read(frame),
    )
    yield Step(
        "HL7 v2 read, mapped, decided",
        lambda: _decided(frame, known),
        "read alone",
        lambda: hl7v2.read(frame),
    )
    letter = pdf.letter(VERSION)
    typeset = pdf.typeset(letter, now)
    yield Step("PDF/A typeset", lambda: pdf.typeset(letter, now), "letter alone", lambda: pdf.letter(VERSION))
    small = build_n1(VERSION, b"%PDF-1.4").data
    yield Step(
        "CDA N1 built, without PDF",
        lambda: build_n1(VERSION, b"%PDF-1.4"),
        "lxml parse and write of it",
        lambda: etree.tostring(etree.fromstring(small)),
    )
    yield Step(
        f"CDA N1 built, PDF of {len(typeset) // 1024} kB",
        lambda: build_n1(VERSION, typeset),
        "CDA N1 without PDF",
        lambda: build_n1(VERSION, b"%PDF-1.4"),
    )
    with tempfile.TemporaryDirectory() as folder:
        cachet = _cachet(Path(folder))
    claims, delivery = claims_for(job()), job()
    yield Step(
        "VIHF built and signed",
        lambda: vihf(claims, cachet, assertion_id=f"_{next(numbers)}", now=now),
        "RSA-SHA256 alone (2048 bits)",
        lambda: cachet.sign(b"x" * 1000),
    )
    yield Step(
        "DMP request (metadata, VIHF, MTOM)",
        lambda: provide(
            delivery,
            cachet=cachet,
            url=URL,
            message_id=f"urn:uuid:{next(numbers)}",
            assertion_id=f"_{next(numbers)}",
            now=now,
        ),
        "VIHF built and signed",
        lambda: vihf(claims, cachet, assertion_id=f"_{next(numbers)}", now=now),
    )


def _decided(frame: bytes, known: sites.Sites) -> Decision:
    message = hl7v2.read(frame)
    profile = known.match(message)
    (mapped,) = hl7_mapping.reports(message, profile)
    assert mapped.report is not None
    return decide(
        mapped,
        None,
        site=profile.site,
        environment="test",
        enabled=frozenset({Destination.FOLDER}),
        content_hash=canonical(mapped).content_hash,
    )


def _cachet(folder: Path) -> Cachet:
    files = make(folder).cachet
    return Cachet.load(files.certificate.read_bytes(), files.key.read_bytes())


def rate(work: Callable[[], object], seconds: float) -> float:
    """Calls a second: the best of three rounds, which a busy neighbour disturbs least."""
    work()
    best = 0.0
    for _ in range(3):
        done, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds / 3:
            work()
            done += 1
        best = max(best, done / spent)
    return best


def run(*, seconds: float) -> None:
    print(f"{'one core':38}{'per s':>9}{'ms':>8}{'ratio':>8}  of")
    for step in steps():
        ours, floor = rate(step.work, seconds), rate(step.floor, seconds)
        print(f"{step.title:38}{ours:9.0f}{1000 / ours:8.2f}{ours / floor:8.2f}  {step.floor_title}")
