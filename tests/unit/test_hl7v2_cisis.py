"""The tables of the CI-SIS volet agree with the model and with themselves."""

from gateway.hl7v2 import cisis
from gateway.model.findings import CATALOGUE
from gateway.model.submission import Action, Flags, SubmissionContext


def test_every_action_has_one_row() -> None:
    create, replace, delete = Action.CREATE, Action.REPLACE, Action.DELETE
    assert {"NW": create, "RO": replace, "CA": delete} == cisis.ACTION_BY_ORDER_CONTROL
    assert {"T02": create, "T10": replace, "T04": delete} == cisis.ACTION_BY_MDM_EVENT
    assert {"F": create, "C": replace, "D": delete} == cisis.ACTION_BY_RESULT_STATUS


def test_every_coded_flag_fills_a_field_of_the_model() -> None:
    told_elsewhere = {"patient_may_not_reply"}  # NTE-4 = FIN
    assert {row.field for row in cisis.FLAG_ROWS} == set(Flags.__struct_fields__) - told_elsewhere


def test_flags_stand_in_their_normative_order() -> None:
    assert [row.code for row in cisis.FLAG_ROWS] == [
        "MASQUE_PS",
        "INVISIBLE_PATIENT",
        "INVISIBLE_REP_LEGAUX",
        "CONNEXION_SECRETE",
        "MODIF_CONF_CODE",
        "DESTDMP",
        "DESTMSSANTEPS",
        "DESTMSSANTEPAT",
        "ACK_RECEPTION",
        "ACK_LECTURE_MSS",
    ]


def test_aliases_mean_the_same() -> None:
    for alias in ("INVISIBLE_REPRESENTANTS_LEGAUX", "INVISIBLE_REPRENSANTS_LEGAUX"):
        assert cisis.FLAG_FIELDS[alias] == "invisible_legal_representatives"
    assert cisis.FLAG_FIELDS["MODIF_CONFIDENTIALITYCODE"] == "modified_confidentiality"
    assert cisis.FLAG_FIELDS["ACK_LECTURE"] == "acknowledge_reading"


def test_mail_bodies_fill_fields_of_the_context() -> None:
    assert set(cisis.MAIL_BODIES.values()) <= set(SubmissionContext.__struct_fields__)


def test_error_tables_hold_every_code_of_the_catalogue() -> None:
    for spec in CATALOGUE.values():
        assert spec.err3 in cisis.MESSAGE_ERROR_CONDITIONS, spec.code
        assert not spec.err5 or spec.err5 in cisis.APPLICATION_ERROR_CONDITIONS, spec.code
