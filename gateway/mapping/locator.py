"""Locators: how a site profile says where a value stands (architecture decision 3).

    locator    = path *( "|" path )                 first non-empty path wins
    path       = segment [ "[" where "]" ] ( "-" / "." ) field [ "[" pick "]" ] [ "." component ] [ "&" sub ]
    where      = field [ "." component ] [ "&" sub ] "=" values       only segments with that value
    pick       = number / ( "." component [ "&" sub ] "=" values )    only that repetition, or those with it
    values     = value *( "," value )                                  any of them; empty: absent

Examples: `PID-3[.5=PI].1`, `OBX[3.1=113014].5`, `OBR-32.1|OBR-32.1&1`, `PID-5[.7=L].1`. No functions, no
conditions beyond the predicate: anything more is Python with a name.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache

from gateway.hl7v2 import Segment

Place = tuple[int, int, int, int]
"""(field, repetition, component, subcomponent) of a leaf inside its segment, each from 1."""


class Scope:
    """What a locator is evaluated on: the segments of a message, or of one report of it, by name."""

    __slots__ = ("_having", "named")

    def __init__(self) -> None:
        self.named: dict[str, tuple[Segment, ...]] = {}
        """In message order."""
        self._having: dict[tuple[str, Place], dict[str, list[Segment]]] = {}

    def having(self, name: str, place: Place) -> dict[str, list[Segment]]:
        """The segments of that name by the leaf they have at `place`; looked at once."""
        found = self._having.get((name, place))
        if found is None:
            found = self._having[name, place] = {}
            for segment in self.named.get(name, ()):
                found.setdefault(leaf(segment, *place), []).append(segment)
        return found


class LocatorError(ValueError):
    """A text that is no locator; the caller adds file and line."""


class Found:
    """A value and where it stood. `repetition` counts from 1; `location` is `PID-3[2].1`.

    A plain class, like `Path`: made dozens of times a message, and compiled (`hatch_build.py`) it reads
    its fields without a look into a dictionary.
    """

    __slots__ = ("component", "field", "repetition", "segment", "subcomponent", "value")

    def __init__(
        self,
        value: str,
        segment: Segment,
        field: int,
        repetition: int,
        component: int = 0,
        subcomponent: int = 0,
    ) -> None:
        self.value, self.segment, self.field, self.repetition = value, segment, field, repetition
        self.component, self.subcomponent = component, subcomponent

    @property
    def location(self) -> str:
        return self.segment.location(self.field, self.repetition, self.component, self.subcomponent)


class _Test:
    """A predicate: one element must have one of `values`. `field` is 0 inside a repetition."""

    __slots__ = ("component", "place", "subcomponent", "values")

    def __init__(self, field: int, component: int, subcomponent: int, values: frozenset[str]) -> None:
        self.component, self.subcomponent, self.values = component, subcomponent, values
        self.place: Place = (field, 1, component, subcomponent)


class Path:
    """One alternative of a locator. `component` and `subcomponent` are 0 where the text names none."""

    __slots__ = ("component", "field", "pick", "plain", "repetition", "segment", "subcomponent", "where")

    def __init__(
        self,
        segment: str,
        where: _Test | None,
        field: int,
        pick: _Test | None,
        repetition: int,
        component: int,
        subcomponent: int,
    ) -> None:
        self.segment, self.where, self.field, self.pick = segment, where, field, pick
        self.repetition, self.component, self.subcomponent = repetition, component, subcomponent
        self.plain = where is None and pick is None and not repetition and subcomponent < 2
        """No condition and no subcomponent: any repetition of any such segment."""

    def of_component(self, component: int) -> "Path":
        """The same path to another component."""
        return Path(
            self.segment, self.where, self.field, self.pick, self.repetition, component, self.subcomponent
        )

    def matches(self, scope: Scope, most: int = 0) -> list[Found]:
        """The values that this path leads to, in message order, none empty; at most `most`, 0 all."""
        segments = scope.named.get(self.segment)
        if segments is None:
            return []
        where, field, pick, wanted = self.where, self.field, self.pick, self.repetition
        component, sub = self.component, self.subcomponent
        column, made = (component or 1) - 1, list[Found]()
        for segment in segments if where is None else _having(self.segment, where, scope):
            for repetition, row in enumerate(segment.leaves(field), 1):
                if wanted and repetition != wanted:
                    continue
                if pick is not None and _picked(pick, segment, field, repetition, row) not in pick.values:
                    continue
                value = row[column] if column < len(row) else ""
                if sub > 1:
                    value = _subcomponent(segment, field, repetition, column + 1, sub)
                if value:
                    made.append(Found(value, segment, field, repetition, component, sub))
                    if len(made) == most:
                        return made
        return made


def _having(name: str, where: _Test, scope: Scope) -> Iterable[Segment]:
    known = scope.having(name, where.place)
    found = [segment for value in where.values for segment in known.get(value, ())]
    return found if len(where.values) == 1 else sorted(found, key=_index)


def _index(segment: Segment) -> int:
    return segment.index


def _picked(pick: _Test, segment: Segment, field: int, repetition: int, row: tuple[str, ...]) -> str:
    if pick.subcomponent > 1:
        return _subcomponent(segment, field, repetition, pick.component, pick.subcomponent)
    return row[pick.component - 1] if pick.component <= len(row) else ""


def leaf(segment: Segment, field: int, repetition: int, component: int, subcomponent: int) -> str:
    """One leaf of a segment, trimmed."""
    if subcomponent > 1:
        return _subcomponent(segment, field, repetition, component, subcomponent)
    rows = segment.leaves(field)
    row = rows[repetition - 1] if repetition <= len(rows) else ()
    return row[component - 1] if component <= len(row) else ""


def _subcomponent(segment: Segment, field: int, repetition: int, component: int, subcomponent: int) -> str:
    """One behind the first."""
    parts = segment.divided(field, repetition, component)
    return parts[subcomponent - 1] if subcomponent <= len(parts) else ""


class Locator:
    """A parsed locator: `find` gives the first value, `find_all` all values of the first path with any."""

    __slots__ = ("_plans", "paths", "text")

    def __init__(self, text: str, paths: tuple[Path, ...]) -> None:
        self.text, self.paths = text, paths
        self._plans = tuple((path.segment, path.plain, path.field, path.component, path) for path in paths)

    def find(self, scope: Scope) -> Found | None:
        named = scope.named
        for name, plain, field, component, path in self._plans:
            if name not in named:
                continue
            if not plain:
                if found := path.matches(scope, 1):
                    return found[0]
                continue
            column = component - 1 if component else 0
            for segment in named[name]:  # what `matches` does, for the many locators without condition
                for repetition, row in enumerate(segment.leaves(field), 1):
                    if column < len(row) and (value := row[column]):
                        return Found(value, segment, field, repetition, component)
        return None

    def find_all(self, scope: Scope) -> tuple[Found, ...]:
        named = scope.named
        for path in self.paths:
            if path.segment in named and (every := path.matches(scope)):
                return tuple(every)
        return ()

    def where(self, accept: Callable[[Found], bool], scope: Scope) -> Found | None:
        """The first value, over all paths, that `accept` takes."""
        for path in self.paths:
            for found in path.matches(scope):
                if accept(found):
                    return found
        return None

    def __repr__(self) -> str:
        return f"Locator({self.text!r})"


_PATH = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})"
    r"(?:\[(?P<wf>\d{1,3})(?:\." + r"(?P<wc>\d{1,3}))?(?:&(?P<ws>\d{1,2}))?=(?P<where>[^\]]*)\])?"
    r"[-.](?P<field>\d{1,3})"
    r"(?:\[(?:(?P<repetition>\d{1,3})|\.(?P<pc>\d{1,3})(?:&(?P<ps>\d{1,2}))?=(?P<pick>[^\]]*))\])?"
    r"(?:\.(?P<component>\d{1,3}))?(?:&(?P<sub>\d{1,2}))?"
)


@cache
def parse(text: str) -> Locator:
    """The locator that `text` states; raises LocatorError saying which part is wrong."""
    return Locator(text, tuple(_path(part.strip()) for part in _alternatives(text)))


def _alternatives(text: str) -> list[str]:
    """Split at `|` outside brackets: a predicate's value may hold anything but `]`."""
    return re.split(r"\|(?![^\[]*\])", text)


def _path(text: str) -> Path:
    if (match := _PATH.fullmatch(text)) is None:
        raise LocatorError(f"`{text}` is no locator: expected SEG-field, as in PID-3[.5=PI].1")
    part = match.groupdict()
    if part["sub"] and not part["component"]:
        raise LocatorError(f"`{text}` names a subcomponent without its component")
    numbers = {name: int(part[name]) for name in ("field", "repetition", "component", "sub") if part[name]}
    if 0 in numbers.values():
        raise LocatorError(f"`{text}` counts from 0: HL7 counts from 1")
    return Path(
        segment=part["segment"],
        where=_test(part["wf"], part["wc"], part["ws"], part["where"]),
        field=numbers["field"],
        pick=_test("0", part["pc"], part["ps"], part["pick"]),
        repetition=numbers.get("repetition", 0),
        component=numbers.get("component", 0),
        subcomponent=numbers.get("sub", 0),
    )


def _test(field: str | None, component: str | None, sub: str | None, values: str | None) -> _Test | None:
    if values is None:
        return None
    wanted = frozenset(value.strip() for value in values.split(","))
    return _Test(int(field or 0), int(component or 1), int(sub or 1), wanted)
