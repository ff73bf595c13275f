"""`python -m bench [WHAT]`: figures, as ratios where there is something to compare with; never asserted."""

import argparse
import os
from pathlib import Path

QUICK = ("micro", "stages", "store", "documents", "intake", "claim", "reports")
"""What `all` runs; `memory` sends 100 000 messages, `days` takes a quarter of an hour."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", *QUICK, "memory", "days"), default="all")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load (intake)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second of the steady load")
    parser.add_argument("--workers", type=int, help="of the gateway; default 1, for reports one a core")
    parser.add_argument("--level", choices=("n1", "n3"), default="n1", help="body of the CDA (reports)")
    parser.add_argument("--mails", type=int, choices=(1, 2), default=1, help="mails of a report (reports)")
    parser.add_argument("--number", type=int, help="most messages (memory, claim), or how many (reports)")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=mllp://HOST:PORT", help="another engine (intake)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the full length (days)")
    parser.add_argument("--folder", type=Path, help="where the databases lie (the disk that is measured)")
    given = parser.parse_args()
    for what in QUICK if given.what == "all" else (given.what,):
        _run(what, given)


def _run(what: str, given: argparse.Namespace) -> None:
    print(f"--- {what}")
    match what:
        case "micro":
            from bench import micro

            micro.run(seconds=min(given.seconds, 3.0))
        case "stages":
            from bench import stages, worker_stages

            stages.run(seconds=min(given.seconds, 5.0), folder=given.folder)
            worker_stages.run(seconds=min(given.seconds, 5.0), folder=given.folder)
        case "store":
            from bench import store

            store.run(seconds=min(given.seconds, 5.0), connections=given.connections, folder=given.folder)
        case "documents":
            from bench import documents

            documents.run(seconds=min(given.seconds, 3.0))
        case "intake":
            from bench import intake

            intake.run(
                seconds=given.seconds,
                connections=given.connections,
                rate=given.rate,
                workers=given.workers or 1,
                peers=dict(one.split("=", 1) for one in given.peer),
                folder=given.folder,
            )
        case "memory":
            from bench import memory

            memory.run(most=given.number or 100_000, connections=given.connections, folder=given.folder)
        case "days":
            from bench import days

            days.run(workers=given.workers or 1, share=given.share, folder=given.folder)
        case "claim":
            from bench import claim

            claim.run(most=given.number or 1_000_000, folder=given.folder)
        case "reports":
            from bench import end_to_end

            end_to_end.run(
                number=given.number or 500,
                workers=given.workers or os.cpu_count() or 1,
                connections=given.connections,
                level=given.level,
                mails=given.mails,
                folder=given.folder,
            )


if __name__ == "__main__":
    main()
