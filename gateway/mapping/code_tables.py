"""Rows of code tables → what the code maps answer with. A bad cell raises CodeError."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from gateway.mapping.code_rows import CodeError, Hit, Row, fold
from gateway.model.report import SectionKind
from gateway.model.terms import DCM, Code

T = TypeVar("T")


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


def coded(rows: tuple[Row, ...], system: str) -> dict[str, Hit[Code]]:
    return dict(coded_rows(rows, system))


def coded_rows(rows: tuple[Row, ...], system: str) -> list[tuple[str, Hit[Code]]]:
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


def yes(row: Row, column: str) -> bool:
    word = row.cells.get(column, "")
    if word not in ("", "yes"):
        raise CodeError(row, f"{column} {word} is neither empty nor yes")
    return bool(word)


def observations(rows: tuple[Row, ...]) -> dict[str, Hit[Observed]]:
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


def keyed(rows: tuple[Row, ...], key: str, column: str, kind: Callable[[str], T]) -> dict[str, Hit[T]]:
    table: dict[str, Hit[T]] = {}
    for row in rows:
        try:
            value = kind(row.cells[column])
        except ValueError:
            raise CodeError(row, f"{row.cells[column]} is no {column} the model knows") from None
        table[fold(row.cells[key])] = Hit(value, f"{row.file}:{row.cells[key]}")
    return table


def titles(rows: tuple[Row, ...]) -> dict[str, Hit[tuple[str, str]]]:
    for row in rows:
        if row.cells["field"] not in ("prefix", "suffix"):
            raise CodeError(row, f"field {row.cells['field']} is neither prefix nor suffix")
    return {
        fold(row.cells["word"]): Hit(
            (row.cells["field"], row.cells["code"]), f"{row.file}:{row.cells['word']}"
        )
        for row in rows
    }


def sections(rows: tuple[Row, ...]) -> dict[tuple[str, str], Hit[SectionKind]]:
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
