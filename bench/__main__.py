"""`python -m bench [intake|micro|stages|store|documents]`: figures as ratios, never asserted."""

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=("all", "intake", "micro", "stages", "store", "documents"), default="all"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load (intake)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second of the steady load")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the databases lie (the disk that is measured)")
    given = parser.parse_args()
    if given.what in ("all", "micro"):
        from bench import micro

        micro.run(seconds=min(given.seconds, 3.0))
    if given.what in ("all", "stages"):
        from bench import stages

        stages.run(seconds=min(given.seconds, 5.0), folder=given.folder)
    if given.what in ("all", "store"):
        from bench import store

        store.run(seconds=min(given.seconds, 5.0), connections=given.connections, folder=given.folder)
    if given.what in ("all", "documents"):
        from bench import documents

        documents.run(seconds=min(given.seconds, 3.0))
    if given.what in ("all", "intake"):
        from bench import intake

        intake.run(
            seconds=given.seconds,
            connections=given.connections,
            rate=given.rate,
            workers=given.workers,
            folder=given.folder,
        )


if __name__ == "__main__":
    main()
