"""What the header reader returns: everything that XDS metadata, a mail subject and the mapping read."""

from gateway.model.base import Value
from gateway.model.people import Patient, Practitioner
from gateway.model.terms import CCAM, CCAM_OLD, DCM, LOINC, SNOMED_CT, Address, Code, Identifier


class Party(Value):
    """A person or device in a role.

    `id` and `organization_id` are as written, with their root; `practitioner.id` and its organisation's `id`
    repeat the extension. `function` of the practitioner is functionCode. Times are HL7 TS as written.
    """

    type_code: str
    """AUT, LA, AUTHEN, PRF, PRCP (information recipient), or the participant's typeCode (REF, INF…)."""
    practitioner: Practitioner
    id: Identifier | None = None
    organization_id: Identifier | None = None
    time: str = ""
    time_low: str = ""
    time_high: str = ""
    device_model: str = ""
    device_software: str = ""

    @property
    def is_device(self) -> bool:
        return bool(self.device_model or self.device_software)


class CdaOrder(Value):
    """inFulfillmentOf/order: the request's number and the accession number."""

    placer: Identifier | None = None
    accession: Identifier | None = None


class ServiceEvent(Value):
    """documentationOf/serviceEvent. `id.value` is empty when the whole id stands in `id.system`."""

    id: Identifier | None = None
    code: Code | None = None
    translations: tuple[Code, ...] = ()
    low: str = ""
    high: str = ""
    performer: Party | None = None

    @property
    def study_uid(self) -> str:
        """Study Instance UID: id/@root, when the id has no extension."""
        return self.id.system if self.id is not None and not self.id.value else ""

    @property
    def modalities(self) -> tuple[Code, ...]:
        return self._of(DCM)

    @property
    def regions(self) -> tuple[Code, ...]:
        return self._of(SNOMED_CT)

    @property
    def loinc(self) -> Code | None:
        return next((code for code in self._codes() if code.system == LOINC), None)

    @property
    def ccam(self) -> Code | None:
        return next((code for code in self._codes() if code.system in (CCAM, CCAM_OLD)), None)

    def _codes(self) -> tuple[Code, ...]:
        return (self.code, *self.translations) if self.code is not None else self.translations

    def _of(self, system: str) -> tuple[Code, ...]:
        return tuple(code for code in self.translations if code.system == system)


class CdaEncounter(Value):
    """componentOf/encompassingEncounter with its healthCareFacility."""

    code: Code | None = None
    number: Identifier | None = None
    low: str = ""
    high: str = ""
    facility_id: Identifier | None = None
    facility_type: Code | None = None
    facility_name: str = ""
    facility_address: Address | None = None


class CdaHeader(Value):
    """The header of a CDA R2 as written. Times are HL7 TS; `gateway.cda.parse_ts` makes them datetimes.

    `id` keeps root in `system` and extension in `value`, like every Identifier here. In `patient`,
    `identity_status` is not known from a CDA and keeps its default; the INS is the first id under its roots.
    """

    id: Identifier
    code: Code
    title: str = ""
    effective_time: str = ""
    confidentiality: Code | None = None
    language: str = ""
    set_id: Identifier | None = None
    version_number: int = 0
    """0: the header states none."""
    template_ids: tuple[Identifier, ...] = ()
    """@root in `system`, @extension in `value`."""
    code_translations: tuple[Code, ...] = ()
    patient: Patient = Patient()
    authors: tuple[Party, ...] = ()
    legal_authenticator: Party | None = None
    authenticators: tuple[Party, ...] = ()
    custodian: Party | None = None
    recipients: tuple[Party, ...] = ()
    participants: tuple[Party, ...] = ()
    orders: tuple[CdaOrder, ...] = ()
    service_events: tuple[ServiceEvent, ...] = ()
    encounter: CdaEncounter = CdaEncounter()
    replaces: tuple[Identifier, ...] = ()
    """parentDocument ids of relatedDocument[@typeCode='RPLC']."""
    body: str = "other"
    """`structured` (N3), `pdf`, `text` (N1) or `other`."""
    media_type: str = ""
    """Of the nonXMLBody, "" for a structured body."""

    @property
    def unique_id(self) -> str:
        """XDS uniqueId: root, or `root^extension`."""
        return join_id(self.id)

    @property
    def principal(self) -> ServiceEvent | None:
        """The main act: the first serviceEvent with a performer, else the first."""
        with_performer = (event for event in self.service_events if event.performer is not None)
        return next(with_performer, self.service_events[0] if self.service_events else None)

    @property
    def roots(self) -> frozenset[str]:
        """Roots of all templateIds."""
        return frozenset(template.system for template in self.template_ids)


def join_id(identifier: Identifier) -> str:
    """`root`, or `root^extension` when there is an extension."""
    return f"{identifier.system}^{identifier.value}" if identifier.value else identifier.system
