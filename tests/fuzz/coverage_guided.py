"""One target under atheris: `python -m tests.fuzz.coverage_guided TARGET SECONDS CORPUS WORDS`."""

import sys
from typing import Any

import atheris  # type: ignore[import-not-found, unused-ignore]  # optional: installed by who fuzzes with it

# The rooms under test count their branches; what they import from others does not.
with atheris.instrument_imports(include=["gateway.hl7v2", "gateway.mapping", "gateway.rules"]):
    from tests.fuzz import targets


def main() -> None:
    name, seconds, corpus, words = sys.argv[1:5]
    target: Any = targets.TARGETS[name]
    atheris.Setup(
        [
            sys.argv[0],
            corpus,
            f"-max_total_time={seconds}",
            f"-dict={words}",
            "-timeout=5",
            "-max_len=100000",
            f"-artifact_prefix=var/fuzz/{name}-",
            "-print_final_stats=1",
            "-verbosity=0",
        ],
        target,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
