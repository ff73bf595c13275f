"""Layouts of classic senders: RAD-28, RAD-128, MDM with text, several OBR, NK1 (spec hl7v2.md §4.3, §4.6)."""

from base64 import b64encode

import pytest

from gateway.model.findings import errors
from gateway.model.people import Guardian
from gateway.model.report import ReportStatus, SectionKind
from gateway.model.submission import Action
from gateway.model.terms import Address, Telecom
from tests.unit.mapping_messages import ORU, changed, mapped, report, with_field, with_observations

STUDY = "1.2.250.1.925.994044.27.123.1876399"
PDF = b64encode(b"%PDF-1.4\n%%EOF\n").decode()


@pytest.mark.req("REQ-01")
def test_rad_28_identifiers_as_hd_then_lines_of_text() -> None:
    made = report(
        with_observations(
            f"OBX|1|HD|^Study Instance UID|1|{STUDY}||||||F",
            f"OBX|2|HD|^Series Instance UID|1|{STUDY}.1||||||F",
            f"OBX|3|HD|^SOP Instance UID|1|{STUDY}.1.1||||||F",
            f"OBX|4|HD|^SR Instance UID|1|{STUDY}.2.1||||||F",
            "OBX|5|TX|^SR Text|1|Technique : sans injection.||||||F",
            "OBX|6|TX|^SR Text|1|Conclusion : examen normal.||||||F",
        )
    )
    assert made.acts[0].study_uid == made.studies[0].uid == STUDY
    assert [one.uid for one in made.studies[0].series] == [f"{STUDY}.1"]
    assert [(one.kind, one.text) for one in made.sections] == [
        (SectionKind.PROCEDURE, "sans injection."),
        (SectionKind.CONCLUSION, "examen normal."),
    ]


@pytest.mark.req("REQ-01")
def test_rad_128_study_then_sections_by_loinc() -> None:
    made = report(
        with_observations(
            f"OBX|1|ST|113014^DICOM Study^DCM|1|{STUDY}||||||F",
            f"OBX|2|ST|^Series Instance UID|1|{STUDY}.1||||||F",
            f"OBX|3|ST|^SR Instance UID|1|{STUDY}.2||||||F",
            "OBX|4|TX|59776-5^Findings^LN|1|Normal.||||||F",
            "OBX|5|TX|18783-1^Recommendation^LN|1|Contrôle dans un an.||||||F",
            "OBX|6|TX|18748-4^Diagnostic Imaging Report^LN|1|Conclusion : rien.||||||F",
        )
    )
    assert made.acts[0].study_uid == STUDY
    assert {one.kind: one.text for one in made.sections} == {
        SectionKind.FINDINGS: "Normal.",
        SectionKind.RECOMMENDATION: "Contrôle dans un an.",
        SectionKind.CONCLUSION: "rien.",
    }


@pytest.mark.parametrize(
    "value", [f"^Application^PDF^Base64^{PDF}", f"^^^^{PDF}", f"^application^pdf^base64^{PDF}", PDF]
)
def test_a_pdf_is_known_by_its_bytes_whatever_stands_before_it(value: str) -> None:
    made = report(with_observations(f"OBX|1|ED|18748-4^CR^LN|1|{value}||||||F"))
    assert [one.media_type for one in made.attachments] == ["application/pdf"]


def test_a_pointer_to_images_gives_the_study_and_is_never_called() -> None:
    pointer = f"https://pacs.example/view?studyUID={STUDY}^^SD^PICT"
    made = report(
        with_observations(f"OBX|1|RP|^Images||{pointer}||||||F", "OBX|2|TX|19005-8^^LN||Normal.||||||F")
    )
    assert made.acts[0].study_uid == STUDY


# --- MDM^T02 with text


def mdm(event: str = "T02", txa: str = "TXA|1|CR|TX|||||||||DOC-1|||||AU") -> str:
    """The canonical exam as a classic MDM: TXA says what OBR-25 says elsewhere."""
    message = with_field("MSH", 9, f"MDM^{event}^MDM_T02", with_field("OBR", 25, ""))
    place = message.index("OBX|1|")
    return message[:place] + txa + "\r" + message[place:]


def test_an_mdm_with_text_is_a_report_whose_status_is_that_of_txa() -> None:
    made = mapped(mdm())
    assert made.report is not None and errors(made.findings) == ()
    assert (made.report.status, made.context.action) == (ReportStatus.FINAL, Action.CREATE)
    assert [one.kind for one in made.report.sections][-1] is SectionKind.CONCLUSION
    held = mapped(mdm(txa="TXA|1|CR|TX|||||||||DOC-1|||||DI")).report
    assert held is not None and held.status is ReportStatus.PRELIMINARY


def test_a_replacing_mdm_names_its_original_by_txa_13() -> None:
    made = mapped(mdm("T10", "TXA|1|CR|TX|||||||||DOC-2|1.2.250.1.71.4.2.2.12||||AU"))
    assert made.report is not None and made.report.replaces is not None
    assert (made.context.action, made.report.replaces.value) == (Action.REPLACE, "1.2.250.1.71.4.2.2.12")


