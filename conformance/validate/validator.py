"""One door to all validators: bytes in, a verdict out."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.validate import cda, exchange, message, pdf
from conformance.validate.judgement import Judge, Judgement
from conformance.validate.kinds import Kind, recognise
from conformance.verdict import Remark, Verdict
from gateway.model.findings import Severity

if TYPE_CHECKING:
    from conformance.schematron.official import Official

JUDGES: dict[Kind, Judge] = {
    Kind.CDA: cda.judge,
    Kind.HL7V2: message.judge_hl7v2,
    Kind.FHIR: message.judge_fhir,
    Kind.XDM: exchange.judge_xdm,
    Kind.XDS: exchange.judge_xds,
    Kind.MAIL: exchange.judge_mail,
    Kind.PDF: pdf.judge,
}


class Validator:
    """`kit`: the official CI-SIS kit, None leaves the official rules out and the verdict says so.

    Heavy parts (SaxonC, fhir.resources, hl7apy) are loaded when the first file needs them, and kept.
    Raises KitError when `kit` is no kit.
    """

    def __init__(self, kit: Path | None = None, cache: Path | None = None) -> None:
        self.official: Official | None = None
        self.xds_schemas: Path | None = None
        if kit is not None:
            from conformance.schematron import official

            self.official = official.Official(kit, cache)
            beside = self.official.kit.parent / "xds" / "ebxml"
            self.xds_schemas = beside if beside.is_dir() else None

    def judge(self, name: str, data: bytes, kind: Kind | None = None, *, own: bool = True) -> Verdict:
        """Judge one file. Anything may come in; what cannot be read is an error in the verdict.

        `own` False: a CDA by the official rules alone (the gateway has run its own).
        """
        kind = kind or recognise(data)
        if kind is Kind.CDA and not own:
            steps, remarks = cda.judge_officially(self, data)
        else:
            steps, remarks = self.inside(data, kind)
        return Verdict(
            name=name,
            kind=kind.value,
            sha256=hashlib.sha256(data).hexdigest(),
            steps=steps,
            remarks=remarks,
        )

    def inside(self, data: bytes, kind: Kind) -> Judgement:
        """Steps and remarks alone: for a document inside a message or an archive."""
        judge = JUDGES.get(kind)
        if judge is None:
            text = "The content is none of the kinds that are validated: " + ", ".join(
                known.value for known in JUDGES
            )
            return (), (Remark(severity=Severity.ERROR, step="Recognition", text=text),)
        return judge(self, data)
