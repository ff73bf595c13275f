"""An imaging order as a document (IMG-DA-IMG) in a message of the volet → the canonical order."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from lxml import etree

from gateway import cda
from gateway.hl7v2 import read
from gateway.mapping import hl7, sites
from gateway.mapping.hl7_order import is_order, orders
from gateway.model.base import replace
from gateway.model.findings import Severity
from gateway.model.order import ImagingOrder, MappedOrder, OrderStatus
from gateway.model.terms import CCAM, LOINC, Code
from tests.n3_cases import CONTRAST
from tests.order_cases import HOUSE, IDENTITY, ORDER, ORDERS
from tests.support import FIXTURES, KIT, needs_kit
from tests.unit.mapping_messages import changed

MDM = (FIXTURES / "hl7v2" / "mdm_cda.er7").read_bytes().decode()
REPORT = "18748-4^CR d'imagerie médicale^LN"
ASKED = "55115-0^Demande d'acte d'imagerie^LN"
SENDING = ("DESTDMP", "DESTMSSANTEPS")


def message(order: ImagingOrder = ORDER, *pairs: tuple[str, str], event: str = "T02") -> str:
    """The MDM of the fixtures with an order in place of the report, and asking for no sending."""
    head, mark, rest = MDM.partition("^Base64^")
    document = b64encode(cda.build_order(order, IDENTITY, HOUSE).data).decode()
    text = head + mark + document + rest[rest.index("|") :]
    control, result = {"T02": ("NW", "F"), "T10": ("RO", "C"), "T04": ("CA", "D")}[event]
    text = changed(
        (REPORT, ASKED),
        ("TXA|1|18748-4|", "TXA|1|55115-0|"),
        ("1.2.250.1.925.994044785528.50.46.1", IDENTITY.document_id),
        ("MDM^T02^", f"MDM^{event}^"),
        ("ORC|NW", f"ORC|{control}"),
        (f"{document}||||||F", f"{document}||||||{result}"),
        message=text,
    )
    lines = [
        line.replace("||Y^^", "||N^^") if any(f"|{one}^" in line for one in SENDING) else line
        for line in text.split("\r")
    ]
    return changed(*pairs, message="\r".join(lines))


def mapped(text: str) -> MappedOrder:
    found = read(text.encode())
    assert is_order(found)
    (one,) = orders(found, sites.load().default)
    return one


def codes(text: str) -> dict[str, str]:
    return {note.code: note.detail for note in mapped(text).findings}


@pytest.mark.req("REQ-64")
def test_the_document_that_we_write_of_an_order_is_read_as_that_order() -> None:
    found = mapped(message())
    order = found.order
    assert order is not None, found.findings
    assert (order.status, found.control) == (OrderStatus.REQUESTED, "NW")
    assert (order.placer, order.requested_at) == (ORDER.placer, ORDER.requested_at)
    assert (order.requester and order.requester.id) == "801234567897"
    assert order.patient.birth_family == ORDER.patient.birth_family
    assert (order.reason, order.question) == (ORDER.reason, ORDER.question)
    assert order.history == "Antécédents médicaux\nEntorse en 2018."
    assert order.informed_of_risks is True
    (act,) = order.acts
    assert (act.label, [one.code for one in act.modalities]) == ("IRM du genou gauche", ["MR"])
    assert [one.code for one in act.sites] == ["361291001"]
    assert act.laterality is not None
    assert act.laterality.code == "7771000"


@pytest.mark.parametrize("name", [name for name, order in ORDERS.items() if order.placer])
def test_every_order_that_we_can_write_comes_back_with_its_acts(name: str) -> None:
    found = mapped(message(ORDERS[name])).order
    assert found is not None
    assert len(found.acts) == len(ORDERS[name].acts)
    assert bool(found.priority) == (ORDERS[name].priority in ("S", "A", "ST", "UR"))


@pytest.mark.parametrize("name", [name for name, order in ORDERS.items() if order.placer])
def test_what_it_says_of_the_patient_and_why_comes_back_as_it_was(name: str) -> None:
    sent, found = ORDERS[name], mapped(message(ORDERS[name])).order
    assert found is not None
    assert found.contraindications == sent.contraindications
    assert found.reasons == sent.reasons
    assert (found.reason, found.question) == (sent.reason, sent.question)
    assert "ontre-indication" not in found.history, "it is not said twice"
    if sent.acts[0].function is not None:
        assert found.acts[0].function is not None
        assert found.acts[0].function.code == sent.acts[0].function.code


def test_a_contrast_medium_that_is_wanted_is_not_one_that_was_given() -> None:
    """Products of an order would be taken over into its report."""
    found = mapped(message(ORDERS["several acts and sites, urgent"])).order
    assert found is not None
    assert found.acts[0].products == ()
    assert found.acts[0].parameters.split("\n") == [CONTRAST.label, "Avec injection de produit de contraste"]
    assert found.priority == "S"


def test_codes_in_the_comment_of_an_act_are_its_codes() -> None:
    coded = replace(
        ORDER.acts[0],
        code=Code(code="24727-0", system=LOINC, display="Scanner de la tête avec injection"),
        ccam=Code(code="ACQH004", system=CCAM, display="Scanographie du crâne"),
        local=Code(code="SCANT", display="Scanner tête"),
    )
    found = mapped(message(replace(ORDER, acts=(coded,), protocol="Sans jeûne"))).order
    assert found is not None
    (act,) = found.acts
    assert act.code is not None and act.ccam is not None
    assert (act.code.code, act.ccam.code) == ("24727-0", "ACQH004")
    assert (act.label, act.parameters) == (coded.label, "Scanner tête [SCANT]")
    assert found.protocol == "Sans jeûne"


def edited(change: Callable[[etree._Element], None]) -> MappedOrder:
    """The order of the fixture, its document changed."""
    whole = cda.build_order(ORDER, IDENTITY, HOUSE).data
    root = etree.fromstring(whole)
    change(root)
    text = message()
    return mapped(text.replace(b64encode(whole).decode(), b64encode(etree.tostring(root)).decode()))


def test_what_has_no_place_in_the_order_is_told() -> None:
    """The wish of a call (GEN-297), and documents beside the order."""

    def more(root: etree._Element) -> None:
        body = root.find("{*}component/{*}structuredBody")
        wanted = next(one for one in root.iter("{*}observation") if one.get("moodCode") == "INT")
        assert body is not None
        for parent, inner in (
            (
                wanted,
                '<entryRelationship><observation><code code="GEN-297"/></observation></entryRelationship>',
            ),
            (body, '<component><section><code code="55107-7"/></section></component>'),
        ):
            parent.append(etree.fromstring(inner.replace(">", ' xmlns="urn:hl7-org:v3">', 1)))

    told = [(one.location, one.detail) for one in edited(more).findings if one.code == "ORDER-PART-UNREAD"]
    body = "OBX-5.5/ClinicalDocument/component/structuredBody"
    assert told == [
        (f"{body}/component[4]/section", "code 55107-7"),
        (f"{body}/component[3]/section/entry/observation/entryRelationship[2]/observation", "code GEN-297"),
    ]
    assert "ORDER-PART-UNREAD" not in codes(message())


@pytest.mark.kit
@needs_kit
@pytest.mark.parametrize("name", ["Radiographie_IRM_Genou", "Scanner_Crane_ThoraxAbdomenPelvis"])
def test_the_official_examples_lose_nothing_in_silence(name: str) -> None:
    found = cda.order_body((KIT / "ExemplesCDA" / f"IMG-DA-IMG_2024.01_{name}.xml").read_bytes())
    assert [one.code and one.code.code for one in found.contraindications] == ["77386006"]
    assert (found.reason, found.question) == ("(texte libre)", "(texte libre)")
    assert "Antécédents chirurgicaux" in found.history and "Résultats d'examens" in found.history
    assert {code for _, code in found.unread} == {"55107-7", "99622-3"}


@pytest.mark.parametrize(
    ("event", "status"),
    [("T10", OrderStatus.REQUESTED), ("T04", OrderStatus.CANCELLED)],
)
def test_its_event_says_whether_it_still_stands(event: str, status: OrderStatus) -> None:
    order = mapped(message(event=event)).order
    assert order is not None
    assert order.status is status


def test_an_order_that_is_to_be_sent_on_is_refused_since_nobody_would() -> None:
    asking = message(
        ORDER,
        (
            "MetaDMPMSS||N^^expandedYes-NoIndicator||||||F\rOBX|8",
            "MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F\rOBX|8",
        ),
    )
    (found,) = [one for one in mapped(asking).findings if one.code == "ORDER-NOT-SENT"]
    assert found.location == "OBX(7)-5"


def test_a_message_that_says_order_around_a_report_is_refused() -> None:
    report = changed((REPORT, ASKED), message=MDM)
    assert mapped(report).order is None
    assert codes(report)["CDA-MISMATCH"] == "document type 18748-4, the message says 55115-0"


@pytest.mark.req("REQ-64")
def test_an_order_is_never_taken_as_a_report() -> None:
    lying = changed((ASKED, REPORT), ("TXA|1|55115-0|", "TXA|1|18748-4|"), message=message())
    found = read(lying.encode())
    assert not is_order(found)
    (one,) = hl7.reports(found, sites.load().default)
    assert one.report is None
    assert "NOT-IMAGING" in {note.code for note in one.findings}


def test_events_that_contradict_each_other_are_refused() -> None:
    found = codes(message(ORDER, ("ORC|NW", "ORC|CA")))
    assert "HL7-ACTION-MISMATCH" in found


def test_without_a_number_of_its_own_it_has_that_of_the_message() -> None:
    bare = replace(ORDER, placer=None)
    assert "ORDER-NUMBER-MISSING" in codes(message(bare))
    found = mapped(message(bare, ("ORC|NW", "ORC|NW|77^^1.2.250.1.99^ISO"))).order
    assert found is not None
    assert found.placer is not None
    assert (found.placer.value, found.placer.system) == ("77", "1.2.250.1.99")


def test_an_order_without_one_of_its_elements_is_still_read_or_refused() -> None:
    """Whatever a sender leaves out, there is an order or an error that says why there is none."""
    whole = cda.build_order(ORDER, IDENTITY, HOUSE).data
    text = message()
    packed = b64encode(whole).decode()
    for place in range(1, sum(1 for _ in etree.fromstring(whole).iter()), 13):
        root = etree.fromstring(whole)
        gone = next(node for number, node in enumerate(root.iter()) if number == place)
        parent = gone.getparent()
        assert parent is not None
        parent.remove(gone)
        found = mapped(text.replace(packed, b64encode(etree.tostring(root)).decode()))
        assert found.order is not None or any(one.severity is Severity.ERROR for one in found.findings)
