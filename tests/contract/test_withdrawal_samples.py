"""The public samples of a deletion, with the messages that they take back: MDM^T04, ORU CA/D, FHIR 95."""

import json

import pytest

from gateway.hl7v2 import read_ack
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.pipeline.offline import unframed
from gateway.ports import Settlement
from tests.contract.test_intake_withdrawal import produced
from tests.intake_house import House, fixture
from tests.store_support import NOW
from tests.support import SAMPLES, needs_samples

FOLDER = SAMPLES / "hl7v2" / "ansforge__hl7V2-exemples"
RADIOLOGY = "Vague 2__Trans_Doc-CDA-HL7V2__TRANSMISSION_DOCS_CDA_EN_HL7V2_V2.1__MDM__"
INITIAL = f"{RADIOLOGY}Transmission initiale MDM__message_MDM_CR_Radio_INIT_N1_Base64.er7"
REPLACING = f"{RADIOLOGY}Remplacement MDM__message_MDM_CR_Radio_RPLC_N1.er7"
DELETING = f"{RADIOLOGY}Suppression MDM__message_MDM_CR_Radio_DEL_N1.er7"


async def all_arrive(house: House) -> list[tuple[str, str, str]]:
    """Produce and deliver whatever is due: (action, destination, document id)."""
    tasks = await produced(house)
    reader, made = house.reader(), []
    for task in tasks:
        job = reader.job(task.id, 1)
        made.append((job.action.value, job.destination.value, job.version.identity.document_id))
        outcome = Outcome(kind=OutcomeKind.DELIVERED)
        await house.store.settle(
            (Settlement(delivery_id=task.id, outcome=outcome, attempt=1, started_at=NOW, ended_at=NOW),)
        )
    reader.close()
    return sorted(made)


@pytest.mark.samples
@needs_samples
@pytest.mark.req("REQ-40", "REQ-29")
async def test_the_official_deletion_takes_back_what_initial_and_replacement_brought(house: House) -> None:
    """All three have the same MSH-10; the deletion names the last version by ClinicalDocument/id."""
    made: list[list[tuple[str, str, str]]] = []
    for name in (INITIAL, REPLACING, DELETING):
        data = unframed((FOLDER / name).read_bytes())
        assert read_ack(await house.intake.take_hl7v2(data, peer="127.0.0.1:1")).code == "AA"
        made.append(await all_arrive(house))
    initial, replacing, deleting = made
    assert {action for action, _, _ in deleting} == {"delete"}
    assert [place for _, place, _ in deleting] == [place for _, place, _ in replacing]
    assert {name for _, _, name in deleting} == {name for _, _, name in replacing}, "its last version"
    assert {name for _, _, name in initial}.isdisjoint(name for _, _, name in deleting)


@pytest.mark.samples
@needs_samples
@pytest.mark.req("REQ-40")
@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
async def test_a_fhir_report_in_error_is_taken_back_everywhere(house: House, status: str) -> None:
    for name in ("90_SYNTH_fr_ok_transaction", "95_SYNTH_fr_entered_in_error"):
        body = (SAMPLES / "fhir" / f"{name}.json").read_bytes()
        body = body.replace(b'"entered-in-error"', json.dumps(status).encode())
        answer = await house.intake.take_fhir(body, "application/fhir+json", peer="127.0.0.1:1")
        assert answer.status == 200, answer.body
        made = await all_arrive(house)
    assert [(action, place) for action, place, _ in made] == [
        ("delete", "dmp"),
        ("delete", "folder"),
        ("delete", "mssante-patient"),
        ("delete", "mssante-ps"),
    ]
    report = house.queries.report("1")
    assert report is not None and report["status"] == status


@pytest.mark.req("REQ-40")
async def test_an_oru_with_ca_and_d_does_the_same(house: House) -> None:
    assert await house.take(fixture("oru_pdf")) == "AA"
    sent = await all_arrive(house)
    assert await house.take(fixture("oru_withdrawn")) == "AA"
    deleted = await all_arrive(house)
    assert deleted == [("delete", place, name) for _, place, name in sent]


@pytest.mark.req("REQ-40", "REQ-03")
async def test_the_same_deletion_again_is_answered_and_not_carried_out_again(house: House) -> None:
    await house.take(fixture("oru_pdf"))
    await all_arrive(house)
    data = fixture("oru_withdrawn").encode()
    answers = [await house.intake.take_hl7v2(data, peer="127.0.0.1:1") for _ in range(2)]
    assert answers[0] == answers[1]
    await all_arrive(house)
    assert await house.store.claim(50) == ()
