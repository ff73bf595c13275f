"""Forms and codes that XDS metadata take in France: PS_IdNat, CX, XCN, XON, CXi, masks (spec §1.2, §1.3)."""

import re

OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
TIME = re.compile(r"\d{4}(\d\d(\d\d(\d\d(\d\d(\d\d)?)?)?)?)?")
SHA1 = re.compile(r"[0-9a-fA-F]{40}")
PATIENT = re.compile(r"(?P<id>[^\^&]+)\^\^\^&(?P<root>[0-9.]+)&ISO\^NH")
LOCAL_PATIENT = re.compile(r"[^\^&]+\^\^\^&[0-9.]+&ISO\^PI")
SOURCE_PATIENT = re.compile(r"[^\^&]+\^\^\^&[0-9.]+&ISO\^[A-Z]{2}")
XCN = re.compile(r"[^\^]+\^[^\^]*\^[^\^]*\^{6}&[0-9.]+&ISO\^[DU]\^\^\^(IDNPS|EI|RI|NH)")
XON = re.compile(r"[^\^]*\^{5}(&[0-9.]+&ISO\^[A-Z]+\^\^\^[^\^]+|\^\^\^\^)?")
REFERENCE_ID = re.compile(
    r"[^\^#]+\^\^\^(&[0-9.]+&ISO)?\^"
    r"(urn:ihe:iti:xds:2013:(accession|order)|urn:ihe:iti:xds:2016:studyInstanceUID)"
)
MASKS = {"MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}
MASK_SCHEME = "1.2.250.1.213.1.1.4.13"
CONFIDENTIALITY_SCHEME = "2.16.840.1.113883.5.25"
ENTRY_SLOTS = (
    "creationTime",
    "hash",
    "languageCode",
    "legalAuthenticator",
    "serviceStartTime",
    "size",
    "sourcePatientId",
    "sourcePatientInfo",
)
MANY_VALUES = {"sourcePatientInfo", "urn:ihe:iti:xds:2013:referenceIdList"}
CLASS_OF_TYPE = {"18748-4": "31", "55115-0": "42", "IMG-KOS": "31"}
"""classCode by typeCode for imaging (NOS, ASS_X16)."""
