"""Which ends of deliveries the creator of a message is told, by ZAM (volet Transmission 2.1 §1.6, §1.8).

ACK_RECEPTION = Y asks for Z01 (DMP) and Z02 (MSSanté, one for each recipient). Nothing is told before the
end is known: not while a retry is due, nor while nobody knows whether a mail left.
"""

from gateway.model.decision import PlannedDelivery
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.submission import Action, Protocol, Recipient, SubmissionContext

TOLD = frozenset({Destination.DMP, Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT})
ENDS = frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.REFUSED})
"""A failed delivery that somebody retries ends again, and is told again."""


def owed(
    context: SubmissionContext,
    destination: Destination,
    state: DeliveryState,
    *,
    action: Action,
    recipient: Recipient | None,
) -> PlannedDelivery | None:
    """The ZAM to plan when a delivery has come to `state`, None when its creator is not to be told."""
    asked = context.protocol is Protocol.HL7V2 and context.control_id and context.flags.acknowledge_reception
    if not asked or destination not in TOLD or state not in ENDS:
        return None
    return PlannedDelivery(destination=Destination.ZAM, action=action, recipient=recipient)
