"""One stage a test: gateway and simulated peers as processes, impatient so that faults show quickly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.demo.stage import Stage


class ImpatientStage(Stage):
    """Short timeouts, short pauses of the circuit."""

    def serve(self, **environment: str) -> None:
        super().serve(
            **{
                "GATEWAY_DMP__TIMEOUT": "2",
                "GATEWAY_MSSANTE__TIMEOUT": "2",
                "GATEWAY_RETRY__LONGEST": "1",
                "GATEWAY_DESTINATIONS": (
                    '{"dmp": {"breaker_pause": 0.5, "breaker_longest": 1},'
                    ' "mssante-ps": {"breaker_pause": 0.5, "breaker_longest": 1},'
                    ' "mssante-patient": {"breaker_pause": 0.5, "breaker_longest": 1}}'
                ),
                **environment,
            }
        )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    one = ImpatientStage(tmp_path / "stage")
    one.start()
    yield one
    one.stop()
