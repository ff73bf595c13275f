"""One change each on the official examples EX3 and EX1 (read from the kit, never kept): spec cda.md §2.

A mutation is a function that changes a parsed ClinicalDocument. `CAUGHT` must be refused by the official
rules, `NOT_CAUGHT` is let through by them.
"""

from collections.abc import Callable
from typing import NamedTuple

from lxml import etree

NS = {"h": "urn:hl7-org:v3", "ps": "urn:dicom-org:ps3-20", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
H = "{urn:hl7-org:v3}"
CDA_IDS = "/h:ClinicalDocument/h:recordTarget/h:patientRole/h:id"
PATIENT = "/h:ClinicalDocument/h:recordTarget/h:patientRole/h:patient"
AUTHOR = "/h:ClinicalDocument/h:author[1]/h:assignedAuthor"
EVENT = "/h:ClinicalDocument/h:documentationOf[1]/h:serviceEvent"

Change = Callable[[etree._Element], None]


class Mutation(NamedTuple):
    name: str
    example: str
    """`EX3` (N3) or `EX1` (N1)."""
    change: Change


def find(root: etree._Element, path: str) -> list[etree._Element]:
    found = root.getroottree().xpath(path, namespaces=NS)
    assert isinstance(found, list)
    assert found, f"the example has no {path}"
    return [element for element in found if isinstance(element, etree._Element)]


def remove(path: str, first_only: bool = False) -> Change:
    def change(root: etree._Element) -> None:
        for element in find(root, path)[: 1 if first_only else None]:
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)

    return change


def put(path: str, **attributes: str | None) -> Change:
    """Set attributes of the first element found; None takes one away."""

    def change(root: etree._Element) -> None:
        element = find(root, path)[0]
        for name, value in attributes.items():
            if value is None:
                element.attrib.pop(name, None)
            else:
                element.set(name, value)

    return change


def text(path: str, value: str) -> Change:
    def change(root: etree._Element) -> None:
        find(root, path)[0].text = value

    return change


def section(*roots: str) -> str:
    condition = " or ".join(f"@root='{root}'" for root in roots)
    return f"//h:component[h:section/h:templateId[{condition}]]"


def swap_code_and_title(root: etree._Element) -> None:
    title = find(root, "/h:ClinicalDocument/h:title")[0]
    root.remove(title)
    root.insert(root.index(find(root, "/h:ClinicalDocument/h:code")[0]), title)


def add_template(root: etree._Element) -> None:
    last = find(root, "/h:ClinicalDocument/h:templateId")[-1]
    last.addnext(etree.Element(f"{H}templateId", root="1.2.250.1.213.1.1.1.45", extension="2024.01"))


def second_version(root: etree._Element) -> None:
    put("/h:ClinicalDocument/h:versionNumber", value="2")(root)
    remove("/h:ClinicalDocument/h:relatedDocument")(root)


