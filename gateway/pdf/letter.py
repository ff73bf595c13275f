"""A report version → the letter that people read (`gateway.model.letter`), in French.

Nothing is added to what the report says except labels: the text of each section is the sender's.
"""

import re
from datetime import tzinfo

from gateway.model import viewer, wording
from gateway.model.base import replace
from gateway.model.letter import Letter, LetterSection
from gateway.model.people import Organization, Practitioner
from gateway.model.report import Act, ImagingReport, Section, SectionKind
from gateway.model.site import Site
from gateway.model.version import ReportVersion
from gateway.model.wording import NBSP, Rows
from gateway.pdf.letter_exam import with_exam

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def letter(version: ReportVersion) -> Letter:
    """Letterhead, identity, exam, sections and signature of a version."""
    report, site = version.report, version.site
    patient = report.patient
    return Letter(
        title=wording.document_title(report.title),
        sender=_letterhead(_structure(report, site)),
        identity=wording.identity(patient, patient.ins if patient.qualified else None),
        ins=patient.ins.value if patient.ins is not None and patient.qualified else "",
        exam=_exam(version),
        recipients=_recipients(report),
        sections=with_exam(_sections(report), report),
        signature=_signature(report, site.tz),
        footer=_footer(version),
        language=report.language.partition("-")[0],
    )


def _structure(report: ImagingReport, site: Site) -> Organization:
    """The structure that did the exam; the profile completes its own."""
    found = report.performer or site.structure
    if found.id not in ("", site.structure.id):
        return found
    return replace(
        found,
        name=found.name or site.structure.name,
        address=found.address or site.structure.address,
        telecoms=found.telecoms or site.structure.telecoms,
    )


def _letterhead(structure: Organization) -> tuple[str, ...]:
    telecoms = filter(None, map(wording.telecom, structure.telecoms))
    return tuple(filter(None, (structure.name, *wording.postal(structure.address), *telecoms)))


def _exam(version: ReportVersion) -> Rows:
    """What was done, when, for whom, and which version this is."""
    report, tz = version.report, version.site.tz
    rows = [("Examen", _act(act, report, tz)) for act in report.acts]
    accessions = [act.accession.value for act in report.acts if act.accession]
    accessions += [order.accession.value for order in report.orders if order.accession]
    placers = [order.placer.value for order in report.orders if order.placer]
    requested = next((order.requested_at for order in report.orders if order.requested_at), None)
    rows += [
        ("N° d'examen", ", ".join(dict.fromkeys(accessions))),
        ("Demandeur", wording.person(report.requester) if report.requester else ""),
        ("N° de demande", ", ".join(dict.fromkeys(placers))),
        ("Date de la demande", wording.day(requested, tz) if requested else ""),
        ("Images", "\n".join(dict.fromkeys(viewer.link(version, study) for study in report.studies))),
    ]
    if version.identity.number > 1:
        rows.append(("Version", f"{version.identity.number}, annule et remplace la version précédente"))
    return wording.filled(rows)


def _act(act: Act, report: ImagingReport, tz: tzinfo) -> str:
    """`Scanner de la tête, le 08/01/2021 à 10:25`: the RIS's own words first."""
    kinds = ", ".join(dict.fromkeys(wording.modality(item.code) for item in act.modalities))
    named = next((code.display for code in (act.local, act.ccam, act.code) if code and code.display), "")
    label = act.label or named or kinds or "Examen d'imagerie"
    start = act.start or next((item.started for item in report.studies if item.uid == act.study_uid), None)
    return f"{label}, le {wording.moment(start, tz)}" if start else label


def _recipients(report: ImagingReport) -> tuple[str, ...]:
    """Requester, médecin traitant, copies: each once."""
    people: list[Practitioner] = []
    for who in (report.requester, report.attending, *report.copies_to):
        if who is not None and who.family and who not in people:
            people.append(who)
    return tuple(dict.fromkeys(wording.person(who) for who in people))


def _sections(report: ImagingReport) -> tuple[LetterSection, ...]:
    """The sender's sections in his order; the reason of the request where he wrote no indication."""
    sections = list(report.sections)
    reason = next((order.reason for order in report.orders if order.reason), "")
    kinds = {section.kind for section in sections}
    if reason and not kinds & {SectionKind.CLINICAL, SectionKind.REQUEST, SectionKind.REPORT}:
        sections.insert(0, Section(kind=SectionKind.CLINICAL, text=reason))
    return tuple(
        LetterSection(
            title=section.title or wording.HEADINGS[section.kind],
            paragraphs=() if section.blocks else _paragraphs(section.text),
            blocks=section.blocks,
        )
        for section in sections
        if section.text.strip() or section.blocks
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    """Blank lines part paragraphs; other line breaks stay as they are. Control characters have no shape."""
    plain = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    return tuple(part.strip("\n") for part in _BLANK_LINES.split(plain) if part.strip())


def _signature(report: ImagingReport, tz: tzinfo) -> tuple[str, ...]:
    """Who wrote and who answers, with his RPPS and the time of validation."""
    lines = []
    signer = report.legal_authenticator
    writers = [
        who for who in report.authors if signer is None or (who.id, who.family) != (signer.id, signer.family)
    ]
    if writers:
        lines.append(f"Rédigé {', '.join(map(wording.by_person, writers))}")
    if signer is not None:
        at = f" le {wording.moment(report.validated_at, tz)}" if report.validated_at else ""
        lines.append(f"Validé électroniquement {wording.by_person(signer)}{at}")
        if signer.rpps:
            lines.append(f"RPPS{NBSP}: {signer.rpps}")
    return tuple(lines)


def _footer(version: ReportVersion) -> str:
    """Whose report this is, on every page: a loose sheet must still be safe."""
    patient = version.report.patient
    given = patient.birth_given or patient.birth_given_names.partition(" ")[0]
    name = " ".join(filter(None, (patient.birth_family, given)))
    born = wording.iso_day(patient.birth_date)
    number = f"Compte rendu {version.report.report_set.value}, version {version.identity.number}"
    return " – ".join(filter(None, (name, born, number)))
