"""Business acknowledgements ZAM^Z01, Z02 and Z03, segment by segment (volet Transmission 2.1 §1.8)."""

from datetime import UTC, datetime

import pytest

from gateway import hl7v2
from gateway.hl7v2 import cisis
from gateway.hl7v2.zam import Zam, ZamEvent, ZamFault, ZamRoute, zam
from gateway.model.base import replace

NOW = datetime(2021, 1, 8, 12, 0, 5, tzinfo=UTC)
EARLIER = datetime(2021, 1, 8, 11, 59, 58, tzinfo=UTC)
ROUTE = ZamRoute(
    sending_application="PASSERELLE",
    sending_facility="AMBROISE",
    receiving_application="RIS-AMBROISE",
    receiving_facility="CENTRE-AMBROISE",
    processing_id="T",
)
TAKEN = Zam(event=ZamEvent.DMP_RECEPTION, route=ROUTE, about="RIS-2021-000042-1", occurred_at=EARLIER)
MAILED = replace(
    TAKEN,
    event=ZamEvent.MAIL_RECEPTION,
    person="801234567897",
    mailbox="alain.dupont@test-ci-sis.mssante.fr",
)


def lines(one: Zam, charset: str = "utf-8") -> list[str]:
    return zam(one, now=NOW, control_id="7", charset=charset).decode(charset).split("\r")


@pytest.mark.req("REQ-41")
def test_z01_tells_that_the_dmp_took_the_document() -> None:
    assert lines(TAKEN) == [
        "MSH|^~\\&|PASSERELLE|AMBROISE|RIS-AMBROISE|CENTRE-AMBROISE|20210108120005+0000||ZAM^Z01^ZAM_Z01|7|T|2.6"
        "|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2",
        "EVN||20210108115958+0000",
        "OBX|1|CWE|ACK_RECEPTION_DMP^Accusé de réception DMP^AckMetierZAM|RIS-2021-000042-1"
        "|Y^^expandedYes-NoIndicator||||||F",
        "",
    ]


@pytest.mark.req("REQ-41")
def test_a_refusal_of_the_dmp_says_n_and_carries_its_code() -> None:
    refused = replace(TAKEN, fault=ZamFault(code="DMPClosed", label="DMP fermé"))
    assert lines(refused)[2:] == [
        "OBX|1|CWE|ACK_RECEPTION_DMP^Accusé de réception DMP^AckMetierZAM|RIS-2021-000042-1"
        "|N^^expandedYes-NoIndicator||||||F",
        "ERR|||207^Application error^messageErrorCondition|E|DMPClosed^DMP fermé^DMP_ERROR_CODE",
        "",
    ]


@pytest.mark.req("REQ-41")
def test_z02_names_the_recipient_of_the_mail() -> None:
    assert lines(MAILED)[2:] == [
        "OBX|1|CWE|ACK_RECEPTION_MSS^Accusé de réception MSSanté^AckMetierZAM|RIS-2021-000042-1"
        "|Y^^expandedYes-NoIndicator||||||F",
        "OBX|2|XTN|DESTINATAIRE_MSS^Destinataire MSSanté^AckMetierZAM|801234567897"
        "|^^X.400^alain.dupont@test-ci-sis.mssante.fr||||||F",
        "",
    ]


def test_z02_that_failed_carries_the_smtp_code_behind_the_recipient() -> None:
    failed = replace(MAILED, fault=ZamFault(code="550", label="boîte inconnue"))
    assert [line[:3] for line in lines(failed)] == ["MSH", "EVN", "OBX", "OBX", "ERR", ""]
    assert lines(failed)[4].endswith("|E|550^boîte inconnue^SMTPERRORCODE")


def test_z03_tells_who_read_the_mail() -> None:
    read = replace(MAILED, event=ZamEvent.MAIL_READING, fault=ZamFault(code="906", label="Autre"))
    written = lines(read)
    assert "|ZAM^Z03^ZAM_Z01|" in written[0]
    assert written[2].startswith("OBX|1|CWE|ACK_LECTURE_MSS^Accusé de lecture^AckMetierZAM|")
    assert written[3].startswith(
        "OBX|2|XTN|LECTEUR_MSS^Lecteur du courriel MSSanté^AckMetierZAM|801234567897|"
    )
    assert written[4].endswith("|906^Autre^applicationErrorCondition")


def test_it_goes_out_in_the_other_character_set_of_the_volet() -> None:
    data = zam(TAKEN, now=NOW, control_id="7", charset="iso8859-15")
    assert b"|FRA|8859/15|" in data
    assert "Accusé".encode("iso8859-15") in data


@pytest.mark.parametrize(
    ("control_id", "written"),
    [
        ("015", "015"),
        ("A\\T\\B", "A\\T\\B"),  # escapes of the sender stay as they are
        ("A|B", "A\\F\\B"),  # came under other delimiters: `|` was no delimiter there
    ],
)
def test_the_control_id_comes_back_verbatim(control_id: str, written: str) -> None:
    assert lines(replace(TAKEN, about=control_id))[2].split("|")[4] == written


@pytest.mark.parametrize("wrong", [replace(TAKEN, about=""), replace(MAILED, mailbox="")])
def test_what_could_not_be_correlated_is_not_written(wrong: Zam) -> None:
    with pytest.raises(ValueError, match=r"MSH-10|mailbox"):
        lines(wrong)


def test_our_reader_reads_it() -> None:
    message = hl7v2.read(zam(MAILED, now=NOW, control_id="7"))
    assert message.findings == ()
    assert (message.message_code, message.trigger_event, message.structure) == ("ZAM", "Z02", "ZAM_Z01")
    assert message.profile == cisis.OUR_PROFILE
    assert message.all("OBX")[1].value(5, component=4) == "alain.dupont@test-ci-sis.mssante.fr"
