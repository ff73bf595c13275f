"""Constants of the CI-SIS volets over HL7 v2, as data: actions, flags, participations, error tables.

Volet Transmission de documents CDA-R2 en HL7v2 2.1.2 (§ numbers are those of the project's spec page);
téléradiologie 1.0; transmission au LPS 1.1.
"""

from gateway.model.base import Value
from gateway.model.submission import Action

PROFILE_TRANSMISSION = "CISIS_CDA_HL7_V2"
PROFILE_TRANSMISSION_1 = "CISIS_CDA_HL7_V1"
PROFILE_TELERADIOLOGY = "CISIS_TLR_HL7_V2"
PROFILE_LPS = "CISIS_CDA_HL7_LPS"
TRANSMISSION_PROFILES = frozenset({PROFILE_TRANSMISSION, PROFILE_TRANSMISSION_1})
"""MSH-21.2 of messages that carry a CDA to the GESTIONNAIRE."""
OUR_PROFILE = "2.1^CISIS_CDA_HL7_V2"
"""MSH-21 of what we write (ZAM; never in an ACK)."""


class ActionRow(Value):
    """One row of §1.2: what ORC-1, the MDM event and OBX-11 must say together."""

    action: Action
    order_control: str
    mdm_event: str
    result_status: str


ACTION_MATRIX: tuple[ActionRow, ...] = (
    ActionRow(action=Action.CREATE, order_control="NW", mdm_event="T02", result_status="F"),
    ActionRow(action=Action.REPLACE, order_control="RO", mdm_event="T10", result_status="C"),
    ActionRow(action=Action.DELETE, order_control="CA", mdm_event="T04", result_status="D"),
)
"""Volet 2.1 §1.2. An ORU is always R01: there ORC-1 and OBX-11 alone must agree."""

ACTION_BY_ORDER_CONTROL = {row.order_control: row.action for row in ACTION_MATRIX}
NEUTRAL_ORDER_CONTROLS = frozenset({"SC", "RE"})
"""ORC-1 that names no action: `SC` (status changed) in official samples of V1.2 and V2.0, `RE` of classic
results. Event and OBX-11 then tell the action."""
ACTION_BY_MDM_EVENT = {row.mdm_event: row.action for row in ACTION_MATRIX}
ACTION_BY_RESULT_STATUS = {row.result_status: row.action for row in ACTION_MATRIX}


class FlagRow(Value):
    """One metadata OBX of §1.6: OBX-3.1, its exact label, the field of `model.submission.Flags` it fills."""

    code: str
    label: str
    field: str
    aliases: tuple[str, ...] = ()


METADATA_SYSTEM = "MetaDMPMSS"
"""OBX-3.3 of every metadata OBX."""

FLAG_ROWS: tuple[FlagRow, ...] = (
    FlagRow(code="MASQUE_PS", label="Masqué aux professionnels de Santé", field="masked_ps"),
    FlagRow(
        code="INVISIBLE_PATIENT",
        label="Document Non Visible par le patient",
        field="invisible_patient",
    ),
    FlagRow(
        code="INVISIBLE_REP_LEGAUX",
        label="Non visible par les représentants Légaux du patient",
        field="invisible_legal_representatives",
        # Up to 1.2, and an earlier misspelling of the same.
        aliases=("INVISIBLE_REPRESENTANTS_LEGAUX", "INVISIBLE_REPRENSANTS_LEGAUX"),
    ),
    FlagRow(code="CONNEXION_SECRETE", label="Connexion Secrete", field="secret_connection"),
    FlagRow(
        code="MODIF_CONF_CODE",
        label="Modification Confidentiality Code",
        field="modified_confidentiality",
        aliases=("MODIF_CONFIDENTIALITYCODE",),
    ),
    FlagRow(code="DESTDMP", label="Destinataire DMP", field="to_dmp"),
    FlagRow(
        code="DESTMSSANTEPS",
        label="Destinataire (Professionnel de Santé, organisation ou BAL applicative)",
        field="to_professionals",
    ),
    FlagRow(code="DESTMSSANTEPAT", label="Destinataire Patient", field="to_patient"),
    FlagRow(code="ACK_RECEPTION", label="Accusé de réception", field="acknowledge_reception"),
    FlagRow(
        code="ACK_LECTURE_MSS",
        label="Accusé de lecture",
        field="acknowledge_reading",
        aliases=("ACK_LECTURE",),  # IG examples 0 and 2
    ),
)
"""The ten coded flags in their normative order (§1.6)."""

FLAG_FIELDS: dict[str, str] = {code: row.field for row in FLAG_ROWS for code in (row.code, *row.aliases)}
"""OBX-3.1, aliases included → field of `Flags`."""

YES_NO: dict[str, bool] = {"Y": True, "N": False}
"""OBX-5.1 (system expandedYes-NoIndicator, HL70136 in V2.0 messages)."""
YES_NO_SYSTEM = "expandedYes-NoIndicator"

MAIL_BODIES: dict[str, str] = {
    "CORPSMAIL_PS": "body_professional",
    "CORPSMAIL_PATIENT": "body_patient",
}
"""OBX-3.1 of the optional mail bodies (ED) → field of `SubmissionContext`."""
NO_REPLY = "FIN"
"""NTE-4 after DESTMSSANTEPAT: the patient may not answer (header X-MSS-MES: FIN)."""

PRT_SENDER = "SB"
PRT_RECIPIENT = "RCT"
PRT_REPLY_TO = "REPLY"
PARTICIPATIONS: dict[str, str] = {
    PRT_SENDER: "Send by",
    PRT_RECIPIENT: "Results Copies To",
    PRT_REPLY_TO: "Reply To",
}
"""PRT-4.1 → PRT-4.2 (system `participation`), in the order in which they follow the document OBX."""
MAILBOX_TYPE = "X.400"
"""PRT-15.3 before an address in PRT-15.4."""

MESSAGE_ERROR_CONDITIONS: dict[str, str] = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "198": "Non-conformant cardinality",
    "199": "Other HL7 error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version",
    "207": "Application error",
}
"""ERR-3, HL7 table 0357 as the volet names it: `messageErrorCondition` (§1.7)."""

APPLICATION_ERROR_CONDITIONS: dict[str, str] = {
    "900": "Wrong document version",
    "901": "Author not allowed",
    "902": "Unknown patient",
    "903": "INS absent from the document",
    "904": "INS or traits differ",
    "905": "INS incomplete",
    "906": "Other",
}
"""ERR-5, HL7 table 0533 as the volet fills it: `applicationErrorCondition` (§1.7)."""

# fmt: off
SMTP_ERROR_CODES = frozenset({
    "101", "111", "251", "252", "420", "421", "422", "431", "432", "441", "442", "450", "451", "452", "500",
    "501", "502", "503", "504", "510", "512", "513", "523", "530", "541", "550", "551", "552", "553", "554",
})
# fmt: on
"""ERR-5 of a ZAM^Z02, table SMTPERRORCODE (§1.8)."""