def test_a_number_of_the_ris_chains_documents_but_names_none_in_a_registry() -> None:
    made = mapped(mdm("T10", "TXA|1|CR|TX|||||||||DOC-2|DOC-1||||AU"))
    assert made.report is not None and made.report.replaces is None
    assert (made.context.document_id, made.context.prior_document_id) == ("DOC-2", "DOC-1")


def test_an_addendum_event_is_one_section_with_all_its_lines() -> None:
    made = mapped(mdm("T06", "TXA|1|CR|TX|||||||||DOC-2|DOC-1||||AU"))
    assert made.report is not None and errors(made.findings) == ()
    assert (made.report.status, made.context.document_id) == (ReportStatus.APPENDED, "DOC-2")
    (section,) = made.report.sections
    assert section.kind is SectionKind.ADDENDUM and section.text.count("\n") > 1


def test_an_addendum_that_is_not_signed_is_a_draft() -> None:
    draft = report(mdm("T06", "TXA|1|CR|TX|||||||||DOC-2|DOC-1||||DI"))
    assert draft.status is ReportStatus.PRELIMINARY


def test_an_edited_document_replaces_itself() -> None:
    made = mapped(mdm("T08"))
    assert made.context.action is Action.REPLACE and errors(made.findings) == ()


@pytest.mark.parametrize(
    ("control", "txa", "serves"),
    [
        ("NW", "TXA|1|CR|TX|||||||||DOC-1|||||AU", False),  # a new status of a report that is still there
        ("CA", "TXA|1|CR|TX|||||||||DOC-1|||||AU", True),
        ("NW", "TXA|1|CR|TX|||||||||DOC-1|||||AU||CA", True),  # TXA-19: deleted
    ],
)
def test_a_t04_is_a_deletion_when_all_that_it_says_agrees(control: str, txa: str, serves: bool) -> None:
    made = mapped(with_field("ORC", 1, control, mdm("T04", txa)))
    assert made.context.action is Action.DELETE
    assert [one.code for one in errors(made.findings)] == ([] if serves else ["HL7-ACTION-MISMATCH"])


def test_a_cancelled_order_beside_a_final_result_is_refused() -> None:
    """Nobody knows whether to send it or to withdraw it."""
    assert [one.code for one in errors(mapped(with_field("ORC", 1, "CA")).findings)] == [
        "HL7-ACTION-MISMATCH"
    ]


def test_an_addendum_behind_the_text_of_the_report_is_a_section() -> None:
    line = "OBX|6|TX|ACQH004&ADT^Complément|1|Relecture : rien de plus.||||||F"
    made = report(ORU.rstrip("\r") + "\r" + line + "\r")
    assert (made.sections[-1].kind, made.sections[-1].text) == (
        SectionKind.ADDENDUM,
        "Relecture : rien de plus.",
    )


# --- NK1

MOTHER = "NK1|1|PAT-TROIS^CLAIRE^^^MME|MTH^Mère^HL70063|28 Avenue de Breteuil^^PARIS^^75007|0144534551"
GUARDIAN = "NK1|2|TUTEUR^ALAIN|GRD^Tuteur^HL70063"
CHILD = "20150328"


def with_kin(*lines: str, born: str = "19790328") -> str:
    return changed(("PV1|1|", "\r".join((*lines, "PV1|1|"))), message=with_field("PID", 7, born))


def test_a_mother_answers_for_a_minor() -> None:
    made = mapped(with_kin(MOTHER, born=CHILD))
    assert made.report is not None
    assert made.report.patient.guardians == (
        Guardian(
            family="PAT-TROIS",
            given="CLAIRE",
            prefix="MME",
            address=Address(lines=("28 Avenue de Breteuil",), city="PARIS", postal_code="75007"),
            telecoms=(Telecom(value="tel:0144534551"),),
        ),
    )
    assert ("patient.guardians[0]", "NK1-2.1") in {(one.path, one.source) for one in made.provenance}
    assert {"NK1-2", "NK1-3", "NK1-4", "NK1-5"} <= set(with_kin_coverage())


def with_kin_coverage() -> tuple[str, ...]:
    from tests.unit.mapping_messages import all_mapped

    return all_mapped(with_kin(MOTHER, born=CHILD))[0].coverage.mapped


@pytest.mark.parametrize(
    ("lines", "born", "named"),
    [
        ((MOTHER,), "19790328", []),
        ((MOTHER, GUARDIAN), "19790328", ["TUTEUR"]),
        ((MOTHER, GUARDIAN), CHILD, ["TUTEUR", "PAT-TROIS"]),
        ((MOTHER,), "20030109", ["PAT-TROIS"]),  # 17 on the day of the message
        ((MOTHER,), "20030108", []),  # 18 that day
        ((MOTHER,), "2015", []),  # nobody knows whether a minor
        ((MOTHER, MOTHER), CHILD, ["PAT-TROIS"]),
        (("NK1|1|DUPONT^LUC|BRO^Frère^HL70063",), CHILD, []),
    ],
)
def test_who_answers_for_whom(lines: tuple[str, ...], born: str, named: list[str]) -> None:
    assert [one.family for one in report(with_kin(*lines, born=born)).patient.guardians] == named
