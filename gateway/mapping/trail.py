"""What mapping leaves behind beside the report: where each value came from, and what was odd."""

from collections.abc import Iterable

from gateway.model.findings import Finding, Severity, finding
from gateway.model.submission import Provenance
from gateway.rules.places import locate


class Trail:
    """Gathers provenance and findings of one report. `name` is the profile's."""

    def __init__(self, name: str, provenance: Iterable[Provenance] = ()) -> None:
        self._name = name
        self._provenance = list(provenance)
        self._findings: list[Finding] = []
        self._zone_assumed = False

    def source(self, path: str, location: str, rule: str = "") -> None:
        """`path` came from `location` of the message, through `rule` when a table translated it."""
        self._provenance.append(Provenance(path=path, source=location, rule=rule))

    def profile(self, path: str, constant: str) -> None:
        """`path` is a constant of the profile (`default.toml:structure`)."""
        self._provenance.append(Provenance(path=path, rule=f"{self._name}.toml:{constant}"))

    def rule(self, path: str, rule: str) -> None:
        """`path` was made by a row of a code map, or follows from the canonical value that `rule` names."""
        self._provenance.append(Provenance(path=path, rule=rule))

    def finding(self, code: str, path: str, detail: str = "", severity: Severity | None = None) -> None:
        """A finding about a canonical `path`, placed where its value stood in the message."""
        self._findings.append(finding(code, locate(self.provenance, path), detail, severity))

    def at(self, code: str, location: str, detail: str = "", severity: Severity | None = None) -> None:
        """A finding about a place of the message."""
        self._findings.append(finding(code, location, detail, severity))

    def assumed_zone(self, location: str) -> None:
        """A time without offset was read in the site's zone: said once a report."""
        if not self._zone_assumed:
            self._zone_assumed = True
            self.at("TIMEZONE-ASSUMED", location)

    def take(self, findings: Iterable[Finding]) -> None:
        self._findings.extend(findings)

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        return tuple(self._provenance)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings)
