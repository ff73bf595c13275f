"""The ER7 reader: every byte kept, every field where the standard counts it, every tolerance told."""

import base64

import pytest

from gateway import hl7v2

# A classic RIS result, segment by segment: header in UTF-8, qualified test identity (INS and local number),
# order with an XCN radiologist, two lines of text, one embedded document.
ORU = (
    b"MSH|^~\\&|RIS|AMBROISE|GATEWAY|PFI|20210108111730+0100||ORU^R01^ORU_R01|MSG-42|T|2.5^FRA^2.11"
    b"|||||FRA|UNICODE UTF-8|||2.1^ CISIS_CDA_HL7_V2\r"
    b"PID|1||279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
    b'~000003^^^AMBROISE&1.2.250.1.999.1&ISO^PI||PAT-TROIS^DOMINIQUE^DOMINIQUE^^^^L||19790328|F|||""\r'
    b"OBR|1||CR-42^RIS|18748-4^CR d'imagerie m\xc3\xa9dicale^LN||||||||||||||||||||||F\r"
    b"OBX|1|TX|||Pas de l\xc3\xa9sion \\T\\ pas de fracture.||||||F\r"
    b"OBX|2|TX|||premi\xc3\xa8re~seconde||||||F\r"
    b"OBX|3|ED|||^TEXT^PDF^Base64^" + base64.b64encode(b"%PDF-1.4 & more") + b"||||||F\r"
)


@pytest.fixture
def oru() -> hl7v2.Message:
    return hl7v2.read(ORU)


def obx(field_5: bytes, *, header: bytes = b"MSH|^~\\&|||||||ORU^R01|1|T|2.5") -> hl7v2.Segment:
    """The OBX of a message whose OBX-5 is `field_5`."""
    found = hl7v2.read(header + b"\rOBX|1|ED|||" + field_5 + b"\r").first("OBX")
    assert found is not None
    return found


