"""Reading XDS metadata in ebRIM 3.0: `lcm:SubmitObjectsRequest` → entries, submission sets, associations."""

from lxml import etree

from gateway.model.base import Value

LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
_R = f"{{{RIM}}}"
_SLOT, _VALUE_LIST, _VALUE = f"{_R}Slot", f"{_R}ValueList", f"{_R}Value"
_NAME, _STRING = f"{_R}Name", f"{_R}LocalizedString"
_CLASSIFICATION, _IDENTIFIER = f"{_R}Classification", f"{_R}ExternalIdentifier"
Children = list[etree._Element]
"""Of one element. They are gone through once for each kind: a path costs ten times a comparison."""

SUBMISSION_SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"

# IHE ITI TF-3 table 4.2.5.2-1: the names of the UUIDs of classifications and external identifiers.
ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
EVENT_CODE = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
SINGLE_CODES = {
    "classCode": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "typeCode": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "formatCode": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practiceSettingCode": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
}
ENTRY_IDS = {
    "XDSDocumentEntry.patientId": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "XDSDocumentEntry.uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}
SET_IDS = {
    "XDSSubmissionSet.patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "XDSSubmissionSet.sourceId": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    "XDSSubmissionSet.uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
}
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"


class Slot(Value):
    name: str
    values: tuple[str, ...]


class Classification(Value):
    """`scheme` is the classificationScheme, `code` the nodeRepresentation (None: the attribute is absent)."""

    scheme: str
    code: str | None
    classified: str
    name: str
    slots: tuple[Slot, ...]

    @property
    def coding_scheme(self) -> str:
        return first(self.slots, "codingScheme")


class ExternalIdentifier(Value):
    scheme: str
    value: str
    name: str
    owner: str


class RegistryObject(Value):
    """An ExtrinsicObject (`kind` entry) or a RegistryPackage that is a submission set (`kind` set)."""

    kind: str
    id: str
    object_type: str
    mime_type: str
    title: str
    slots: tuple[Slot, ...]
    classifications: tuple[Classification, ...]
    identifiers: tuple[ExternalIdentifier, ...]

    def identifier(self, scheme: str) -> str:
        return next((found.value for found in self.identifiers if found.scheme == scheme), "")

    def codes(self, scheme: str) -> tuple[Classification, ...]:
        return tuple(found for found in self.classifications if found.scheme == scheme)

    @property
    def unique_id(self) -> str:
        return self.identifier(
            ENTRY_IDS["XDSDocumentEntry.uniqueId"]
            if self.kind == "entry"
            else SET_IDS["XDSSubmissionSet.uniqueId"]
        )

    @property
    def patient_id(self) -> str:
        return self.identifier(
            ENTRY_IDS["XDSDocumentEntry.patientId"]
            if self.kind == "entry"
            else SET_IDS["XDSSubmissionSet.patientId"]
        )


class Association(Value):
    type: str
    source: str
    target: str
    slots: tuple[Slot, ...]


class Metadata(Value):
    entries: tuple[RegistryObject, ...]
    sets: tuple[RegistryObject, ...]
    associations: tuple[Association, ...]

    def targets(self, source: str, kind: str) -> tuple[str, ...]:
        return tuple(a.target for a in self.associations if a.source == source and a.type == kind)


def first(slots: tuple[Slot, ...], name: str) -> str:
    """The first value of the slot `name`, "" when it is absent."""
    return next((slot.values[0] for slot in slots if slot.name == name and slot.values), "")


def values(slots: tuple[Slot, ...], name: str) -> tuple[str, ...]:
    return tuple(value for slot in slots if slot.name == name for value in slot.values)


def read(request: etree._Element) -> Metadata:
    """`request` is an lcm:SubmitObjectsRequest; anything that is not metadata in it is left out."""
    objects = request.find(f"{_R}RegistryObjectList")
    if objects is None:
        return Metadata(entries=(), sets=(), associations=())
    # A classification may stand beside its object instead of inside (ebRIM 3.0 §2.5 allows both).
    loose = [_classification(element) for element in objects.findall(f"{_R}Classification")]
    nodes = {
        element.get("classifiedObject", ""): element.get("classificationNode", "")
        for element in objects.iter(f"{_R}Classification")
        if element.get("classificationNode")
    }
    entries = tuple(_object(element, "entry", loose) for element in objects.findall(f"{_R}ExtrinsicObject"))
    packages = (_object(element, "set", loose) for element in objects.findall(f"{_R}RegistryPackage"))
    sets = tuple(package for package in packages if nodes.get(package.id) == SUBMISSION_SET_NODE)
    associations = tuple(
        Association(
            type=element.get("associationType", ""),
            source=element.get("sourceObject", ""),
            target=element.get("targetObject", ""),
            slots=_slots(list(element)),
        )
        for element in objects.findall(f"{_R}Association")
    )
    return Metadata(entries=entries, sets=sets, associations=associations)


def _object(element: etree._Element, kind: str, loose: list[Classification]) -> RegistryObject:
    own, children = element.get("id", ""), list(element)
    inside = tuple(
        _classification(child)
        for child in children
        if child.tag == _CLASSIFICATION and not child.get("classificationNode")
    )
    return RegistryObject(
        kind=kind,
        id=own,
        object_type=element.get("objectType", ""),
        mime_type=element.get("mimeType", ""),
        title=_name(children),
        slots=_slots(children),
        classifications=inside + tuple(found for found in loose if found.classified == own and found.scheme),
        identifiers=tuple(
            ExternalIdentifier(
                scheme=child.get("identificationScheme", ""),
                value=child.get("value", ""),
                name=_name(list(child)),
                owner=child.get("registryObject", ""),
            )
            for child in children
            if child.tag == _IDENTIFIER
        ),
    )


def _classification(element: etree._Element) -> Classification:
    children = list(element)
    return Classification(
        scheme=element.get("classificationScheme", ""),
        code=element.get("nodeRepresentation"),
        classified=element.get("classifiedObject", ""),
        name=_name(children),
        slots=_slots(children),
    )


def _slots(children: Children) -> tuple[Slot, ...]:
    return tuple(
        Slot(
            name=slot.get("name", ""),
            values=tuple(
                value.text or ""
                for values in slot
                if values.tag == _VALUE_LIST
                for value in values
                if value.tag == _VALUE
            ),
        )
        for slot in children
        if slot.tag == _SLOT
    )


def _name(children: Children) -> str:
    labels = (label for child in children if child.tag == _NAME for label in child if label.tag == _STRING)
    label = next(labels, None)
    return "" if label is None else label.get("value", "")
