"""Code maps: what senders write, in the codes that documents need. Data in `mappings/codes/*.csv`.

Every hit names the row that made it (`modality.csv:RM`), which provenance keeps. Words are compared without
case, accents and punctuation. A site adds or overrides rows with tables of its own.
"""

import difflib
import unicodedata
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from gateway.model.people import Sex
from gateway.model.report import ReportStatus, SectionKind
from gateway.model.terms import CCAM, DCM, LOINC, SNOMED_CT, Code

T = TypeVar("T")


class TableKind(StrEnum):
    """The tables by the name that `[codes]` of a profile uses."""

    CCAM = "ccam"
    LOCAL = "local"
    MODALITY = "modality"
    REGION = "region"
    SITE = "site"
    SIDE = "side"
    OBSERVATION = "observation"
    STATUS = "status"
    PATIENT_CLASS = "patient_class"
    SEX = "sex"
    TITLES = "titles"
    SECTIONS = "sections"


_ABOUT_ACT = ("site", "side", "screening")
OPTIONAL_COLUMNS = frozenset(_ABOUT_ACT)
"""Columns that a table may leave out."""
COLUMNS: dict[TableKind, tuple[str, ...]] = {
    TableKind.CCAM: ("ccam", "label", "loinc", "loinc_label", "modality", "region", *_ABOUT_ACT, "source"),
    TableKind.LOCAL: ("local", "label", "ccam", "loinc", "modality", "region", *_ABOUT_ACT, "source"),
    TableKind.MODALITY: ("word", "code", "display", "source"),
    TableKind.REGION: ("word", "code", "display", "source"),
    TableKind.SITE: ("word", "code", "display", "region", "source"),
    TableKind.SIDE: ("word", "code", "display", "source"),
    TableKind.OBSERVATION: ("key", "kind", "code", "display", "unit", "source"),
    TableKind.STATUS: ("code", "status", "source"),
    TableKind.PATIENT_CLASS: ("class", "encounter", "source"),
    TableKind.SEX: ("code", "sex", "source"),
    TableKind.TITLES: ("word", "field", "code", "source"),
    TableKind.SECTIONS: ("by", "key", "section", "source"),
}
"""Columns of each table, in order; the first ones are its key (`sections`: `by` and `key`)."""


class Row(NamedTuple):
    """One row as read. `place` is `modality.csv:12`."""

    cells: Mapping[str, str]
    file: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


class CodeError(ValueError):
    """A cell that its table does not allow; carries the row for file and line."""

    def __init__(self, row: Row, message: str) -> None:
        super().__init__(message)
        self.row = row


class Hit(NamedTuple, Generic[T]):
    """A value and the row that gave it, as provenance names it (`ccam.csv:ACQH004`)."""

    value: T
    rule: str


class ActCodes(NamedTuple):
    """What an act code tells: the codes a document needs. Absent codes are None."""

    ccam: Code | None
    loinc: Code | None
    modality: Code | None
    region: Code | None
    label: str
    site: Code | None = None
    side: Code | None = None
    screening: bool = False
    """An act of organised screening."""


class SiteCode(NamedTuple):
    """An anatomic site (JDV 5.694) with the region it lies in (JDV 5.695)."""

    site: Code
    region: Code | None


class ObservationKind(StrEnum):
    """What an observation beside the narrative says of the exam."""

    DOSE = "dose"
    CONTRAINDICATION = "contraindication"
    PRODUCT = "product"
    DEVICE = "device"


