"""Which ends of deliveries the creator of a message is told, by ZAM (volet Transmission 2.1 §1.6, §1.8).

ACK_RECEPTION = Y asks for Z01 (DMP) and Z02 (MSSanté, one for each recipient). Nothing is told before the
end is known: not while a retry is due, nor while nobody knows whether a mail left.

    the delivery is                             the creator is told
    delivered                                   Y
    failed, refused, cancelled by an operator   N, with the code of the peer or of the finding
    blocked (an identity, a rule, …)            N, with the finding that the creator can mend; Y when it went
    withheld until the announcement             nothing: the creator asked for it
    superseded, recalled                        nothing: by the creator's own later message
"""

from gateway.model.decision import PlannedDelivery
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.submission import Action, Protocol, Recipient, SubmissionContext

TOLD = frozenset({Destination.DMP, Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT})
MAILS = TOLD - {Destination.DMP}
ENDS = frozenset(
    {
        DeliveryState.DELIVERED,
        DeliveryState.FAILED,
        DeliveryState.REFUSED,
        DeliveryState.BLOCKED,
        DeliveryState.CANCELLED,
    }
)
"""A failed delivery that somebody retries ends again, and is told again."""
RECALLED = "REPORT-RECALLED"
"""Reason of a delivery that the withdrawal of its report ended."""


def owed(
    context: SubmissionContext,
    destination: Destination,
    state: DeliveryState,
    *,
    action: Action,
    recipient: Recipient | None,
    reason: str = "",
) -> PlannedDelivery | None:
    """The ZAM to plan when a delivery has come to `state`, None when its creator is not to be told.

    `reason`: finding code of a state that is not due to an attempt; a cancellation by hand has none. A mail
    to a recipient without mailbox has none to name in a Z02.
    """
    asked = context.protocol is Protocol.HL7V2 and context.control_id and context.flags.acknowledge_reception
    if not asked or destination not in TOLD or state not in ENDS:
        return None
    if (state is DeliveryState.CANCELLED and reason) or reason == RECALLED:
        return None
    if destination in MAILS and not (recipient and recipient.address):
        return None
    # Due at once: it needs no document.
    return PlannedDelivery(
        destination=Destination.ZAM, action=action, recipient=recipient, state=DeliveryState.PENDING
    )
