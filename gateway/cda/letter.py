"""A CDA with words for a body → the letter that people read: for documents that came without a PDF."""

from typing import Final

from gateway.cda.reader import body_text, document, header
from gateway.cda.reader_body import BodySection, body_sections
from gateway.cda.reader_parts import parse_ts
from gateway.cda.tree import Element
from gateway.cda.values import CdaHeader, Party, ServiceEvent
from gateway.model import wording
from gateway.model.letter import Letter, LetterSection
from gateway.model.narrative import Block
from gateway.model.people import Organization
from gateway.model.terms import CIM10
from gateway.model.wording import NBSP, Rows

_ORDER: Final = "55115-0"
"""Document code of an imaging order (cda.md §6)."""


def letter(data: bytes) -> Letter:
    """Letterhead, identity, exam, narrative and signature of a CDA.

    Every word of the narrative is in it; entries are not read (the text is what was signed). A body that is a
    PDF gives no sections. Raises CdaError (see `read`).
    """
    root = document(data)
    values = header(root)
    patient = values.patient
    return Letter(
        title=wording.document_title(values.title),
        sender=_letterhead(values),
        identity=wording.identity(patient, patient.ins),
        ins=patient.ins.value if patient.ins is not None else "",
        exam=_exam(values),
        recipients=_recipients(values),
        sections=_sections(root),
        signature=_signature(values),
        footer=_footer(values),
        language=values.language.partition("-")[0] or "fr",
    )


def _letterhead(values: CdaHeader) -> tuple[str, ...]:
    """The structure of the exam's performer, of the author, else the custodian."""
    performer = values.principal.performer if values.principal is not None else None
    people = (performer, *values.authors, values.custodian)
    found = (who.practitioner.organization for who in people if who is not None)
    structure = next((item for item in found if item is not None and item.name), Organization())
    telecoms = filter(None, map(wording.telecom, structure.telecoms))
    return tuple(filter(None, (structure.name, *wording.postal(structure.address), *telecoms)))


def _exam(values: CdaHeader) -> Rows:
    requester = next((party for party in values.participants if party.type_code == "REF"), None)
    asked = values.code.code == _ORDER  # its acts stand in its plan
    rows = [("Examen", _act(event)) for event in values.service_events if _is_act(event) and not asked]
    made = values.principal.low if asked and values.principal is not None else ""
    accessions = [order.accession.value for order in values.orders if order.accession]
    placers = [order.placer.value for order in values.orders if order.placer]
    rows += [
        ("N° d'examen", ", ".join(dict.fromkeys(accessions))),
        ("Demandeur", wording.person(requester.practitioner) if requester else ""),
        ("N° de demande", ", ".join(dict.fromkeys(placers))),
        ("Date de la demande", (_day(requester.time_high) if requester else "") or _day(made)),
    ]
    if values.version_number > 1:
        rows.append(("Version", f"{values.version_number}, annule et remplace la version précédente"))
    return wording.filled(rows)


def _is_act(event: ServiceEvent) -> bool:
    return event.code is None or event.code.system != CIM10


def _act(event: ServiceEvent) -> str:
    """`Scanner de la tête, le 08/01/2021 à 10:25`: French labels are those of the CCAM and modalities."""
    codes = (event.ccam, event.code, *event.modalities)
    label = next((code.display for code in codes if code is not None and code.display), "Examen d'imagerie")
    at = _moment(event.low)
    return f"{label}, le {at}" if at else label


def _recipients(values: CdaHeader) -> tuple[str, ...]:
    parties = (*values.participants, *values.recipients)
    named = (party.practitioner for party in parties if party.practitioner.family)
    return tuple(dict.fromkeys(wording.person(who) for who in named))


def _sections(root: Element) -> tuple[LetterSection, ...]:
    plain = body_text(root)
    if plain:
        lines = tuple(part.strip("\n") for part in plain.split("\n\n") if part.strip())
        return (LetterSection(title=wording.WHOLE, paragraphs=lines),)
    return tuple(
        LetterSection(
            title=section.title, blocks=(*_written_by(section), *section.blocks), level=min(section.level, 1)
        )
        for section in body_sections(root)
    )


def _written_by(section: BodySection) -> tuple[Block, ...]:
    """Authors of a section of its own (addendum)."""
    return tuple(Block(text=words, heading=True) for party in section.authors if (words := signed(party)))


def signed(party: Party) -> str:
    """`Dr Alain DUPONT, le 08/01/2021 à 11:17`, "" for a party without a name."""
    who = wording.person(party.practitioner) if party.practitioner.family else ""
    return ", ".join(filter(None, (who, _le(party)))) if who else ""


def _le(party: Party) -> str:
    at = _moment(party.time)
    return f"le {at}" if at else ""


def _signature(values: CdaHeader) -> tuple[str, ...]:
    signer = values.legal_authenticator
    own = signer.practitioner if signer is not None else None
    writers = [
        party.practitioner
        for party in values.authors
        if party.practitioner.family and (own is None or party.practitioner.id != own.id)
    ]
    lines = []
    if writers:
        lines.append(f"Rédigé {', '.join(map(wording.by_person, writers))}")
    if signer is not None and own is not None:
        lines.append(
            " ".join(filter(None, (f"Validé électroniquement {wording.by_person(own)}", _le(signer))))
        )
        if own.rpps:
            lines.append(f"RPPS{NBSP}: {own.rpps}")
    return tuple(lines)


def _footer(values: CdaHeader) -> str:
    patient = values.patient
    given = patient.birth_given or patient.birth_given_names.partition(" ")[0]
    name = " ".join(filter(None, (patient.birth_family, given)))
    version = f"version {values.version_number}" if values.version_number else ""
    return " – ".join(filter(None, (name, wording.iso_day(patient.birth_date), values.title, version)))


def _moment(ts: str) -> str:
    """A time as written, in its own offset."""
    found = parse_ts(ts)
    if found is None:
        return ""
    return found.strftime("%d/%m/%Y à %H:%M") if len(ts) > 8 else found.strftime("%d/%m/%Y")


def _day(ts: str) -> str:
    found = parse_ts(ts)
    return found.strftime("%d/%m/%Y") if found is not None else ""
