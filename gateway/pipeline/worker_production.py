"""A worker makes the documents of a version, has them judged, and puts them where they are found again."""

import logging

from gateway.model.base import replace
from gateway.pipeline import validation
from gateway.pipeline.production import ProductionError
from gateway.pipeline.wire import Report
from gateway.pipeline.worker_bench import LARGE, Bench, ClosingError, LargeError, explain
from gateway.ports import Produced, StoreUnavailableError, Task, ValidatorUnavailableError
from gateway.telemetry import correlation

log = logging.getLogger(__name__)


class Production:
    """Of one worker."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def produce(self, task: Task, alone: bool) -> Report:
        """The report of one version. Raises LargeError unless `alone`."""

        def work() -> Produced:
            self._bench.journal.working(task)
            parts = self._bench.parts
            version, blobs = parts.reader.version(task.id)
            if not alone and sum(len(blob.data) for blob in blobs) > LARGE:
                raise LargeError
            with correlation(version.context.control_id):
                documents = parts.produce(version, blobs)
            parts.reader.produced(version, documents)
            return Produced(version_id=task.id, documents=documents)

        try:
            # What is made leaves first: else a burst is made before the first of it is delivered.
            produced = await self._judged(await self._bench.on_cpu(work, last=True))
        except LargeError:
            raise
        except (ClosingError, StoreUnavailableError, ValidatorUnavailableError):
            return Report(returned=(task,))
        except ProductionError as refused:
            code = validation.reason(refused.findings)
            produced = Produced(
                version_id=task.id, documents=refused.documents, blocked=code, findings=refused.findings
            )
        except Exception as error:
            code, detail = explain(error, "production", task)
            produced = Produced(version_id=task.id, problem=f"{code}: {detail}" if detail else code)
        return await self._reported(replace(produced, lease=task.lease), task)

    async def _reported(self, produced: Produced, task: Task) -> Report:
        if not self._bench.spool.wanted(produced):
            return Report(produced=(produced,))
        try:
            return Report(produced=(await self._bench.on_cpu(lambda: self._bench.spool.put(produced)),))
        except ClosingError:
            return Report(returned=(task,))
        except OSError as fault:
            log.warning("documents not handed over", extra={"fault": type(fault).__name__})
            return Report(returned=(task,))

    async def _judged(self, made: Produced) -> Produced:
        """The same with the verdict of the official rules, where they are on."""
        validator = self._bench.parts.validator
        if validator is None:
            return made
        return await self._bench.judging(
            lambda: validation.judged(made.version_id, made.documents, validator)
        )
