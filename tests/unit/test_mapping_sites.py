"""Site profiles: the shipped default, a site's own files, and every fault with file and line."""

from pathlib import Path

import pytest

from gateway.hl7v2 import read
from gateway.mapping import sites
from gateway.mapping.sites import SitesError
from gateway.model.report import SectionKind
from gateway.model.terms import Identifier
from tests.unit.mapping_messages import ORU, changed, report, with_field


def write(folder: Path, text: str, name: str = "north.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(SitesError) as failed:
        sites.load(folder)
    return tuple(str(problem) for problem in failed.value.problems)


def test_the_shipped_default_is_complete_and_fictive() -> None:
    site = sites.load().default.site
    assert (site.name, site.fictive, site.timezone) == ("default", True, "Europe/Paris")
    assert (site.structure.id, site.structure.name) == ("1920008059", "Centre de radiologie Ambroise")
    assert site.structure.facility_type is not None
    assert site.structure.facility_type.code == "SA08"
    assert site.keeper is site.structure
    assert dict(site.directory) == {"801234567897": "alain.dupont@test-ci-sis.mssante.fr"}
    assert len(site.source_id) <= 64


def test_a_profile_inherits_key_by_key_what_it_does_not_say(tmp_path: Path) -> None:
    write(tmp_path, '[structure]\nname = "Radiologie du Nord"\n[policies]\nMSS-MATRIX = "error"\n')
    site = sites.load(tmp_path).named("north").site
    assert (site.structure.name, site.structure.id) == ("Radiologie du Nord", "1920008059")
    assert site.policies == (("MSS-MATRIX", "error"),)
    assert site.fictive


def test_a_real_house_inherits_no_constant_of_the_fictive_one(tmp_path: Path) -> None:
    write(tmp_path, 'fictive = false\n[structure]\nid = "1750000001"\nname = "Imagerie"\n')
    site = sites.load(tmp_path).named("north").site
    assert (site.fictive, site.structure.id, site.structure.address) == (False, "1750000001", None)
    assert (site.sector, site.source_id, site.mail.mailbox, site.directory) == ("", "", "", ())
    assert site.authorities.patient == ""
    assert site.software.name, "the software is the same in every house"


def test_a_profile_claims_its_senders_and_the_closest_claim_wins(tmp_path: Path) -> None:
    write(tmp_path, '[match]\nsending_facility = ["CENTRE-AMBROISE"]\n', "facility.toml")
    write(
        tmp_path,
        '[match]\nsending_facility = ["CENTRE-AMBROISE"]\nsending_application = ["RIS-AMBROISE"]\n',
        "both.toml",
    )
    loaded = sites.load(tmp_path)

    def match(message: str) -> str:
        return loaded.match(read(message.encode())).name

    assert match(ORU) == "both"
    assert match(with_field("MSH", 3, "OTHER")) == "facility"
    assert match(with_field("MSH", 4, "ELSEWHERE")) == "default"


def test_the_profile_for_unclaimed_messages_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert sites.load(tmp_path, "north").default.name == "north"
    with pytest.raises(SitesError, match=r"south\.toml: no such profile"):
        sites.load(tmp_path, "south")


@pytest.mark.req("REQ-28")
def test_a_locator_of_the_site_changes_what_is_read_without_a_change_of_code(tmp_path: Path) -> None:
    write(tmp_path, '[locators]\n"order.accession" = "OBR-19.1"\n')
    message = with_field("OBR", 19, "ACC-19")
    own = sites.load(tmp_path).named("north")
    assert report(message, own).orders[0].accession == Identifier(
        value="ACC-19", system="1.2.250.1.925.994044785528.27"
    )


@pytest.mark.req("REQ-28")
def test_a_code_table_of_the_site_changes_what_comes_out_without_a_change_of_code(tmp_path: Path) -> None:
    write(tmp_path, '[codes]\nlocal = ["acts.csv"]\nmodality = ["modality_north.csv"]\n')
    (tmp_path / "acts.csv").write_text(
        "local,label,ccam,loinc,modality,region,source\nSC12,Scanner cérébral,ACQK001,,,,RIS North\n"
    )
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "modality_north.csv").write_text(
        "word,code,display,source\nZZ9,CT,Scanner,RIS North\n"
    )
    message = changed(("ACQH004^Scanner du crâne et du tronc avec injection^CCAM", "SC12^Cérébral^L"))
    message = with_field("OBR", 24, "ZZ9", message)
    act = report(message, sites.load(tmp_path).named("north")).acts[0]
    assert act.code is not None and act.ccam is not None and act.local is not None
    assert (act.local.code, act.ccam.code, act.code.code) == ("SC12", "ACQK001", "30799-1")
    assert [modality.code for modality in act.modalities] == ["CT"]


