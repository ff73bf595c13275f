"""What HL7 v2 says of an exam beside its narrative: place, side, products, doses, the patient's state."""

from datetime import datetime

import pytest

from gateway.model.imaging import ContraIndication, Quantity
from gateway.model.report import SectionKind
from gateway.model.terms import DCM, SNOMED_CT
from tests.unit.mapping_messages import ORU, changed, mapped, places, report, with_field

RIGHT, LEFT, BOTH = "24028007", "7771000", "51440002"


def with_lines(*lines: str) -> str:
    """The canonical ORU with further observations behind its own."""
    return ORU.rstrip("\r") + "\r" + "\r".join(lines) + "\r"


@pytest.mark.req("REQ-27", "REQ-28")
def test_a_ccam_act_tells_its_anatomic_site_with_the_row_as_its_source() -> None:
    made = mapped(changed(("ACQH004", "NFQK001")))
    assert made.report is not None
    (act,) = made.report.acts
    assert [(one.code, one.system) for one in act.sites] == [("361291001", SNOMED_CT)]
    assert ("acts[0].sites", "ccam.csv:NFQK001") in {(one.path, one.rule) for one in made.provenance}


@pytest.mark.parametrize(
    ("body_site", "site", "region"),
    [
        ("GENOU", "361291001", "61685007"),
        ("361289009", "361289009", "53120007"),
        ("BASSIN", "229765004", "63337009"),
    ],
)
def test_the_body_site_of_obr_15_is_a_site_with_its_region(body_site: str, site: str, region: str) -> None:
    (act,) = report(with_field("OBR", 15, f"^^^{body_site}")).acts
    assert [one.code for one in act.sites] == [site]
    assert [one.code for one in act.regions] == [region]


def test_a_region_that_contradicts_the_row_of_the_act_wins_and_brings_no_site_of_the_row() -> None:
    (act,) = report(with_field("OBR", 15, "^^^63337009")).acts
    assert [one.code for one in act.regions] == ["63337009"]
    assert act.sites == ()


@pytest.mark.parametrize(
    ("field", "value", "side"),
    [(15, "^^^GENOU^L", LEFT), (15, "^^^GENOU^DROIT", RIGHT), (45, "RT^^HL70340", RIGHT), (45, "50", BOTH)],
)
def test_the_side_stands_in_the_site_modifier_or_in_the_modifier_of_the_act(
    field: int, value: str, side: str
) -> None:
    (act,) = report(with_field("OBR", field, value)).acts
    assert act.laterality is not None
    assert act.laterality.code == side


def test_a_side_that_nobody_knows_is_said() -> None:
    assert ("CODE-UNKNOWN", "OBR-45.1") in places(mapped(with_field("OBR", 45, "QQ")))


@pytest.mark.parametrize(
    ("observation", "code", "quantity"),
    [
        ("NM|113813^Produit dose longueur^DCM||905,5|mGy.cm", "113813", ("905.5", "mGy.cm")),
        ("NM|PDL||905", "113813", ("905", "mGy.cm")),
        ("SN|CTDIvol^IDSV||13.64|mGy", "113830", ("13.64", "mGy")),
        ("NM|113730^Temps de scopie^DCM||412|s", "113730", ("412", "s")),
    ],
)
def test_a_dose_of_the_official_list_belongs_to_the_act(
    observation: str, code: str, quantity: tuple[str, str]
) -> None:
    (act,) = report(with_lines(f"OBX|90|{observation}|||||F")).acts
    assert act.exposure is not None
    (dose,) = act.exposure.doses
    assert (dose.code.code, dose.code.system) == (code, DCM)
    assert dose.quantity == Quantity(value=quantity[0], unit=quantity[1])


def test_a_dose_without_number_is_said_and_left() -> None:
    made = mapped(with_lines("OBX|90|NM|113813^PDL^DCM||faible|mGy.cm|||||F"))
    assert made.report is not None
    assert made.report.acts[0].exposure is None
    assert any(code == "HL7-DATATYPE" for code, _ in places(made))


