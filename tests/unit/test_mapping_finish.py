"""The last step of every mapping: what the profile fills, what it never touches."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.mapping import sites
from gateway.mapping.finish import finish, local_time
from gateway.model.base import encode, replace
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import Act, Encounter, ImagingReport, OrderReference, ReportStatus
from gateway.model.terms import CCAM, CCAM_OLD, LOINC, Code, Identifier
from tests.unit.mapping_messages import profile

SITE = profile().site
ROOT = "1.2.250.1.925.994044785528"


def report(**fields: object) -> ImagingReport:
    base = ImagingReport(
        report_set=Identifier(value="R1"), status=ReportStatus.FINAL, patient=Patient(birth_family="TEST")
    )
    return replace(base, **fields)


def finished(**fields: object) -> ImagingReport:
    return finish(report(**fields), profile()).report


def test_the_sites_structure_stands_where_nobody_is_named() -> None:
    made = finished()
    assert made.performer == made.custodian == SITE.structure


@pytest.mark.parametrize(
    "named",
    [Organization(id="1920008059"), Organization(name="CENTRE DE RADIOLOGIE AMBROISE")],
)
def test_the_sites_own_structure_is_completed(named: Organization) -> None:
    performer = finished(performer=named).performer
    assert performer is not None
    assert (performer.id, performer.facility_type, performer.telecoms) == (
        SITE.structure.id,
        SITE.structure.facility_type,
        SITE.structure.telecoms,
    )


@pytest.mark.parametrize("named", [Organization(id="1750000001"), Organization(name="Clinique du Nord")])
def test_another_structure_gets_nothing_of_ours(named: Organization) -> None:
    assert finished(performer=named).performer == named


HOSPITAL = """
[structures.1750000001]
name = "Hôpital fictif"
practice_setting = { code = "ETABLISSEMENT", system = "1.2.250.1.213.1.1.4.9" }
facility_type = { code = "SA01", system = "1.2.250.1.71.4.2.4" }
"""


def test_another_structure_that_the_profile_knows_is_completed_wherever_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "north.toml").write_text(HOSPITAL, encoding="utf-8")
    north = sites.load(tmp_path).named("north")
    named = Organization(id="1750000001", name="HOPITAL SAINT-MARTIN")
    asks = Practitioner(id="801234567897", family="DUPONT", organization=named)
    done = finish(report(performer=named, requester=asks, legal_authenticator=asks), north)
    made = done.report
    assert made.performer is not None
    assert made.requester is not None
    assert made.legal_authenticator is not None
    assert made.performer == made.requester.organization == made.legal_authenticator.organization
    assert made.performer.name == "HOPITAL SAINT-MARTIN"
    assert made.performer.practice_setting == Code(code="ETABLISSEMENT", system="1.2.250.1.213.1.1.4.9")
    assert made.performer.facility_type == Code(code="SA01", system="1.2.250.1.71.4.2.4")
    assert "requester.organization.facility_type" in {one.path for one in done.provenance}


def test_a_radiologist_gets_specialty_and_organisation_a_requester_neither() -> None:
    person = Practitioner(id="801234560801", family="BIDEAULT")
    made = finished(legal_authenticator=person, authors=(person,), requester=person)
    assert made.legal_authenticator == made.authors[0]
    assert made.legal_authenticator is not None
    assert made.legal_authenticator.specialty == SITE.author_specialty
    assert made.legal_authenticator.organization == SITE.structure
    assert made.requester == person


def test_what_the_message_said_of_a_radiologist_stays() -> None:
    specialty = Code(code="G15_10/SM28", system="1.2.250.1.213.1.1.4.5")
    elsewhere = Organization(id="1750000001")
    made = finished(
        legal_authenticator=Practitioner(family="X", specialty=specialty, organization=elsewhere)
    ).legal_authenticator
    assert made is not None
    assert (made.specialty, made.organization) == (specialty, elsewhere)


def test_numbers_without_authority_get_that_of_their_kind() -> None:
    number = Identifier(value="1")
    made = finished(
        patient=Patient(identifiers=(number,)),
        encounter=Encounter(number=number),
        orders=(OrderReference(placer=number, filler=number, accession=number),),
        acts=(Act(accession=number),),
    )
    order = made.orders[0]
    assert order.placer and order.filler and order.accession and made.encounter.number
    assert made.report_set.system == order.filler.system == f"{ROOT}.30"
    assert order.placer.system == SITE.authorities.placer_order
    assert order.accession.system == f"{ROOT}.27"
    assert made.acts[0].accession == order.accession
    assert made.encounter.number.system == f"{ROOT}.2"
    assert made.patient.identifiers[0].system == f"{ROOT}.1"


def test_a_ccam_code_becomes_all_that_its_row_knows() -> None:
    act = finished(
        acts=(
            Act(
                ccam=Code(code="ZBQK002", system=CCAM_OLD, display="THORAX F"),
            ),
        )
    ).acts[0]
    assert act.ccam == Code(code="ZBQK002", system=CCAM, display="Radiographie du thorax")
    assert act.code == Code(code="30745-4", system=LOINC, display="Radiographie du thorax")
    assert ([m.code for m in act.modalities], [r.code for r in act.regions]) == (["DX"], ["67734004"])
    assert act.label == "Radiographie du thorax"


def test_codes_that_the_message_gives_win_over_the_map() -> None:
    given = Act(
        ccam=Code(code="ZBQK002", system=CCAM),
        code=Code(code="36643-5", system=LOINC, display="deux incidences"),
        modalities=(Code(code="CR"),),
        label="Thorax F/P",
    )
    act = finished(acts=(given,)).acts[0]
    assert act.code == given.code
    assert (act.modalities[0].code, act.label) == ("CR", "Thorax F/P")
    assert act.modalities[0].display, "the display is that of the code map"


@pytest.mark.parametrize(
    ("act", "detail"),
    [
        (Act(), "the act has no code"),
        (Act(local=Code(code="X9")), "act code X9"),
        (Act(ccam=Code(code="ZZZZ999", system=CCAM)), "act code ZZZZ999"),
    ],
)
def test_an_act_without_a_known_code_is_said_once(act: Act, detail: str) -> None:
    (found,) = finish(report(acts=(act,)), profile()).findings
    assert (found.code, found.detail.partition(";")[0]) == ("CODE-UNKNOWN", detail)


def test_a_local_code_beside_a_loinc_code_needs_no_row() -> None:
    act = Act(local=Code(code="X9"), code=Code(code="24727-0", system=LOINC))
    assert finish(report(acts=(act,)), profile()).findings == ()


def test_an_act_takes_the_only_accession_of_the_orders_and_makes_its_study() -> None:
    accession = Identifier(value="A", system="1.2.3")
    start = datetime(2021, 1, 8, 9, 25, tzinfo=UTC)
    act = Act(study_uid="1.2.3.4", start=start, ccam=Code(code="ACQN001", system=CCAM))
    made = finished(acts=(act,), orders=(OrderReference(accession=accession),))
    study = made.studies[0]
    assert (made.acts[0].accession, study.accession, study.modalities) == (accession, accession, ("MR",))
    assert study.started == made.acts[0].start == start


def test_two_accessions_are_not_guessed_between() -> None:
    orders = tuple(OrderReference(accession=Identifier(value=v, system="1.2")) for v in "AB")
    assert finished(acts=(Act(),), orders=orders).acts[0].accession is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2021-01-08T10:17:00+00:00", "2021-01-08T11:17:00+01:00"),
        ("2021-07-08T10:17:00.999+00:00", "2021-07-08T12:17:00+02:00"),
        ("2021-07-08T12:17:00", "2021-07-08T12:17:00+02:00"),
    ],
)
def test_times_get_the_sites_offset_at_their_own_date(moment: str, expected: str) -> None:
    made = local_time(datetime.fromisoformat(moment), SITE.tz)
    assert made is not None
    assert made.isoformat() == expected


def test_a_received_document_is_not_completed_but_its_times_are_local() -> None:
    given = report(validated_at=datetime(2021, 1, 8, 10, 17, tzinfo=UTC), acts=(Act(),))
    made = finish(given, profile(), complete=False)
    assert (made.report.performer, made.report.report_set.system, made.findings) == (None, "", ())
    assert made.report.validated_at is not None
    assert made.report.validated_at.isoformat() == "2021-01-08T11:17:00+01:00"


def test_equal_reports_give_equal_bytes_however_their_texts_were_made() -> None:
    language, kind = "-".join(("fr", "FR")), "".join(("A", "MB"))
    built = finish(report(language=language, encounter=Encounter(kind=kind)), profile()).report
    assert encode(built) == encode(finished())


def test_every_filled_value_names_what_filled_it() -> None:
    act = Act(ccam=Code(code="ACQN001", system=CCAM))
    trail = {(one.path, one.rule) for one in finish(report(acts=(act,)), profile()).provenance}
    assert {
        ("performer", "default.toml:structure"),
        ("report_set.system", "default.toml:authorities.filler_order"),
        ("acts[0].code", "ccam.csv:ACQN001"),
    } <= trail
