"""Code maps: what senders write, in the codes that documents need. Data in `mappings/codes/*.csv`.

Every hit names the row that made it (`modality.csv:RM`), which provenance keeps. Words are compared without
case, accents and punctuation. A site adds or overrides rows with tables of its own.
"""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from gateway.mapping import code_tables as tables
from gateway.mapping.code_rows import CodeError, Hit, Row, TableKind, fold
from gateway.mapping.code_tables import ActCodes, Observed, SiteCode
from gateway.model.people import Sex
from gateway.model.report import ReportStatus, SectionKind
from gateway.model.terms import CCAM, CISIS_TERMS, DCM, LOINC, SNOMED_CT, Code

T = TypeVar("T")


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
        self._modality = tables.coded(rows.get(TableKind.MODALITY, ()), DCM)
        self._region = tables.coded(rows.get(TableKind.REGION, ()), SNOMED_CT)
        self._site = self._sites(rows.get(TableKind.SITE, ()))
        self._side = tables.coded(rows.get(TableKind.SIDE, ()), SNOMED_CT)
        self._allergy = tables.coded(rows.get(TableKind.ALLERGY, ()), CISIS_TERMS)
        self._observation = tables.observations(rows.get(TableKind.OBSERVATION, ()))
        self._status = tables.keyed(rows.get(TableKind.STATUS, ()), "code", "status", ReportStatus)
        self._encounter = tables.keyed(rows.get(TableKind.PATIENT_CLASS, ()), "class", "encounter", str)
        self._sex = tables.keyed(rows.get(TableKind.SEX, ()), "code", "sex", Sex)
        self._titles = tables.titles(rows.get(TableKind.TITLES, ()))
        self._sections = tables.sections(rows.get(TableKind.SECTIONS, ()))
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

    def allergy(self, word: str) -> Hit[Code] | None:
        """CI-SIS code of JDV 1.2.250.1.213.1.1.5.659 for what a patient does not bear (word or ATC group)."""
        return self._allergy.get(fold(word))

    def observation(self, *keys: str) -> Hit[Observed] | None:
        """What an observation is about, by the first of its codes that has a row."""
        for key in keys:
            if key and (hit := self._observation.get(fold(key))) is not None:
                return hit
        return None

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
                    screening=tables.yes(row, "screening") or base.screening,
                ),
                f"{row.file}:{cells[key]}",
            )
        return acts

    def _sites(self, rows: tuple[Row, ...]) -> dict[str, Hit[SiteCode]]:
        return {
            word: Hit(SiteCode(hit.value, self._known(row, self._region, "region")), hit.rule)
            for row, (word, hit) in zip(rows, tables.coded_rows(rows, SNOMED_CT), strict=True)
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
