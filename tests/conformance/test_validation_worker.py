"""The long-lived worker and the pool of them give the verdicts of the process itself."""

from pathlib import Path

import pytest

from conformance.schematron.client import Pool, Worker, WorkerError
from conformance.validate import Validator
from conformance.verdict import Verdict
from gateway.model.base import replace
from tests.support import KIT, needs_kit

pytestmark = [pytest.mark.kit, needs_kit]
EXAMPLES = ("IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml", "IMG_CR_IMG_2024.01.xml")


def timeless(verdict: Verdict) -> Verdict:
    return replace(verdict, steps=tuple(replace(step, seconds=0.0) for step in verdict.steps))


def test_a_pool_judges_like_the_process_itself_and_keeps_the_order(tmp_path: Path) -> None:
    bad = tmp_path / "bad.xml"
    text = (KIT / "ExemplesCDA" / EXAMPLES[0]).read_text(encoding="utf-8")
    bad.write_text(text.replace("<setId", "<setid"), encoding="utf-8")
    files = (*(KIT / "ExemplesCDA" / name for name in EXAMPLES), bad)
    validator = Validator(KIT)
    expected = [timeless(validator.judge(str(file), file.read_bytes())) for file in files]
    with Pool(KIT) as pool:
        found = [timeless(verdict) for verdict in pool.judge_all(files)]
    assert found == expected
    assert [verdict.valid for verdict in found] == [True, True, False]


def test_a_worker_survives_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    worker = Worker(KIT)
    try:
        with pytest.raises(WorkerError, match="FileNotFoundError"):
            worker.judge(tmp_path / "none.xml")
        assert worker.judge(KIT / "ExemplesCDA" / EXAMPLES[0]).valid
    finally:
        worker.close()


def test_a_folder_that_is_no_kit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="not an official"):
        Worker(tmp_path)
