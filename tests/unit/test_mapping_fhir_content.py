"""The words of a FHIR report and its attached documents (spec fhir.md §3, §5; REQ-05, REQ-07, REQ-16)."""

import base64
import hashlib

import pytest

from gateway.mapping.fhir_content import NOTE, NOTE_TYPE, narrative
from gateway.model.report import Section, SectionKind
from tests.fhir_cases import Change, Json, codes, mapped, places, resource, setting, url

PDF = b"%PDF-1.4\n%%EOF\n"
REPORT = "Bundle.entry[10].resource"


def sections(*changes: Change) -> list[tuple[str, str]]:
    made = mapped(*changes).report
    assert made is not None
    return [(one.kind.name, one.text) for one in made.sections]


def observation(**fields: object) -> Change:
    """The second Observation (findings), changed."""

    def change(tree: Json) -> None:
        node = resource(tree, "Observation", 1)
        for name, value in fields.items():
            node.pop(name, None)
            if value is not None:
                node[name] = value

    return change


def found(*changes: Change) -> str:
    return dict(sections(*changes)).get("FINDINGS", "")


# --- sections


def test_results_then_conclusion() -> None:
    assert [kind for kind, _ in sections()] == ["PROCEDURE", "FINDINGS", "CONCLUSION"]


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawn_observation_says_nothing(status: str) -> None:
    assert found(observation(status=status)) == ""


MEASURE = {"text": "Diamètre du nodule"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"code": MEASURE, "valueString": None, "valueQuantity": {"value": 4, "unit": "mm"}},
            "Diamètre du nodule : 4 mm",
        ),
        (
            {
                "code": MEASURE,
                "valueString": None,
                "valueQuantity": {"comparator": "<", "value": 4.5, "code": "mm"},
            },
            "Diamètre du nodule : < 4.5 mm",
        ),
        (
            {"code": {"text": "BI-RADS"}, "valueString": None, "valueCodeableConcept": {"text": "ACR 2"}},
            "BI-RADS : ACR 2",
        ),
        ({"code": {"text": "BI-RADS"}, "valueString": None, "valueInteger": 2}, "BI-RADS : 2"),
        ({"valueString": "Ligne 1\r\nLigne 2 "}, "Ligne 1\nLigne 2"),
        ({"valueString": "Normal", "note": [{"text": "Qualité moyenne."}]}, "Normal\nQualité moyenne."),
        (
            {
                "valueString": None,
                "component": [{"code": {"text": "DLP"}, "valueQuantity": {"value": 512, "unit": "mGy.cm"}}],
            },
            "DLP : 512 mGy.cm",
        ),
        ({"valueString": "Nodule\x00 de 4 mm\x0b\ufffe."}, "Nodule de 4 mm."),
        ({"valueString": "Émoticône \U0001f600"}, "Émoticône \U0001f600"),
        ({"valueString": None}, ""),
    ],
)
def test_a_value_becomes_text(fields: Json, text: str) -> None:
    assert found(observation(**fields)) == text


def test_members_of_a_group_are_read() -> None:
    def group(tree: Json) -> None:
        tree["entry"].append(
            {
                "fullUrl": "urn:uuid:group",
                "resource": {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"text": "Groupe"},
                    "hasMember": [{"reference": url(tree, "Observation", 1)}],
                },
            }
        )
        resource(tree, "DiagnosticReport")["result"] = [{"reference": "urn:uuid:group"}]

    assert found(group).startswith("Parenchyme")


def test_two_texts_of_one_kind_are_paragraphs_of_one_section() -> None:
    def first_too(tree: Json) -> None:
        resource(tree, "Observation", 0)["code"] = resource(tree, "Observation", 1)["code"]

    made = sections(first_too)
    assert [kind for kind, _ in made] == ["FINDINGS", "CONCLUSION"]
    assert made[0][1].count("\n\n") == 1


def note(text: str, code: str | None) -> Json:
    annotation: Json = {"text": text}
    if code:
        coding = {"coding": [{"system": "http://loinc.org", "code": code}]}
        annotation["extension"] = [{"url": NOTE_TYPE, "valueCodeableConcept": coding}]
    return {"url": NOTE, "valueAnnotation": annotation}


def test_typed_notes_are_sections_and_untyped_ones_comments() -> None:
    notes = [
        note("Poumons libres.\n  Cœur normal.", "59776-5"),
        note("À revoir.", None),
        note("IRM.", "18783-1"),
    ]
    assert sections(setting("DiagnosticReport", extension=notes, result=None, conclusion=None)) == [
        ("FINDINGS", "Poumons libres.\nCœur normal."),
        ("COMMENT", "À revoir."),
        ("RECOMMENDATION", "IRM."),
    ]


def composed(*parts: Json) -> Change:
    def change(tree: Json) -> None:
        composition = {
            "resourceType": "Composition",
            "status": "final",
            "type": {"text": "CR"},
            "date": "2021-01-08",
            "author": [{"display": "x"}],
            "title": "CR",
            "section": list(parts),
        }
        tree["entry"].append({"fullUrl": "urn:uuid:composition", "resource": composition})

    return change


def part(code: str, text: str, **fields: object) -> Json:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'
    coding = {"coding": [{"system": "http://loinc.org", "code": code}]}
    return {"title": "Titre", "code": coding, "text": {"status": "generated", "div": div}, **fields}


