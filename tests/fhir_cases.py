"""The FHIR fixture with one change a case, read and mapped under the default profile."""

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from gateway.fhir import read
from gateway.mapping import fhir, sites
from gateway.mapping.sites import Profile
from gateway.model.submission import Mapped
from tests.support import FIXTURES

Json = dict[str, Any]
Change = Callable[[Json], object]


@cache
def _fixture() -> Json:
    made: Json = json.loads((FIXTURES / "fhir" / "report.json").read_bytes())
    return made


@cache
def profile() -> Profile:
    return sites.load().default


def bundle(*changes: Change) -> Json:
    """A copy of the fixture, changed."""
    made = copy.deepcopy(_fixture())
    for change in changes:
        change(made)
    return made


def _kind(entry: Json) -> str:
    resource = entry.get("resource")
    return str(resource.get("resourceType", "")) if isinstance(resource, dict) else ""


def resource(tree: Json, kind: str, number: int = 0) -> Json:
    """The resource of that type, counted from 0."""
    found: list[Json] = [one["resource"] for one in tree["entry"] if _kind(one) == kind]
    return found[number]


def url(tree: Json, kind: str, number: int = 0) -> str:
    """Its fullUrl."""
    found: list[str] = [one["fullUrl"] for one in tree["entry"] if _kind(one) == kind]
    return found[number]


def without(kind: str) -> Change:
    """Empties the entries of one type; the others keep their positions."""

    def change(tree: Json) -> None:
        for entry in tree["entry"]:
            if _kind(entry) == kind:
                del entry["resource"]

    return change


def setting(kind: str, **fields: object) -> Change:
    """Sets fields of the first resource of a type; None removes one."""

    def change(tree: Json) -> None:
        target = resource(tree, kind)
        for name, value in fields.items():
            target.pop(name, None)
            if value is not None:
                target[name] = value

    return change


def encode(tree: object) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode()


def mapped(*changes: Change) -> Mapped:
    """The one report of the changed fixture."""
    (made,) = fhir.reports(read(encode(bundle(*changes))), profile())
    return made


def codes(made: Mapped) -> list[str]:
    return [one.code for one in made.findings]


def places(made: Mapped, code: str) -> list[str]:
    return [one.location for one in made.findings if one.code == code]