def test_products_are_gathered_by_obx_4_and_parted_by_their_atc_group() -> None:
    key = "PRODUIT_ADMINISTRE^Produit administré^TLR_OBSERVATION"
    (act,) = report(
        with_lines(
            f"OBX|90|CE|{key}|1.1|V08AB11^Iobitridol^ATC||||||F",
            f"OBX|91|ST_|{key}|1.2|LOT-7||||||F",
            f"OBX|92|NM|{key}|1.3|80|ml|||||F",
            f"OBX|93|CE|{key}|2.1|V09^^ATC||||||F",
            f"OBX|94|NM|{key}|2.3|200|MBq|||||F",
        )
    ).acts
    ((contrast,), (tracer,)) = act.products, act.radiopharmaceuticals
    assert (contrast.label, contrast.lot, contrast.quantity) == (
        "Iobitridol",
        "LOT-7",
        Quantity(value="80", unit="ml"),
    )
    assert [(one.code, one.system) for one in contrast.codes] == [("V08AB11", "2.16.840.1.113883.6.73")]
    assert tracer.label == "Produit radiopharmaceutique à usage diagnostique"
    assert tracer.quantity == Quantity(value="200", unit="MBq")


def test_a_device_is_told_by_its_identifier_and_model() -> None:
    key = "APPAREIL_IMAGERIE^Appareil^TLR_OBSERVATION"
    (device,) = report(
        with_lines(f"OBX|90|CE|{key}|1.1|1234567896363||||||F", f"OBX|91|CE|{key}|1.2|Scanner 64||||||F")
    ).devices
    assert device.label == "Scanner 64"
    assert device.udi is not None
    assert device.udi.value == "1234567896363"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("OBX|90|CE|82810-3^Pregnancy status^LN||Y^^expandedYes-NoIndicator||||||F", "77386006"),
        ("OBX|90|CWE|82810-3^^LN||LA26683-5^Not pregnant^LN||||||F", "60001007"),
    ],
)
def test_pregnancy_is_told_by_its_observation(line: str, code: str) -> None:
    made = report(with_lines(line))
    assert made.pregnancy is not None
    assert made.pregnancy.code == code


def test_pregnancy_is_told_by_pv1_15_which_says_nothing_else_of_it() -> None:
    assert report(ORU).pregnancy is None
    stated = report(with_field("PV1", 15, "B6")).pregnancy
    assert stated is not None
    assert stated.code == "77386006"
    assert report(with_field("PV1", 15, "A0")).pregnancy is None


def test_contra_indications_are_codes_of_the_official_list_or_words() -> None:
    made = report(
        with_lines(
            "OBX|90|CWE|64100-1^Contre-indications^LN||MED-1109^Claustrophobe||||||F",
            "OBX|91|CWE|64100-1^Contre-indications^LN||^Ne supporte pas le bruit||||||F",
        )
    )
    coded, worded = made.contraindications
    assert coded.code is not None
    assert (coded.code.code, coded.code.system) == ("MED-1109", "1.2.250.1.213.1.1.4.322")
    assert worded == ContraIndication(comment="Ne supporte pas le bruit")


def test_a_mammography_of_organised_screening_is_told_by_its_act() -> None:
    assert report(changed(("ACQH004", "QEQK004"))).screening
    assert not report(changed(("ACQH004", "QEQK001"))).screening


def test_nothing_of_all_this_is_kept_unread() -> None:
    lines = with_lines("OBX|90|NM|113813^PDL^DCM||905|mGy.cm|||||F", "OBX|91|CE|82810-3^^LN||N||||||F")
    assert mapped(lines).coverage.kept == mapped(ORU).coverage.kept


def test_an_addendum_is_signed_by_its_observer_at_his_time() -> None:
    observer = "801234567897^DUPONT^Alain^^^DR^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^L^^^IDNPS"
    line = f"OBX|90|TX|55107-7^Addendum^LN||Relu ce jour : inchangé.||||||F|||20210109090000||{observer}"
    (addendum,) = [one for one in report(with_lines(line)).sections if one.kind is SectionKind.ADDENDUM]
    assert addendum.text == "Relu ce jour : inchangé."
    assert addendum.author is not None
    assert (addendum.author.id, addendum.author.family) == ("801234567897", "DUPONT")
    assert addendum.authored_at == datetime.fromisoformat("2021-01-09T09:00:00+01:00")