def test_the_composition_adds_what_the_report_does_not_say() -> None:
    empty = {"emptyReason": {"coding": [{"code": "nilknown"}]}}
    made = sections(
        composed(
            part("18726-0", "Liste des études"),
            part("55115-0", "Nil known", **empty),
            part("11329-0", "Chute."),
            part("59776-5", "double of the Observation"),
            part("19005-8", "double of the conclusion"),
            part("18783-1", "Contrôle <b>dans</b> 6 mois."),
        )
    )
    assert [kind for kind, _ in made] == ["PROCEDURE", "FINDINGS", "HISTORY", "RECOMMENDATION", "CONCLUSION"]
    assert ("RECOMMENDATION", "Contrôle dans 6 mois.") in made
    assert "double" not in str(made)


def test_text_under_an_unknown_code_is_kept_under_its_heading() -> None:
    made = mapped(composed(part("99999-9", "Score calcique : 12"))).report
    assert made is not None
    assert Section(kind=SectionKind.REPORT, text="Score calcique : 12", title="Titre") in made.sections


def test_the_page_of_the_report_serves_only_when_nothing_else_speaks() -> None:
    page = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Page.</p></div>'}
    silent = setting("DiagnosticReport", text=page, result=None, conclusion=None)
    assert sections(silent) == [("REPORT", "Page.")]
    assert "Page." not in str(sections(setting("DiagnosticReport", text=page)))


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<div><p>A</p><p>B<br/>C</p></div>", "A\nB\nC"),
        ("<div>A &amp; B &lt; C&#233;</div>", "A & B < Cé"),
        (
            "<div><table><tr><td>Note</td><td>Ligne</td></tr><tr><td>2</td></tr></table></div>",
            "Note Ligne\n2",
        ),
        ("<div>un <b>deux</b>\n   trois</div>", "un deux trois"),
        ("<div><style>p {}</style><script>x()</script>Texte</div>", "Texte"),
        ("<div>ouvert <p>jamais fermé", "ouvert\njamais fermé"),
        ("", ""),
    ],
)
def test_narrative(markup: str, text: str) -> None:
    assert narrative(markup) == text


# --- documents


def form(**fields: object) -> Change:
    return setting("DiagnosticReport", presentedForm=[fields])


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("media_type", ["application/pdf", "application/octet-stream", None])
def test_a_pdf_is_known_by_its_bytes(media_type: str | None) -> None:
    fields = {"data": b64(PDF), "title": "CR Scanner"} | ({"contentType": media_type} if media_type else {})
    made = mapped(form(**fields))
    assert made.report is not None
    (attachment,) = made.report.attachments
    (blob,) = made.blobs
    assert attachment.sha256 == blob.sha256 == hashlib.sha256(PDF).hexdigest()
    assert (attachment.media_type, attachment.size, attachment.title) == (
        "application/pdf",
        len(PDF),
        "CR Scanner",
    )
    assert blob.data == PDF


def test_the_same_pdf_twice_is_one_attachment() -> None:
    twice = [{"data": b64(PDF)}, {"data": b64(PDF)}]
    made = mapped(setting("DiagnosticReport", presentedForm=twice))
    assert made.report is not None
    assert (len(made.report.attachments), len(made.blobs)) == (1, 1)


@pytest.mark.req("REQ-05")
@pytest.mark.parametrize("reference", ["Binary/b1", "urn:uuid:binary"])
def test_a_url_leads_to_a_binary_of_the_bundle(reference: str) -> None:
    def binary(tree: Json) -> None:
        one = {"resourceType": "Binary", "id": "b1", "contentType": "application/pdf", "data": b64(PDF)}
        tree["entry"].append({"fullUrl": "urn:uuid:binary", "resource": one})

    made = mapped(binary, form(url=reference))
    assert [blob.data for blob in made.blobs] == [PDF]
    assert codes(made) == []


@pytest.mark.req("REQ-07")
@pytest.mark.parametrize(
    "address", ["https://canary.example/report.pdf", "Binary/none", "file:///etc/passwd"]
)
def test_a_url_that_leads_outside_is_refused_and_never_fetched(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(socket, "socket", None)  # any attempt would raise
    made = mapped(form(url=address, contentType="application/pdf"))
    assert places(made, "REF-DANGLING") == [f"{REPORT}.presentedForm[0].url"]
    assert made.blobs == ()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contentType": "application/pdf", "data": b64(b"no pdf")}, "PDF-INVALID"),
        ({"contentType": "image/png", "data": b64(b"\x89PNG")}, "ATTACHMENT-IGNORED"),
        ({"contentType": "application/pdf", "data": "JVBE!RI="}, "FHIR-INVALID"),
    ],
)
def test_what_is_no_usable_document_is_said(fields: Json, code: str) -> None:
    from gateway.fhir import FhirError

    try:
        made = mapped(form(**fields))
    except FhirError as refused:
        assert [one.code for one in refused.findings] == [code]
    else:
        assert codes(made) == [code]
        assert made.blobs == ()


@pytest.mark.parametrize(
    ("media_type", "data", "text"),
    [
        ("text/plain", b"Ligne 1\r\nLigne 2\n", "Ligne 1\nLigne 2"),
        ("text/html", b"<p>Ligne 1</p>Ligne 2", "Ligne 1\nLigne 2"),
        ("application/xhtml", b"<p>Ligne 1</p>Ligne 2", "Ligne 1\nLigne 2"),
        ("text/plain; charset=utf-8", "été".encode(), "été"),
    ],
)
def test_an_attached_text_speaks_when_the_report_has_no_other(
    media_type: str, data: bytes, text: str
) -> None:
    attached = form(contentType=media_type, data=b64(data))
    assert sections(attached, setting("DiagnosticReport", result=None, conclusion=None)) == [("REPORT", text)]
    assert "REPORT" not in dict(sections(attached))


def test_a_pdf_and_text_are_both_kept() -> None:
    made = mapped(form(contentType="application/pdf", data=b64(PDF))).report
    assert made is not None
    assert (len(made.attachments), len(made.sections)) == (1, 3)
