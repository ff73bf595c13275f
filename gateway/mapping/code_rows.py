"""Code tables as they lie in a file: their columns, their rows, a fault with its line, words as compared."""

import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class TableKind(StrEnum):
    """The tables by the name that `[codes]` of a profile uses."""

    CCAM = "ccam"
    LOCAL = "local"
    MODALITY = "modality"
    REGION = "region"
    SITE = "site"
    SIDE = "side"
    ALLERGY = "allergy"
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
    TableKind.ALLERGY: ("word", "code", "display", "source"),
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


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Upper case, without accents; other characters than letters and digits become single spaces."""
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(kept.upper().split())
