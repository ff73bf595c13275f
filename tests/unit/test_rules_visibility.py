"""The MSSanté matrix over all 128 combinations of its flags (volet Transmission 2.1 §1.6; REQ-39)."""

from itertools import product

import pytest

from gateway.model.findings import Severity
from gateway.model.submission import Flags
from gateway.rules import visibility
from tests.rule_cases import codes, decided, message, rows

FLAGS = tuple(visibility.FLAG_NAMES)


def official(f: dict[str, bool]) -> bool:
    """The three rows of the volet, written out by hand."""
    masks = f["masked_ps"], f["invisible_patient"], f["invisible_legal_representatives"]
    both = masks == (False, False, False) and f["to_professionals"] and f["to_patient"]
    only_ps = masks == (False, True, False) and f["to_professionals"] and not f["to_patient"]
    only_patient = (
        not f["invisible_patient"]
        and not f["secret_connection"]
        and not f["to_dmp"]
        and not f["to_professionals"]
        and f["to_patient"]
    )
    return both or only_ps or only_patient


@pytest.mark.req("REQ-39")
def test_every_combination_gives_what_the_matrix_says() -> None:
    seen = set()
    for values in product((False, True), repeat=len(FLAGS)):
        f = dict(zip(FLAGS, values, strict=True))
        found = [one.code for one in visibility.check(message(flags=Flags(**f)))]
        masks = f["masked_ps"], f["invisible_patient"], f["invisible_legal_representatives"]
        most_common = masks == (False, False, False) and f["to_professionals"] and not f["to_patient"]
        if f["invisible_patient"] and f["to_patient"]:
            expected = ["INVISIBLE-TO-PATIENT-MAIL"]
        elif not (f["to_professionals"] or f["to_patient"]) or official(f) or most_common:
            expected = []
        else:
            expected = ["MSS-MATRIX"]
        assert found == expected, f
        seen.update(expected)
    assert seen == {"INVISIBLE-TO-PATIENT-MAIL", "MSS-MATRIX"}


def test_outside_the_matrix_is_a_warning_and_names_the_flags() -> None:
    # The official radiology MDM: INVISIBLE_PATIENT and INVISIBLE_REP_LEGAUX, to professionals and DMP.
    flags = Flags(
        invisible_patient=True, invisible_legal_representatives=True, to_professionals=True, to_dmp=True
    )
    (found,) = visibility.check(message(flags=flags))
    assert found.severity is Severity.WARNING
    assert found.detail == "Y: INVISIBLE_PATIENT, INVISIBLE_REP_LEGAUX, DESTDMP, DESTMSSANTEPS"


@pytest.mark.req("REQ-39", "REQ-49")
def test_a_mail_to_the_patient_of_what_the_patient_may_not_see_is_always_refused() -> None:
    flags = Flags(invisible_patient=True, to_patient=True)
    decision = decided(message(flags=flags))
    assert (decision.verdict, rows(decision)) == ("reject", [])
    assert "INVISIBLE-TO-PATIENT-MAIL" in codes(decision)


def test_flags_that_nobody_sent_draw_no_finding() -> None:
    assert visibility.check(message()) == ()