class TestMessage:
    @pytest.mark.req("REQ-01")
    def test_keeps_its_bytes_and_its_segments_in_order(self, oru: hl7v2.Message) -> None:
        assert oru.raw is ORU
        assert [one.name for one in oru.segments] == ["MSH", "PID", "OBR", "OBX", "OBX", "OBX"]
        assert b"\r".join(one.raw for one in oru.segments) + b"\r" == ORU

    def test_names_its_header_fields(self, oru: hl7v2.Message) -> None:
        assert (oru.sending_application, oru.sending_facility) == ("RIS", "AMBROISE")
        assert (oru.receiving_application, oru.receiving_facility) == ("GATEWAY", "PFI")
        assert (oru.message_code, oru.trigger_event, oru.structure) == ("ORU", "R01", "ORU_R01")
        assert (oru.control_id, oru.processing_id, oru.version) == ("MSG-42", "T", "2.5")
        assert (oru.sent_at_text, oru.charset) == ("20210108111730+0100", "utf-8")

    def test_trims_the_stray_blank_in_the_profile(self, oru: hl7v2.Message) -> None:
        assert oru.profile == "2.1^CISIS_CDA_HL7_V2"  # the IG's own example has `2.1^ CISIS_…`

    def test_without_deviation_has_no_finding(self, oru: hl7v2.Message) -> None:
        assert oru.findings == ()

    def test_finds_segments_by_name_and_number(self, oru: hl7v2.Message) -> None:
        assert [(one.index, one.number) for one in oru.all("OBX")] == [(3, 1), (4, 2), (5, 3)]
        assert oru.first("OBX") is oru.segments[3]
        assert oru.first("ZDS") is None
        assert oru.all("ZDS") == ()
        assert oru.value("ZDS", 1) == ""

    def test_counts_msh_fields_from_the_separator(self, oru: hl7v2.Message) -> None:
        assert oru.value("MSH", 1) == "|"
        assert oru.value("MSH", 2) == "^~\\&"
        assert oru.value("MSH", 3) == "RIS"
        assert oru.value("MSH", 12, component=3) == "2.11"

    def test_gives_the_control_id_verbatim(self) -> None:
        assert hl7v2.read(b"MSH|^~\\&|||||||ORU^R01| A^B\\T\\ |P|2.5\r").control_id == " A^B\\T\\ "

    def test_takes_the_event_of_evn_when_msh_names_none(self) -> None:
        assert hl7v2.read(b"MSH|^~\\&|||||||ADT|1|P|2.2\rEVN|A08\r").trigger_event == "A08"

    def test_takes_the_structure_behind_a_repeated_type(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||MDM^T02^MDM^T02^MDM_T02|1|P|2.6\r")  # official LPS example
        assert (message.message_code, message.trigger_event, message.structure) == ("MDM", "T02", "MDM_T02")

    @pytest.mark.parametrize(
        ("sent", "read_as"),
        [("2.5", "2.5"), ("2.5.0", "2.5"), ("2.5.2", "2.5.1"), ("3.0", "2.9"), ("", "2.5"), ("V2", "2.5")],
    )
    def test_reads_an_unknown_version_as_the_nearest(self, sent: str, read_as: str) -> None:
        message = hl7v2.read(f"MSH|^~\\&|||||||ORU^R01|1|P|{sent}\r".encode())
        assert message.known_version == read_as
        told = [(one.code, one.location) for one in message.findings]
        assert told == ([] if sent == read_as else [("HL7-VERSION", "MSH-12")])


class TestSegment:
    def test_reads_repetitions_components_and_subcomponents(self, oru: hl7v2.Message) -> None:
        pid = oru.segments[1]
        assert pid.repetitions(3) == 2
        assert pid.value(3) == "279035121518989"
        assert pid.value(3, 1, 4, 2) == "1.2.250.1.213.1.4.10"
        assert pid.value(3, repetition=2, component=5) == "PI"
        assert pid.components(3, 2) == ("000003", "", "", "AMBROISE&1.2.250.1.999.1&ISO", "PI")
        assert pid.subcomponents(3, 2, 4) == ("AMBROISE", "1.2.250.1.999.1", "ISO")

    @pytest.mark.parametrize("place", [(99, 1, 1, 1), (3, 9, 1, 1), (3, 1, 9, 1), (3, 1, 4, 9), (0, 1, 1, 1)])
    def test_reads_what_is_missing_as_empty(self, oru: hl7v2.Message, place: tuple[int, ...]) -> None:
        assert oru.segments[1].value(*place) == ""

    def test_tells_null_from_empty(self, oru: hl7v2.Message) -> None:
        pid = oru.segments[1]
        assert (pid.value(11), pid.is_null(11)) == ("", True)
        assert (pid.value(10), pid.is_null(10)) == ("", False)

    def test_gives_text_with_repetitions_as_lines_and_stray_delimiters(self, oru: hl7v2.Message) -> None:
        first, second, _ = oru.all("OBX")
        assert first.text(5) == "Pas de lésion & pas de fracture."
        assert second.text(5) == "première\nseconde"
        assert obx(b"T1^T2 R&D").text(5) == "T1^T2 R&D"

    def test_lists_populated_fields_and_counts_all(self, oru: hl7v2.Message) -> None:
        assert list(oru.segments[1].populated()) == [1, 3, 5, 7, 8, 11]
        assert oru.segments[1].field_count == 11

    @pytest.mark.parametrize(
        ("place", "written"),
        [
            ((3,), "OBX(2)-3"),
            ((3, 2), "OBX(2)-3[2]"),
            ((3, 1, 4, 2), "OBX(2)-3.4.2"),
            ((), "OBX(2)"),
        ],
    )
    def test_writes_its_location(self, oru: hl7v2.Message, place: tuple[int, ...], written: str) -> None:
        assert oru.all("OBX")[1].location(*place) == written

    def test_leaves_the_first_occurrence_unnumbered(self, oru: hl7v2.Message) -> None:
        assert oru.segments[1].location(3, 2, 4) == "PID-3[2].4"

    def test_shows_no_content_in_its_repr(self, oru: hl7v2.Message) -> None:
        assert "PAT-TROIS" not in repr(oru.segments[1]) + repr(oru)

    def test_keeps_a_large_segment_readable_and_whole(self) -> None:
        document = base64.b64encode(b"%PDF-" + bytes(100_000))
        segment = obx(b"^TEXT^PDF^Base64^" + document)
        whole = segment.raw
        assert segment.binary(5) == b"%PDF-" + bytes(100_000)
        assert segment.value(5, component=5) == document.decode()
        assert segment.raw == whole  # still there after it was split


class TestBase64:
    def test_is_decoded(self, oru: hl7v2.Message) -> None:
        assert oru.all("OBX")[2].binary(5) == b"%PDF-1.4 & more"

    @pytest.mark.parametrize("sent", [b"QUI", b"QUI=", b"QU I=", b"QUI==", b"Q\\.br\\UI=", b"Q\\X0D0A\\UI="])
    def test_forgives_blanks_line_breaks_and_padding(self, sent: bytes) -> None:
        assert obx(b"^TEXT^XML^Base64^" + sent).binary(5) == b"AB"

    def test_is_empty_where_nothing_was_sent(self) -> None:
        assert obx(b"^TEXT^XML^Base64^").binary(5) == b""

    @pytest.mark.parametrize(
        ("sent", "detail"),
        [(b"QUI\xc3\xa9", "alphabet"), (b"QU=I", "alphabet"), (b"QUIxQ", "cut off")],
    )
    def test_is_refused_with_its_place(self, sent: bytes, detail: str) -> None:
        with pytest.raises(hl7v2.Base64Error) as refused:
            obx(b"^TEXT^XML^Base64^" + sent).binary(5)
        assert refused.value.finding.code == "HL7-BASE64"
        assert refused.value.finding.location == "OBX-5.5"
        assert detail in refused.value.finding.detail

    def test_cut_off_inside_a_byte_is_taken_only_on_demand(self) -> None:
        segment = obx(b"^TEXT^^Base64^QUIxQ")  # so end the mail bodies of official V2.x samples
        assert segment.binary(5, partial=True) == b"AB1"

    def test_is_never_unescaped(self) -> None:
        assert obx(b"^TEXT^XML^base64^A\\T\\B").value(5, component=5) == "A\\T\\B"
        assert obx(b"^TEXT^XML^base64^A\\T\\B").components(5)[4] == "A\\T\\B"
        assert obx(b"^TEXT^XML^A^A\\T\\B").value(5, component=5) == "A&B"


class TestLineEnds:
    @pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
    def test_of_every_kind_separate_segments(self, end: bytes) -> None:
        message = hl7v2.read(end.join([b"MSH|^~\\&|||||||ORU^R01|1|P|2.5", b"PID|1", b"OBR|1", b""]))
        assert [one.name for one in message.segments] == ["MSH", "PID", "OBR"]
        assert [one.code for one in message.findings] == ([] if end == b"\r" else ["HL7-TERMINATOR"])

    def test_may_be_mixed_and_doubled(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\r\r\nPID|1\n\rOBR|1")
        assert [one.name for one in message.segments] == ["MSH", "PID", "OBR"]

    def test_inside_base64_join_without_a_blank(self) -> None:
        document = base64.b64encode(bytes(range(120)))
        lines = b"\n".join(document[n : n + 76] for n in range(0, len(document), 76))
        message = hl7v2.read(
            b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rOBX|1|ED|||^^PDF^Base64^" + lines + b"||||||F\rNTE|1\r"
        )
        obx = message.all("OBX")[0]
        assert obx.binary(5) == bytes(range(120))
        assert obx.value(11) == "F"
        assert ("HL7-CONTINUATION-LINE", "OBX") in [(one.code, one.location) for one in message.findings]

    def test_inside_text_join_with_a_blank(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORM^O01|1|P|2.5\rOBR|1||||||||||||douleur\rbrutale|x\r")
        assert message.value("OBR", 13) == "douleur brutale"
        assert message.value("OBR", 14) == "x"

    def test_do_not_make_a_segment_of_a_word_in_capitals(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rOBX|1|TX|||Examen :\rIRM\rcrane\r")
        assert message.value("OBX", 5) == "Examen : IRM crane"

    def test_make_a_segment_of_a_known_name_without_fields(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1\rPV1\rZZZ\r")
        assert [one.name for one in message.segments] == ["MSH", "PID", "PV1", "ZZZ"]
        assert message.value("PV1", 2) == ""


class TestPadding:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (b"\xef\xbb\xbf", b""),  # UTF-8 BOM of an editor
            (b"\x0b", b"\x1c\r"),  # a frame saved as a file
            (b"\x00\r\n ", b"\x00\x00"),
            (b"", b"\x1c"),
        ],
    )
    def test_around_the_message_means_nothing(self, before: bytes, after: bytes) -> None:
        sent = before + b"MSH|^~\\&|RIS||||||ORU^R01|1|P|2.5\rPID|1|x" + after
        message = hl7v2.read(sent)
        assert message.raw == sent
        assert [one.raw for one in message.segments][1:] == [b"PID|1|x"]
        assert message.findings == ()

    def test_before_a_segment_is_forgiven(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\r  PID|1\r\x00OBR|1\r")
        assert [one.name for one in message.segments] == ["MSH", "PID", "OBR"]


class TestDelimiters:
    @pytest.mark.parametrize(
        ("header", "body", "value"),
        [
            (b"MSH|^~\\&", b"PID|1||A^^^X&Y", "Y"),
            (b"MSH|^~\\&#", b"PID|1||A^^^X&Y", "Y"),  # truncation character of 2.7
            (b"MSH^~|\\&", b"PID^1^^A~~~X&Y", "Y"),  # seen in an A24 of a public test set
            (b"MSH|^~\\\\&", b"PID|1||A^^^X&Y", "Y"),  # doubled backslash
            (b"MSH|^\xcb\x9c\\&", b"PID|1||B~A^^^X&Y", ""),  # U+02DC in official V2.0 messages
            (b"MSH|^~&", b"PID|1||A^^^X&Y", "Y"),  # the escape character left out
            (b"MSH|^~\\", b"PID|1||A^^^X&Y", "Y"),  # three characters
            (b"MSH|", b"PID|1||A^^^X&Y", "Y"),
            (b"MSH|^~y0", b"PID|1||A0^^^X&Y", "Y"),  # letters and digits never delimit
            (b"MSH#^~\\&", b"PID#1##A^^^X&Y", "Y"),
        ],
    )
    def test_come_from_the_header(self, header: bytes, body: bytes, value: str) -> None:
        sep = header[3:4]
        message = hl7v2.read(header + sep * 7 + b"ORU^R01" + sep + b"1\r" + body + b"\r")
        pid = message.segments[1]
        assert pid.value(3, 1, 4, 2) == value
        usual = header in (b"MSH|^~\\&", b"MSH|^~\\&#")
        codes = [one.code for one in message.findings if one.location == "MSH-2"]
        assert codes == ([] if usual else ["HL7-DELIMITERS"])

    def test_of_official_v2_0_messages_still_separate_repetitions(self) -> None:
        message = hl7v2.read(b"MSH|^\xcb\x9c\\&|||||||ORU^R01|1|P|2.5\rPID|1||A~B\r")
        assert message.segments[1].value(3, repetition=2) == "B"


class TestRefusal:
    @pytest.mark.parametrize(
        ("data", "detail"),
        [
            (b"", "empty"),
            (b"\r\n", "empty"),
            (b'{"resourceType": "Bundle"}', "no MSH"),
            (b"MSHX^~\\&|", "separator"),
            (b"MSH", "separator"),
            (b"FHS|^~\\&\rMSH|^~\\&\r", "batch"),
            ("MSH|^~\\&|".encode("utf-16"), "UTF-16"),
            ("MSH|^~\\&|".encode("utf-16-le"), "UTF-16"),
            (b"\x16\x03\x01\x02\x00", "no MSH"),  # a TLS hello
        ],
    )
    @pytest.mark.req("REQ-02")
    def test_says_why(self, data: bytes, detail: str) -> None:
        with pytest.raises(hl7v2.NotHl7Error) as refused:
            hl7v2.read(data)
        assert refused.value.finding.code == "HL7-NOT-HL7"
        assert detail in refused.value.finding.detail

    @pytest.mark.parametrize("filler", [b"\r" * 2_000_001, b"PID\r" * 100_001], ids=["lines", "segments"])
    def test_meets_content_made_of_line_ends(self, filler: bytes) -> None:
        with pytest.raises(hl7v2.NotHl7Error) as refused:
            hl7v2.read(b"MSH|^~\\&|\r" + filler)
        assert refused.value.finding.code == "HL7-TOO-LARGE"

    def test_of_several_messages_read_as_one_is_an_error_finding(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1\rMSH|^~\\&|||||||ORU^R01|2|P|2.5\r")
        assert [(one.code, one.severity) for one in message.findings] == [("HL7-SEVERAL-MESSAGES", "error")]

    def test_of_a_segment_made_of_separators_is_not_needed(self) -> None:
        message = hl7v2.read(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5\rOBX|" + b"|" * 100_000 + b"end\r")
        assert message.segments[1].field_count == 1000
        assert message.segments[1].raw.endswith(b"|end")
