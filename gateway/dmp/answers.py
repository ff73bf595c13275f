"""What an answer of the DMP means: one table from its codes to the classes of architecture decision 10.

Codes: IHE ITI TF-3 table 4.2.4.1-2, SOAP 1.2 part 1 §5.4.6, WS-Security 1.1 §12, spec dmp-mss.md §1.6 and
§2.1. No list of the DMP's own codes is public: an unknown code is permanent, so that somebody sees it.

A resent submission is recognised by its uniqueIds, which are the same at every attempt. So "this uniqueId is
here already" says that an earlier attempt arrived, unless the registry adds that the hash differs.
"""

from typing import NamedTuple

from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.xds import (
    FoundEntry,
    NotXdsError,
    RegistryError,
    SoapFault,
    read_query_response,
    read_registry_response,
)
from gateway.xds.response import FAILURE, PARTIAL_SUCCESS


class Meaning(NamedTuple):
    """Class of a code, and one line for people. The peer's own text is never quoted: it may name a person."""

    kind: OutcomeKind
    detail: str


_T, _P = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT
_D, _R = OutcomeKind.DELIVERED, OutcomeKind.REFUSED
_A = OutcomeKind.AMBIGUOUS

ERRORS: dict[str, Meaning] = {
    # Arrived before.
    "XDSDuplicateUniqueIdInRegistry": Meaning(_D, "the DMP has this submission already"),
    # Busy, or ill without saying of what: nothing was taken.
    "XDSRegistryBusy": Meaning(_T, "the registry is busy"),
    "XDSRepositoryBusy": Meaning(_T, "the repository is busy"),
    "XDSRegistryOutOfResources": Meaning(_T, "the registry has no resources left"),
    "XDSRepositoryOutOfResources": Meaning(_T, "the repository has no resources left"),
    "XDSRegistryNotAvailable": Meaning(_T, "the repository cannot reach its registry"),
    "XDSRegistryError": Meaning(_T, "internal error of the registry"),
    "XDSRepositoryError": Meaning(_T, "internal error of the repository"),
    # Business refusals: the record is not open to us, now or ever.
    "XDSUnknownPatientId": Meaning(_R, "the patient has no DMP"),
    "DMPClosed": Meaning(_R, "the patient's DMP is closed"),
    # Our content: it would be refused again.
    "XDSNonIdenticalHash": Meaning(_P, "another document with this uniqueId is in the DMP: its hash differs"),
    "XDSNonIdenticalSize": Meaning(_P, "another document with this uniqueId is in the DMP: its size differs"),
    "XDSRegistryMetadataError": Meaning(_P, "the registry refuses the metadata"),
    "XDSRepositoryMetadataError": Meaning(_P, "the repository refuses the metadata (hash or size)"),
    "XDSRegistryDuplicateUniqueIdInMessage": Meaning(_P, "a uniqueId stands twice in the submission"),
    "XDSRepositoryDuplicateUniqueIdInMessage": Meaning(_P, "a uniqueId stands twice in the submission"),
    "XDSMissingDocument": Meaning(_P, "the submission lacks the document of an entry"),
    "XDSMissingDocumentMetadata": Meaning(_P, "the submission lacks the entry of a document"),
    "XDSPatientIdDoesNotMatch": Meaning(_P, "submission set and entry name different patients"),
    "XDSPatientIDReconciliationError": Meaning(_P, "the patient identifiers cannot be reconciled"),
    "XDSRegistryDeprecatedDocumentError": Meaning(_P, "the document to replace is already deprecated"),
    "XDSReplaceFailed": Meaning(_P, "the replacement failed: unknown or foreign original"),
    "UnresolvedReferenceException": Meaning(_P, "the entryUUID to replace is unknown to the DMP"),
    "XDSMetadataUpdateError": Meaning(_P, "the registry refuses the change of metadata"),
    "XDSMetadataUpdateOperationError": Meaning(_P, "the registry does not serve this change of metadata"),
    "XDSMetadataIdentifierError": Meaning(_P, "the entry to change is not the one that was found"),
    "XDSMetadataVersionError": Meaning(_P, "the entry was changed meanwhile"),
    "InvalidDocumentContent": Meaning(_P, "the content is not of the announced format"),
}
"""RegistryError/@errorCode, also when it comes as the subcode of a fault."""

FAULT_SUBCODES: dict[str, Meaning] = {
    "MessageExpired": Meaning(_T, "the assertion had expired: check the clock"),
    "EndpointUnavailable": Meaning(_T, "the endpoint is unavailable"),
    "DestinationUnreachable": Meaning(_T, "the endpoint is unreachable"),
    "FailedAuthentication": Meaning(_P, "the VIHF was not accepted"),
    "FailedCheck": Meaning(_P, "the signature of the VIHF was not accepted"),
    "InvalidSecurity": Meaning(_P, "the security header was not accepted"),
    "InvalidSecurityToken": Meaning(_P, "the VIHF was not accepted"),
    "SecurityTokenUnavailable": Meaning(_P, "the VIHF was not found"),
    "UnsupportedSecurityToken": Meaning(_P, "the VIHF is of an unsupported kind"),
    "ActionNotSupported": Meaning(_P, "this service does not know the action: check dmp.url"),
}

