"""A message as it was received: its segments in order, nothing lost, nothing rearranged."""

import re
from typing import Final

from gateway.hl7v2.dialect import Delimiters
from gateway.hl7v2.segment import Segment
from gateway.model.findings import Finding

# fmt: off
VERSIONS: Final = (
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6",
    "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9",
)
# fmt: on
_DEFAULT_VERSION: Final = "2.5"
_NUMBERS: Final = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}")


def nearest_version(version: str) -> str:
    """The known version nearest below `version` (`2.5.0` → `2.5`, `2.5.2` → `2.5.1`), else 2.5."""
    if version in VERSIONS:
        return version
    if not _NUMBERS.fullmatch(version):
        return _DEFAULT_VERSION
    wanted = _ordered(version)
    return max((one for one in VERSIONS if _ordered(one) <= wanted), key=_ordered, default=VERSIONS[0])


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


class Message:
    """`raw` are the bytes as received; `segments` every segment in order, unknown and Z ones too.

    `charset` is the Python codec of the text; `findings` tells every tolerance that reading needed.
    """

    def __init__(
        self,
        raw: bytes,
        segments: tuple[Segment, ...],
        charset: str,
        delimiters: Delimiters,
    ) -> None:
        self.raw, self.segments, self.charset, self.delimiters = raw, segments, charset, delimiters
        self.findings: tuple[Finding, ...] = ()
        self._by_name: dict[str, tuple[Segment, ...]] = {}

    def __repr__(self) -> str:
        return f"<{self.message_code}^{self.trigger_event} {len(self.segments)} segments>"

    @property
    def _named(self) -> dict[str, tuple[Segment, ...]]:
        """Made when it is first asked for: a compiled class has no dictionary for `cached_property`."""
        if not self._by_name:
            named: dict[str, list[Segment]] = {}
            for segment in self.segments:
                named.setdefault(segment.name, []).append(segment)
            self._by_name = {name: tuple(found) for name, found in named.items()}
        return self._by_name

    def first(self, name: str) -> Segment | None:
        """The first segment of this name."""
        found = self._named.get(name)
        return found[0] if found else None

    def all(self, name: str) -> tuple[Segment, ...]:
        """All segments of this name, in order."""
        return self._named.get(name, ())

    def value(
        self, name: str, field: int, repetition: int = 1, component: int = 1, subcomponent: int = 1
    ) -> str:
        """A leaf of the first segment of this name; "" when missing."""
        found = self._named.get(name)
        return found[0].value(field, repetition, component, subcomponent) if found else ""

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def control_id(self) -> str:
        """MSH-10 verbatim: an acknowledgement must give back exactly this."""
        return self.header.verbatim(10)

    @property
    def message_code(self) -> str:
        return self.header.leaf(9)

    @property
    def trigger_event(self) -> str:
        """MSH-9.2, else EVN-1 (messages before 2.3)."""
        if event := self.header.leaf(9, 2):
            return event
        envelope = self.first("EVN")
        return envelope.leaf(1) if envelope is not None else ""

    @property
    def structure(self) -> str:
        """MSH-9.3. One official sample repeats `MDM^T02` before it: then the last component."""
        components = self.header.components(9)
        if len(components) > 3 and components[2] == components[0]:
            return components[-1].strip()
        return components[2].strip() if len(components) > 2 else ""

    @property
    def version(self) -> str:
        """MSH-12.1 as sent, trimmed."""
        return self.header.leaf(12)

    @property
    def known_version(self) -> str:
        """The HL7 version that this gateway reads the message as."""
        return nearest_version(self.version)

    @property
    def profile(self) -> str:
        """MSH-21, first repetition, trimmed: `2.1^CISIS_CDA_HL7_V2` (EI.1 version, EI.2 name)."""
        if not self.header.field(21):
            return ""
        return "^".join(one.strip() for one in self.header.components(21)[:2])

    @property
    def sending_application(self) -> str:
        """MSH-3.1."""
        return self.header.value(3)

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.header.value(4)

    @property
    def receiving_application(self) -> str:
        """MSH-5.1."""
        return self.header.value(5)

    @property
    def receiving_facility(self) -> str:
        """MSH-6.1."""
        return self.header.value(6)

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P, T or D."""
        return self.header.leaf(11)

    @property
    def sent_at_text(self) -> str:
        """MSH-7.1 as sent."""
        return self.header.value(7)
