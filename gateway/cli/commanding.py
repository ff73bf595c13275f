"""`gateway announce | mask | withdraw`: through the running server, else in the store."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from gateway.cli.common import settings
from gateway.cli.operating import Change, Outcome, apply, me

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.model.command import Verb
    from gateway.store import Store


def announce(reports: Iterable[int], mail: bool, as_json: bool, config: Path | None) -> None:
    """Make each report visible to its patient; `mail`: and mail it."""
    from gateway.model.command import Verb

    _command("announce", Verb.ANNOUNCE, reports, {"mail": mail}, as_json, config)


def mask(reports: Iterable[int], flag: str, off: bool, as_json: bool, config: Path | None) -> None:
    """Put each report under the mask `flag`; `off`: take it away."""
    from gateway.model.command import Verb

    _command("mask", Verb.UNMASK if off else Verb.MASK, reports, {"flag": flag}, as_json, config)


def withdraw(reports: Iterable[int], as_json: bool, config: Path | None) -> None:
    """Take each report back, wherever it went."""
    from gateway.model.command import Verb

    _command("withdraw", Verb.WITHDRAW, reports, {}, as_json, config)


def _command(
    path: str, verb: "Verb", reports: Iterable[int], more: dict[str, Any], as_json: bool, config: Path | None
) -> None:
    current = settings(config)
    asked = urlencode(more | ({"off": verb == "unmask"} if path == "mask" else {}))
    targets = {
        str(one): (f"/api/reports/{one}/{path}?{asked}", _change(current, verb, one, more)) for one in reports
    }
    apply(verb.value, current, targets, as_json)


def _change(current: "Settings", verb: "Verb", report: int, more: dict[str, Any]) -> Change:
    async def change(store: "Store") -> Outcome:
        import json

        from gateway.model.command import Command
        from gateway.pipeline.intake import Intake
        from gateway.reload import StartError, load_profiles
        from gateway.service.parts import enabled
        from gateway.store import StoreQueries, SystemClock

        queries = StoreQueries.open(current.database)
        try:
            row = queries.report(str(report))
        finally:
            queries.close()
        if row is None:
            return False, f"no report {report}"
        try:
            profiles = load_profiles(current)
        except StartError as wrong:
            return False, str(wrong)
        intake = Intake(
            store, profiles, SystemClock(), environment=current.environment, enabled=enabled(current)
        )
        command = Command(
            verb=verb, report_id=report, site=row["site"], set_key=row["set_key"], actor=me(), **more
        )
        answer = await intake.command(command)
        return answer.status == 200, json.loads(answer.body)["detail"]

    return change