EX3, EX1 = "EX3", "EX1"
CAUGHT = (
    Mutation("all patient ids removed", EX3, remove(CDA_IDS)),
    Mutation("patient id without extension", EX3, put(CDA_IDS, extension=None)),
    Mutation("COG county removed", EX3, remove(f"{PATIENT}/h:birthplace/h:place/h:addr/h:county")),
    Mutation("first given name removed", EX3, remove(f"{PATIENT}/h:name/h:given[@qualifier='BR']")),
    Mutation("patient family SP", EX3, put(f"{PATIENT}/h:name/h:family", qualifier="SP")),
    Mutation("another document code", EX3, put("/h:ClinicalDocument/h:code", code="11502-2")),
    Mutation("unknown document code", EX1, put("/h:ClinicalDocument/h:code", code="00000-0")),
    Mutation("no conclusion", EX3, remove(section("1.2.250.1.213.1.1.2.209"))),
    Mutation("no object catalogue", EX3, remove(section("1.2.250.1.213.1.1.2.217"))),
    Mutation(
        "modality RM",
        EX3,
        put(f"{EVENT}/h:code/h:translation[@codeSystem='1.2.840.10008.2.16.4']", code="RM"),
    ),
    Mutation("unknown target site", EX3, put("//h:procedure/h:targetSiteCode", code="1")),
    Mutation(
        "unknown dose code",
        EX3,
        put("//h:observation[h:templateId/@root='1.2.250.1.213.1.1.3.154']/h:code", code="1"),
    ),
    Mutation("no accession number", EX3, remove("//h:inFulfillmentOf/h:order/ps:accessionNumber")),
    Mutation("invalid date", EX3, put("/h:ClinicalDocument/h:effectiveTime", value="20241345")),
    Mutation("no setId", EX3, remove("/h:ClinicalDocument/h:setId")),
    Mutation("no legalAuthenticator", EX3, remove("/h:ClinicalDocument/h:legalAuthenticator")),
    Mutation("no componentOf", EX3, remove("/h:ClinicalDocument/h:componentOf")),
    Mutation("code and title swapped", EX3, swap_code_and_title),
    Mutation("unknown specialty", EX3, put(f"{AUTHOR}/h:code", code="G99_99")),
    Mutation("gender U", EX3, put(f"{PATIENT}/h:administrativeGenderCode", code="U")),
    Mutation(
        "unknown facility type",
        EX3,
        put("//h:encompassingEncounter/h:location/h:healthCareFacility/h:code", code="SA99"),
    ),
    Mutation("unknown confidentiality", EX3, put("/h:ClinicalDocument/h:confidentialityCode", code="X")),
    Mutation("prefix with a dot", EX3, text(f"{AUTHOR}/h:assignedPerson/h:name/h:prefix", "M.")),
    Mutation("suffix in words", EX3, text(f"{AUTHOR}/h:assignedPerson/h:name/h:suffix", "Docteur")),
    Mutation(
        "performer without practice setting",
        EX3,
        remove(f"{EVENT}/h:performer/h:assignedEntity/h:representedOrganization/h:standardIndustryClassCode"),
    ),
    Mutation("no principal performer", EX3, remove(f"{EVENT}/h:performer")),
    Mutation(
        "telecom without scheme", EX3, put("//h:telecom[starts-with(@value,'tel:')]", value="0144534551")
    ),
    Mutation("empty title", EX3, text("/h:ClinicalDocument/h:title", "")),
    Mutation("bogus unit", EX3, put("//h:value[@xsi:type='PQ']", unit="bogus")),
    Mutation(
        "study without series",
        EX3,
        remove("//h:act[h:templateId/@root='1.2.250.1.213.1.1.3.155']/h:entryRelationship"),
    ),
    Mutation("N1 with a fourth templateId", EX1, add_template),
    Mutation(
        "author's practice setting out of its set",
        EX3,
        put(f"{AUTHOR}/h:representedOrganization/h:standardIndustryClassCode", code="X"),
    ),
)
NOT_CAUGHT = (
    Mutation(
        "no INS, an IPP remains",
        EX3,
        remove(f"{CDA_IDS}[starts-with(@root, '1.2.250.1.213.1.4')]"),
    ),
    Mutation("no request", EX3, remove("/h:ClinicalDocument/h:inFulfillmentOf")),
    Mutation("time without offset", EX3, put("/h:ClinicalDocument/h:effectiveTime", value="20210108111700")),
    Mutation("a date alone", EX3, put("/h:ClinicalDocument/h:effectiveTime", value="20210108")),
    Mutation(
        "no CCAM code under its OID",
        EX3,
        put(f"{EVENT}/h:code/h:translation[starts-with(@codeSystem,'1.2.250.1.21')]", code="69536005"),
    ),
    Mutation(
        "unknown region",
        EX3,
        put(f"{EVENT}/h:code/h:translation[@codeSystem='2.16.840.1.113883.6.96']", code="1"),
    ),
    Mutation("unknown LOINC of the act", EX3, put(f"{EVENT}/h:code", code="99999-0")),
    Mutation("N1 declared as plain text", EX1, put("//h:nonXMLBody/h:text", mediaType="text/plain")),
    Mutation(
        "N1 act without modality",
        EX1,
        remove(f"{EVENT}/h:code/h:translation[@codeSystem='1.2.840.10008.2.16.4']"),
    ),
    Mutation("a second version that replaces nothing", EX3, second_version),
    Mutation("author without specialty", EX3, remove(f"{AUTHOR}/h:code")),
    Mutation("confidentiality R", EX3, put("/h:ClinicalDocument/h:confidentialityCode", code="R")),
    Mutation("RPPS without type digit", EX3, put(f"{AUTHOR}/h:id", extension="01234560801")),
    Mutation("N1 body is no PDF", EX1, text("//h:nonXMLBody/h:text", "SGVsbG8gd29ybGQ=")),
    Mutation("N1 body in TXT", EX1, put("//h:nonXMLBody/h:text", representation="TXT")),
    Mutation(
        "time in milliseconds",
        EX3,
        put("/h:ClinicalDocument/h:effectiveTime", value="20210108111700.123+0100"),
    ),
    Mutation(
        "a version that is not a replacement",
        EX3,
        put("/h:ClinicalDocument/h:relatedDocument", typeCode="XFRM"),
    ),
    Mutation(
        "wrong INS key",
        EX3,
        put(f"{CDA_IDS}[starts-with(@root, '1.2.250.1.213.1.4')]", extension="279035121518980"),
    ),
    Mutation(
        "N1 with modality RM",
        EX1,
        put(f"{EVENT}/h:code/h:translation[@codeSystem='1.2.840.10008.2.16.4']", code="RM"),
    ),
    Mutation("N1 body is no Base64", EX1, text("//h:nonXMLBody/h:text", "JVBERi0xLj*")),
    Mutation("N1 body is empty", EX1, text("//h:nonXMLBody/h:text", "")),
    Mutation("reference to nothing", EX3, put("(//h:entry//h:text/h:reference)[1]", value="#nowhere")),
    Mutation(
        "LOINC with a wrong check digit",
        EX3,
        put("/h:ClinicalDocument/h:code/h:translation", code="24725-9"),
    ),
)