class Observed(NamedTuple):
    """A row of the table `observation`: `code` is DCM (a dose), `unit` UCUM, meant where none is sent."""

    kind: ObservationKind
    code: Code
    unit: str


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Upper case, without accents; other characters than letters and digits become single spaces."""
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(kept.upper().split())


class CodeMaps:
    """All code maps of a profile. Built once by `sites.load`; raises CodeError for a bad cell.

    `headings` are those that the profile states itself, `rule` names the profile in provenance.
    """

    def __init__(
        self,
        rows: Mapping[TableKind, tuple[Row, ...]],
        headings: Mapping[str, SectionKind] | None = None,
        rule: str = "",
    ) -> None:
        self._modality = _coded(rows.get(TableKind.MODALITY, ()), DCM)
        self._region = _coded(rows.get(TableKind.REGION, ()), SNOMED_CT)
        self._site = self._sites(rows.get(TableKind.SITE, ()))
        self._side = _coded(rows.get(TableKind.SIDE, ()), SNOMED_CT)
        self._observation = _observations(rows.get(TableKind.OBSERVATION, ()))
        self._status = _keyed(rows.get(TableKind.STATUS, ()), "code", "status", ReportStatus)
        self._encounter = _keyed(rows.get(TableKind.PATIENT_CLASS, ()), "class", "encounter", str)
        self._sex = _keyed(rows.get(TableKind.SEX, ()), "code", "sex", Sex)
        self._titles = _titles(rows.get(TableKind.TITLES, ()))
        self._sections = _sections(rows.get(TableKind.SECTIONS, ()))
        for text, kind in (headings or {}).items():
            self._sections["heading", fold(text)] = Hit(kind, rule)
        self._loinc: dict[str, Hit[Code]] = {}
        self._ccam = self._acts(rows.get(TableKind.CCAM, ()), "ccam")
        self._local = self._acts(rows.get(TableKind.LOCAL, ()), "local")

    # --- acts

    def ccam(self, code: str) -> Hit[ActCodes] | None:
        """By CCAM code; a PMSI or billing extension after the 7 characters (`ACQH004-01`) is left out."""
        return self._ccam.get(code[:7].upper())

    def local(self, code: str) -> Hit[ActCodes] | None:
        """By the sender's own act code."""
        return self._local.get(fold(code))

    def loinc(self, code: str) -> Hit[Code] | None:
        """The LOINC code with the display that this project writes."""
        return self._loinc.get(code)

    # --- words

    def modality(self, word: str) -> Hit[Code] | None:
        """DCM code of JDV 1.2.250.1.213.1.1.5.618 (RM → MR)."""
        return self._modality.get(fold(word))

    def region(self, word: str) -> Hit[Code] | None:
        """SNOMED CT code of JDV 1.2.250.1.213.1.1.5.695."""
        return self._region.get(fold(word))

    def site(self, word: str) -> Hit[SiteCode] | None:
        """SNOMED CT code of JDV 1.2.250.1.213.1.1.5.694, with its region."""
        return self._site.get(fold(word))

    def side(self, word: str) -> Hit[Code] | None:
        """SNOMED CT code of a side: right, left, both, one."""
        return self._side.get(fold(word))

    def observation(self, *keys: str) -> Hit[Observed] | None:
        """What an observation is about, by the first of its codes that has a row."""
        found = (self._observation.get(fold(key)) for key in keys if key)
        return next((hit for hit in found if hit is not None), None)

    def status(self, code: str) -> Hit[ReportStatus] | None:
        """OBX-11 and OBR-25 (HL7 tables 0085, 0123)."""
        return self._status.get(fold(code))

    def encounter(self, patient_class: str) -> Hit[str] | None:
        """PV1-2 (HL7 table 0004) → ActEncounterCode."""
        return self._encounter.get(fold(patient_class))

    def sex(self, code: str) -> Hit[Sex] | None:
        return self._sex.get(fold(code))

    def title(self, word: str) -> Hit[tuple[str, str]] | None:
        """(`prefix` or `suffix`, code) of a title: `Dr.` → (`suffix`, `DR`)."""
        return self._titles.get(fold(word))

    def section(self, by: str, key: str) -> Hit[SectionKind] | None:
        """`by`: `loinc` (OBX-3.1), `suffix` (OBX-3.1 second subcomponent) or `heading` (a line of text)."""
        return self._sections.get((by, key if by == "loinc" else fold(key)))

    def nearest(self, kind: TableKind, code: str) -> tuple[str, ...]:
        """Up to three known codes that look like an unknown one, for the finding's detail."""
        known: dict[TableKind, tuple[str, ...]] = {
            TableKind.CCAM: tuple(self._ccam),
            TableKind.LOCAL: tuple(self._local),
            TableKind.MODALITY: tuple(self._modality),
            TableKind.REGION: (*self._region, *self._site),
            TableKind.STATUS: tuple(self._status),
            TableKind.PATIENT_CLASS: tuple(self._encounter),
            TableKind.SEX: tuple(self._sex),
        }
        return tuple(difflib.get_close_matches(fold(code), known.get(kind, ()), n=3, cutoff=0.5))

    # --- building

    def _acts(self, rows: tuple[Row, ...], key: str) -> dict[str, Hit[ActCodes]]:
        """Rows by CCAM or local code; what a local row leaves open its CCAM row says."""
        acts: dict[str, Hit[ActCodes]] = {}
        for row in rows:
            cells = row.cells
            ccam = cells["ccam"]
            base = ActCodes(None, None, None, None, cells["label"])
            if key != "ccam" and ccam:
                if ccam not in self._ccam:
                    raise CodeError(row, f"CCAM code {ccam} has no row in the table ccam")
                base = self._ccam[ccam].value
            site = self._known(row, self._site, "site")
            acts[cells[key] if key == "ccam" else fold(cells[key])] = Hit(
                ActCodes(
                    ccam=Code(code=ccam, system=CCAM, display=base.label) if ccam else None,
                    loinc=self._declare_loinc(row) if cells["loinc"] else base.loinc,
                    modality=self._known(row, self._modality, "modality") or base.modality,
                    region=self._known(row, self._region, "region") or base.region,
                    label=cells["label"],
                    site=site.site if site else base.site,
                    side=self._known(row, self._side, "side") or base.side,
                    screening=_yes(row, "screening") or base.screening,
                ),
                f"{row.file}:{cells[key]}",
            )
        return acts

    def _sites(self, rows: tuple[Row, ...]) -> dict[str, Hit[SiteCode]]:
        return {
            word: Hit(SiteCode(hit.value, self._known(row, self._region, "region")), hit.rule)
            for row, (word, hit) in zip(rows, _coded_rows(rows, SNOMED_CT), strict=True)
        }

    def _declare_loinc(self, row: Row) -> Code:
        number = row.cells["loinc"]
        label = row.cells.get("loinc_label") or row.cells["label"]
        hit = self._loinc.setdefault(number, Hit(Code(code=number, system=LOINC, display=label), row.place))
        return hit.value

    @staticmethod
    def _known(row: Row, table: Mapping[str, Hit[T]], column: str) -> T | None:
        word = row.cells.get(column, "")
        if not word:
            return None
        if (hit := table.get(fold(word))) is None:
            raise CodeError(row, f"{column} {word} has no row in the table {column}")
        return hit.value