FAULT_CODES: dict[str, Meaning] = {
    "Receiver": Meaning(_T, "fault of the DMP"),
    "Server": Meaning(_T, "fault of the DMP"),
    "Sender": Meaning(_P, "the DMP finds fault with the request"),
    "Client": Meaning(_P, "the DMP finds fault with the request"),
    "MustUnderstand": Meaning(_P, "the DMP does not understand a header"),
    "VersionMismatch": Meaning(_P, "the DMP expects another SOAP version"),
    "DataEncodingUnknown": Meaning(_P, "the DMP does not know the encoding"),
}

HTTP: dict[int, Meaning] = {
    408: Meaning(_T, "the DMP waited in vain for the request"),
    413: Meaning(_P, "the document is too large for the DMP"),
    425: Meaning(_T, "the DMP asks to try later"),
    429: Meaning(_T, "the DMP asks to slow down"),
    # A gateway before the DMP passed the request on and saw no answer: it may have arrived.
    504: Meaning(_A, "a gateway before the DMP got no answer from it"),
}
"""Answers without a readable SOAP body; a status not listed is judged by its hundred."""

HUNDREDS: dict[int, Meaning] = {
    1: Meaning(_A, "an interim status came as the answer"),
    2: Meaning(_A, "the answer is not readable"),
    3: Meaning(_P, "the DMP redirects: check dmp.url"),
    4: Meaning(_P, "the DMP refuses the request"),
    5: Meaning(_T, "the DMP is out of order"),
}

UNKNOWN = Meaning(_P, "a code that this gateway does not know")

DECISIVE = ("XDSNonIdenticalHash", "XDSNonIdenticalSize", "XDSDuplicateUniqueIdInRegistry")
"""Several errors: the first of these decides. When our submission set is there already, further errors are
consequences of it (its entryUUID is taken, the entry it replaced is deprecated)."""

_WORST = (_R, _P, _A, _T, _D)
"""Several errors otherwise: the first class of this order decides."""


def judge(status: int, content_type: str, body: bytes) -> Outcome:
    """The outcome of an ITI-41 (42, 57) attempt from its HTTP answer. Never raises."""
    try:
        response = read_registry_response(content_type, body)
    except NotXdsError:
        return _unreadable(status)
    if response.fault is not None:
        return _fault(response.fault)
    if response.status not in (FAILURE, PARTIAL_SUCCESS):
        warnings = [error.code for error in response.errors if error.code in ERRORS]
        detail = f"taken with warnings: {', '.join(warnings)}" if warnings else "taken"
        return Outcome(kind=OutcomeKind.DELIVERED, code=response.status, detail=detail)
    return _registry(response.status, response.errors)


def judge_query(status: int, content_type: str, body: bytes) -> tuple[FoundEntry, ...] | Outcome:
    """What an ITI-18 answer found, or why it tells nothing. Never raises.

    A question changes nothing at the peer, so an unclear answer is asked for again (`transient`).
    """
    try:
        response = read_query_response(content_type, body)
    except NotXdsError:
        return _asked(_unreadable(status))
    if response.fault is not None:
        return _asked(_fault(response.fault))
    if response.status == FAILURE:
        return _asked(_registry(response.status, response.errors))
    return response.entries


def _asked(outcome: Outcome) -> Outcome:
    kind = OutcomeKind.TRANSIENT if outcome.kind in (_A, _D) else outcome.kind
    return replace(outcome, kind=kind, detail=f"asking for the document (TD3.1b): {outcome.detail}")


def _unreadable(status: int) -> Outcome:
    return _outcome(f"HTTP {status}", HTTP.get(status) or HUNDREDS.get(status // 100, UNKNOWN))


def _registry(status: str, errors: tuple[RegistryError, ...]) -> Outcome:
    """Of an answer that is no success."""
    codes = [error.code for error in errors if error.severity != "Warning"]
    if not codes:
        return _outcome(status, Meaning(_P, "refused without an error code"))
    code = next((code for code in DECISIVE if code in codes), "") or min(codes, key=_weight)
    return _outcome(code, ERRORS.get(code, UNKNOWN))


def _weight(code: str) -> int:
    return _WORST.index(ERRORS.get(code, UNKNOWN).kind)


def _fault(fault: SoapFault) -> Outcome:
    meaning = ERRORS.get(fault.subcode) or FAULT_SUBCODES.get(fault.subcode)
    if meaning is not None:
        return _outcome(fault.subcode, meaning)
    return _outcome(f"soap:{fault.code}", FAULT_CODES.get(fault.code, UNKNOWN))


def _outcome(code: str, meaning: Meaning) -> Outcome:
    return Outcome(kind=meaning.kind, code=_token(code), detail=meaning.detail)


def _token(code: str) -> str:
    """A peer's code on one short line: it comes from outside and goes into logs and pages."""
    return "".join(char for char in code[:64] if char.isalnum() or char in " :._-")
