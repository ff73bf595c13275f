"""From a canonical path back to where its value came from: message, code map, profile, standard, gateway."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from gateway.model.base import Value
from gateway.model.site import Site
from gateway.model.submission import Mapped, Provenance


class OriginKind(StrEnum):
    """Where a value can come from."""

    FIELD = "field"
    """The message; with a rule when a code map or a clause translated what stood there."""
    CODE_MAP = "code-map"
    """A row of a code table that adds what the message does not say; the place is that of its key."""
    PROFILE = "profile"
    """A constant of the site profile."""
    STANDARD = "standard"
    """Fixed by CDA R2 or the CI-SIS for every imaging report."""
    GATEWAY = "gateway"
    """Made here: identities and times of the version, a rule."""
    ABSENT = "absent"
    """A nullFlavor: nobody said it."""
    UNKNOWN = "unknown"
    """Not traced: a fault of this gateway."""


class Origin(Value):
    """`place` is where it stood in the message, `rule` the row, constant, clause or rule that made it."""

    kind: OriginKind
    place: str = ""
    rule: str = ""

    def __str__(self) -> str:
        if self.kind is OriginKind.FIELD:
            return f"{self.place} through {self.rule}" if self.rule else self.place
        return f"{self.kind} {self.rule}".rstrip() + (f" for {self.place}" if self.place else "")


_MADE: Final = {
    "identity.document_id": (
        OriginKind.GATEWAY,
        "UUIDv5 of environment, site, report set and version, as OID under 2.25",
    ),
    "identity.set_id": (OriginKind.GATEWAY, "UUIDv5 of environment, site and report set, as OID under 2.25"),
    "identity.number": (OriginKind.GATEWAY, "number of the version in its report set"),
    "identity.created_at": (OriginKind.GATEWAY, "moment of the intake commit"),
    "identity.replaces_document_id": (OriginKind.GATEWAY, "document of the version before"),
    "title": (OriginKind.STANDARD, "title of imaging reports (JDV_J07, 18748-4)"),
    "language": (OriginKind.STANDARD, "fr-FR (CI-SIS, en-tête CDA)"),
    "encounter.kind": (OriginKind.GATEWAY, "AMB without a patient class (ENCOUNTER-CLASS-GUESSED)"),
    "screening": (OriginKind.STANDARD, "CIM-10 Z13.9 of an organised screening"),
}
"""What a message may leave open and the gateway then states, by canonical path."""

_CANONICAL = re.compile(r"[a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*")
"""A rule of this form names the canonical value that another one follows from."""
_OF_STUDY = re.compile(r"studies\[(\d+)\]\.(started|accession|modalities)(.*)")
_DEEPEST = 8
"""Steps from one canonical value to the next; a chain is two or three long."""


class Origins:
    """The provenance of one report, by path, read with the profile of `site`."""

    def __init__(self, mapped: Mapped, site: Site) -> None:
        self._site, self._report = site, mapped.report
        self._by_path: dict[str, list[Provenance]] = {}
        for entry in mapped.provenance:
            self._by_path.setdefault(entry.path, []).append(entry)

    def of(self, path: str) -> tuple[Origin, ...]:
        """Where the value at `path` came from, each origin once; UNKNOWN when nothing says it."""
        found = tuple(dict.fromkeys(self._of(path, 0)))
        return found or (Origin(kind=OriginKind.UNKNOWN),)

    def _of(self, path: str, depth: int) -> Iterator[Origin]:
        if depth > _DEEPEST:
            return
        if path.startswith("site."):
            yield Origin(kind=OriginKind.PROFILE, rule=f"{self._site.name}.toml:{path.removeprefix('site.')}")
            return
        entries = self._by_path.get(path, [])
        if entries:
            for entry in (*entries, *self._by_path.get(f"{path}.system", ())):
                yield from self._entry(entry, "", depth)
            return
        if path in _MADE:
            kind, rule = _MADE[path]
            yield Origin(kind=kind, rule=rule)
            return
        owner, suffix = _owner(path)
        while owner and owner not in self._by_path:  # a part of a value that was read as a whole
            owner, step = _owner(owner)
            suffix = step + suffix
        if owner:
            for entry in self._by_path[owner]:
                yield from self._entry(entry, suffix, depth)
            return
        if act := self._act_of(path):
            yield from self._of(act, depth + 1)
            return
        for inside, entries in self._by_path.items():
            if inside.startswith((f"{path}.", f"{path}[")):
                for entry in entries:
                    yield from self._entry(entry, "", depth)

    def _entry(self, entry: Provenance, suffix: str, depth: int) -> Iterator[Origin]:
        """One entry; `suffix` is what was asked inside of the value that it is about."""
        rule = entry.rule
        if entry.source:
            yield Origin(kind=OriginKind.FIELD, place=entry.source, rule=rule)
        elif ".toml:" in rule:
            if self._site.custodian is None:  # the structure keeps its documents itself
                rule = rule.replace(".toml:custodian", ".toml:structure")
            yield Origin(kind=OriginKind.PROFILE, rule=rule)
        elif ".csv:" in rule:
            yield Origin(kind=OriginKind.CODE_MAP, place=self._key(entry.path), rule=rule)
        elif _CANONICAL.fullmatch(rule):
            yield from self._of(rule + suffix, depth + 1)
        else:
            yield Origin(kind=OriginKind.GATEWAY, rule=rule)

    def _act_of(self, path: str) -> str:
        """What a study takes from the act that names it: `acts[0].start` for `studies[0].started`."""
        match = _OF_STUDY.fullmatch(path)
        if match is None or self._report is None or int(match[1]) >= len(self._report.studies):
            return ""
        uid = self._report.studies[int(match[1])].uid
        field = "start" if match[2] == "started" else match[2]
        acts = (place for place, act in enumerate(self._report.acts) if act.study_uid == uid)
        return next((f"acts[{place}].{field}{match[3]}" for place in acts), "")

    def _key(self, path: str) -> str:
        """Where the code stood by which a row of the act tables was found, "" when no act is meant."""
        act = path.partition(".")[0]
        keys = (self._by_path.get(f"{act}.{name}", ()) for name in ("ccam", "local"))
        return next((entry.source for entries in keys for entry in entries if entry.source), "")


def _owner(path: str) -> tuple[str, str]:
    """(`acts[0]`, `.code`) of `acts[0].code`, (`acts`, `[0]`) of `acts[0]`; ("", …) at the top."""
    place = max(path.rfind("."), path.rfind("["))
    return (path[:place], path[place:]) if place > 0 else ("", path)