def _coded(rows: tuple[Row, ...], system: str) -> dict[str, Hit[Code]]:
    return dict(_coded_rows(rows, system))


def _coded_rows(rows: tuple[Row, ...], system: str) -> list[tuple[str, Hit[Code]]]:
    """(folded word, code) of each row."""
    return [
        (
            fold(row.cells["word"]),
            Hit(
                Code(code=row.cells["code"], system=system, display=row.cells["display"]),
                f"{row.file}:{row.cells['word']}",
            ),
        )
        for row in rows
    ]


def _yes(row: Row, column: str) -> bool:
    word = row.cells.get(column, "")
    if word not in ("", "yes"):
        raise CodeError(row, f"{column} {word} is neither empty nor yes")
    return bool(word)


def _observations(rows: tuple[Row, ...]) -> dict[str, Hit[Observed]]:
    table: dict[str, Hit[Observed]] = {}
    for row in rows:
        key, name, code, display, unit = (row.cells[column] for column in _OBSERVED)
        try:
            kind = ObservationKind(name)
        except ValueError:
            raise CodeError(row, f"{name} is none of {', '.join(ObservationKind)}") from None
        meant = Code(code=code, system=DCM, display=display)
        table[fold(key)] = Hit(Observed(kind, meant, unit), f"{row.file}:{key}")
    return table


_OBSERVED = ("key", "kind", "code", "display", "unit")


def _keyed(rows: tuple[Row, ...], key: str, column: str, kind: Callable[[str], T]) -> dict[str, Hit[T]]:
    table: dict[str, Hit[T]] = {}
    for row in rows:
        try:
            value = kind(row.cells[column])
        except ValueError:
            raise CodeError(row, f"{row.cells[column]} is no {column} the model knows") from None
        table[fold(row.cells[key])] = Hit(value, f"{row.file}:{row.cells[key]}")
    return table


def _titles(rows: tuple[Row, ...]) -> dict[str, Hit[tuple[str, str]]]:
    for row in rows:
        if row.cells["field"] not in ("prefix", "suffix"):
            raise CodeError(row, f"field {row.cells['field']} is neither prefix nor suffix")
    return {
        fold(row.cells["word"]): Hit(
            (row.cells["field"], row.cells["code"]), f"{row.file}:{row.cells['word']}"
        )
        for row in rows
    }


def _sections(rows: tuple[Row, ...]) -> dict[tuple[str, str], Hit[SectionKind]]:
    table: dict[tuple[str, str], Hit[SectionKind]] = {}
    for row in rows:
        by, key, section = (row.cells[name] for name in ("by", "key", "section"))
        if by not in ("loinc", "suffix", "heading"):
            raise CodeError(row, f"{by} is neither loinc, suffix nor heading")
        try:
            kind = SectionKind(section)
        except ValueError:
            raise CodeError(row, f"{section} is no section of the volet IMG-CR-IMG") from None
        table[(by, key if by == "loinc" else fold(key))] = Hit(kind, f"{row.file}:{key}")
    return table
