"""`gateway sites check` and `gateway sites try`: profiles are proven before they are used."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gateway.cli.common import (
    FAILED,
    WRONG_USE,
    emit,
    fail,
    finding_row,
    messages,
    print_findings,
    profiles,
    settings,
)
from gateway.mapping import sites as site_profiles
from gateway.mapping.sites import Profile, Sites, SitesError
from gateway.pipeline import offline
from gateway.pipeline.trial import Trial, compare

if TYPE_CHECKING:
    from gateway.config import Settings

SHOWN = 3
"""Values of a new object (a person, a structure) that are shown one by one."""


def check(folder: Path | None, as_json: bool, config: Path | None) -> None:
    """Every profile with whom it claims, or every fault with file and line and exit 1."""
    current = settings(config)
    try:
        found = site_profiles.load(folder or current.sites_dir, default=current.site)
    except SitesError as wrong:
        for problem in wrong.problems:
            if as_json:
                emit([problem._asdict()])
            else:
                print(problem)
        raise SystemExit(FAILED) from None
    for profile in found.profiles.values():
        if as_json:
            emit([_row(profile)])
        else:
            print(f"{profile.name}: {_claims(profile)}{'; fictive values' if profile.site.fictive else ''}")
    for first, second in _rivals(found):
        print(f"warning: {first} and {second} claim the same senders; {first} takes them")


def _row(profile: Profile) -> dict[str, object]:
    return {
        "name": profile.name,
        "fictive": profile.site.fictive,
        "sending_application": sorted(profile.applications),
        "sending_facility": sorted(profile.facilities),
    }


def _claims(profile: Profile) -> str:
    named = (("MSH-3", profile.applications), ("MSH-4", profile.facilities))
    said = " and ".join(f"{field} {' or '.join(sorted(values))}" for field, values in named if values)
    return f"claims {said}" if said else "claims no sender by itself"


def _rivals(found: Sites) -> Iterator[tuple[str, str]]:
    """Pairs of profiles that claim one sender equally strongly."""
    claiming = [one for one in found.profiles.values() if one.applications or one.facilities]
    for place, first in enumerate(claiming):
        for second in claiming[place + 1 :]:
            if all(
                bool(mine) == bool(theirs) and (not mine or mine & theirs)
                for mine, theirs in (
                    (first.applications, second.applications),
                    (first.facilities, second.facilities),
                )
            ):
                yield first.name, second.name


def try_profile(
    files: list[Path], site: str, against: str, folder: Path | None, as_json: bool, config: Path | None
) -> None:
    """Read each file with the profile `site`, beside `against` or the profile that takes it today.

    Exit 1 when one would be refused under the tried profile.
    """
    current = settings(config)
    found = profiles(current, folder)
    for name in (site, against):
        if name and name not in found.profiles:
            fail(f"{name}: no such profile; there are {', '.join(found.profiles)}", WRONG_USE)
    refused = False
    for message, data in messages(files, current.limits.max_bytes):
        for trial in _trials(data, message, found, site, against, current):
            refused = refused or trial.verdict == "reject"
            if as_json:
                emit([_trial_row(message, trial)])
            else:
                _show(message, trial)
    if refused:
        raise SystemExit(FAILED)


def _trials(
    data: bytes, name: str, found: Sites, site: str, against: str, current: "Settings"
) -> tuple[Trial, ...]:
    now = datetime.now(UTC)
    today = Sites(
        {one.name: one for one in found.profiles.values() if against or one.name != site}, found.default
    )
    try:
        before = offline.judge(data, today, site=against, environment=current.environment, now=now)
        after = offline.judge(data, found, site=site, environment=current.environment, now=now)
    except offline.UnreadableError as unreadable:
        print(f"{name}: cannot be read")
        print_findings(unreadable.findings)
        raise SystemExit(FAILED) from None
    return compare(before, after)


def _trial_row(file: str, trial: Trial) -> dict[str, object]:
    return {
        "file": file,
        "verdict_before": trial.verdict_before.value,
        "verdict": trial.verdict.value,
        "findings": [finding_row(one) for one in trial.findings],
        "gone": [finding_row(one) for one in trial.gone],
        "new": [finding_row(one) for one in trial.new],
        "differences": msgspec.to_builtins(trial.differences),
    }


def _show(file: str, trial: Trial) -> None:
    print(f"{file}: {trial.verdict} (before: {trial.verdict_before})")
    print_findings(trial.findings)
    for found in trial.gone:
        print(f"  gone    {found.code} {found.location}")
    if not trial.comparable:
        print(
            "  no report before, or none now: nothing to compare (`gateway convert --to canonical` shows one)"
        )
        return
    for owner, group in groupby(trial.differences, key=lambda one: one.path.partition(".")[0]):
        changed = list(group)
        new = [one for one in changed if not one.before]
        folded = new[SHOWN:] if len(new) > SHOWN + 1 else []
        for one in changed:
            if one not in folded:
                print(f"  {one.path}: {_one_line(one.before)} -> {_one_line(one.after)}")
        if folded:
            print(f"  {owner}: {len(folded)} more values that were not there before (--json lists them)")
    if not trial.differences:
        print("  the canonical report is the same")


def _one_line(value: str) -> str:
    return " / ".join(value.split("\n")) or "(nothing)"