def test_a_heading_of_the_site_opens_a_section(tmp_path: Path) -> None:
    write(tmp_path, '[headings]\n"Ce que je vois" = "59776-5"\n')
    own = sites.load(tmp_path).named("north")
    hit = own.codes.section("heading", "CE QUE JE VOIS")
    assert hit is not None
    assert (hit.value, hit.rule) == (SectionKind.FINDINGS, "north.toml:headings")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('fictive = true\n\nname = "x"\n', "north.toml:3: unknown key `name`"),
        ("fictive = \n", "north.toml:1: Invalid value"),
        ("[structure]\nid = 1920008059\n", "north.toml:2: Expected `str`, got `int`"),
        ('[structure]\nid = "1"\nphone = "x"\n', "north.toml:3: Object contains unknown field `phone`"),
        ('[locators]\n"patient.ins" = "PID3"\n', "north.toml:2: locator `patient.ins`: `PID3` is no locator"),
        ('[locators]\n"patient.inz" = "PID-3"\n', "north.toml:2: unknown locator `patient.inz`"),
        ('[codes]\nccam = ["nowhere.csv"]\n', "north.toml:2: code table `nowhere.csv` not found"),
        ('[codes]\nsnomed = ["ccam.csv"]\n', "north.toml:2: unknown key `snomed` in [codes]"),
        ('[policies]\nMSS-MATRIX = "fatal"\n', "north.toml:2: policy `MSS-MATRIX`: `fatal` is no severity"),
        ('[policies]\nNO-SUCH = "error"\n', "north.toml:2: policy for unknown finding `NO-SUCH`"),
        ('[headings]\nVu = "1-1"\n', "north.toml:2: heading `Vu`: `1-1` is no section code"),
        ('[ignored]\nOBX = "x"\n', "north.toml:2: `OBX` is no field: expected SEG-n"),
        ("[structures]\nnorth = {}\n", "north.toml:2: `north` must be a table [structures.<Struct_IdNat>]"),
        ('[structures.17]\nphone = "x"\n', "north.toml:2: Object contains unknown field `phone`"),
        ('timezone = "Europe/Paname"\n', "north.toml:1: unknown time zone `Europe/Paname`"),
        ('match = "RIS"\n', "north.toml:1: `match` must be a table"),
        ('cda_level = "n4"\n', "north.toml:1: `n4` is none of n1, n3"),
        ('[mail]\npdf_alone = "yes"\n', "north.toml:2: `yes` is none of never, fallback, always"),
        ('source_id = "urn:oid:1.2"\n', "north.toml:1: `urn:oid:1.2` is no OID"),
        ('[authorities]\naccession = "1.02.3"\n', "north.toml:2: `1.02.3` is no OID"),
        ('[structure]\nid = "920008059"\n', "north.toml:2: `920008059` is no national number of a structure"),
        ('[structures.77]\nname = "X"\n', "north.toml:1: `77` is no national number of a structure"),
        ('[mail]\nmailbox = "radiologie"\n', "north.toml:2: `radiologie` is no mailbox"),
        ('[directory]\n801234560801 = "a@b"\n', "north.toml:2: `a@b` is no mailbox"),
    ],
)
def test_every_fault_of_a_profile_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    told = problems(write(tmp_path, text))
    assert len(told) == 1
    assert told[0].startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("word,code\nX,CT\n", "own.csv:1: columns must be word,code,display,source"),
        ("word,code,display,source\nX,CT,Scanner\n", "own.csv:2: a row has 4 cells"),
        ("word,code,display,source\nX,CT,Scanner,\n", "own.csv:2: `word` and `source` must not be empty"),
    ],
)
def test_every_fault_of_a_code_table_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "own.csv").write_text(text)
    assert problems(write(tmp_path, '[codes]\nmodality = ["own.csv"]\n')) == (problem,)


def test_a_cell_that_leads_to_no_row_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(
        "local,label,ccam,loinc,modality,region,source\nA,Acte,ZZZZ999,,,,here\n"
    )
    told = problems(write(tmp_path, '[codes]\nlocal = ["own.csv"]\n'))
    assert told == ("own.csv:2: CCAM code ZZZZ999 has no row in the table ccam",)


def test_all_files_are_checked_before_anything_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "nonsense = 1\n", "a.toml")
    write(tmp_path, "[broken\n", "b.toml")
    assert [told.partition(":")[0] for told in problems(tmp_path)] == ["a.toml", "b.toml"]


def test_the_wrong_values_of_a_profile_are_told_together(tmp_path: Path) -> None:
    text = 'timezone = "Europe/Paname"\n[authorities]\npatient = "?"\naccession = "?"\n'
    assert [one.split(":")[1] for one in problems(write(tmp_path, text))] == ["1", "3", "4"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="sites_dir is no folder"):
        sites.load(tmp_path / "missing")
