"""Checking an IHE_XDM.ZIP (IHE ITI-32, CI-SIS volet Échange, spec §3.3): bytes in, facts and faults out."""

import io
import re
import zipfile
from binascii import a2b_base64
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from lxml import etree

from conformance.simulators import ebrim, xds_rules
from conformance.simulators.ebrim import first
from conformance.simulators.xds_faults import Fault, Submission
from conformance.xml import XmlRefusedError, parse, text_of

CDA = "{urn:hl7-org:v3}"
NAME_8_3 = re.compile(r"[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?")
SUBSET = "IHE_XDM/SUBSET01/"
MAX_UNPACKED = 100 * 1024 * 1024
_LARGEST = 1 << 20
"""Bytes of an archive above which none is kept."""
EXTRA_METADATA = "urn:action:extraMetadataSlot"


class Inside(NamedTuple):
    """One CDA of the archive. `embedded_pdf` holds the bytes of an N1 body, None for N3."""

    name: str
    data: bytes
    code: str
    patient_ids: frozenset[str]
    embedded_pdf: bytes | None


class Archive(NamedTuple):
    """`patient` is the one DocumentEntry.patientId, "" when there is none or more than one; `action` what the
    mail says of the document, C (replaces another) or D (withdrawn), "" for a new one."""

    patient: str
    documents: tuple[Inside, ...]
    faults: tuple[Fault, ...]
    action: str = ""


def read(data: bytes) -> Archive:
    """All faults of an archive; never raises for what a stranger may have sent.

    The mails of one report carry the same one: it is judged once.
    """
    return (_known if len(data) <= _LARGEST else _read)(data)


def _read(data: bytes) -> Archive:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > MAX_UNPACKED:
                return _refused("more than 100 MiB when unpacked")
            files = {info.filename: archive.read(info) for info in infos}
            doubled = len(files) < len(infos)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        return _refused(f"not a readable zip archive: {type(error).__name__}")
    faults = list(_layout(files))
    if doubled:
        faults.append(Fault("XDM", "archive", "two files have the same name"))
    metadata_file = files.get(f"{SUBSET}METADATA.XML")
    if metadata_file is None:
        return Archive("", (), tuple(faults))
    try:
        root = parse(metadata_file)
    except XmlRefusedError as error:
        return Archive("", (), (*faults, Fault("XDM", "METADATA.XML", str(error))))
    request = next(root.iter(f"{{{ebrim.LCM}}}SubmitObjectsRequest"), None)
    if request is None:
        return Archive("", (), (*faults, Fault("XDM", "METADATA.XML", "no SubmitObjectsRequest")))
    metadata = ebrim.read(request)
    by_id = {}
    for entry in metadata.entries:
        uri = first(entry.slots, "URI")
        if uri and f"{SUBSET}{uri.removeprefix(SUBSET)}" in files:
            by_id[entry.id] = files[f"{SUBSET}{uri.removeprefix(SUBSET)}"]
        else:
            faults.append(Fault("XDM", "DocumentEntry.URI", "missing, or names no file of the subset"))
    faults += xds_rules.check(Submission(metadata, by_id), xds_rules.EXCHANGE_RULES)
    documents = tuple(_cda(entry.id, by_id, faults) for entry in metadata.entries if entry.id in by_id)
    patients = {entry.patient_id for entry in metadata.entries}
    for document in documents:
        faults += _same_patient(document, patients)
    actions = {first(entry.slots, EXTRA_METADATA) for entry in metadata.entries}
    return Archive(
        patients.pop() if len(patients) == 1 else "",
        documents,
        tuple(faults),
        actions.pop() if len(actions) == 1 else "",
    )


_known = lru_cache(maxsize=16)(_read)


def _refused(text: str) -> Archive:
    return Archive("", (), (Fault("XDM", "archive", text),))


def _layout(files: dict[str, bytes]) -> Iterator[Fault]:
    for wanted in ("INDEX.HTM", "README.TXT", f"{SUBSET}METADATA.XML"):
        if wanted not in files:
            yield Fault("XDM", wanted, "missing")
    for name in files:
        if not all(NAME_8_3.fullmatch(part) for part in name.split("/")):
            yield Fault("XDM", name, "is not a name of ISO 9660 level 1 (8.3, upper case)")
    index = files.get("INDEX.HTM")
    if index is not None:
        try:
            parse(re.sub(rb"<!DOCTYPE[^>]*>", b"", index, count=1))
        except XmlRefusedError:
            yield Fault("XDM", "INDEX.HTM", "is not XHTML")
        if b"README.TXT" not in index:
            yield Fault("XDM", "INDEX.HTM", "has no link to README.TXT")


def _cda(entry: str, by_id: dict[str, bytes], faults: list[Fault]) -> Inside:
    data = by_id[entry]
    try:
        root = parse(data)
    except XmlRefusedError as error:
        faults.append(Fault("XDM", "document", str(error)))
        return Inside(entry, data, "", frozenset(), None)
    if root.tag != f"{CDA}ClinicalDocument":
        faults.append(Fault("XDM", "document", "is not a ClinicalDocument"))
    code = root.find(f"{CDA}code")
    ids = root.iterfind(f"{CDA}recordTarget/{CDA}patientRole/{CDA}id")
    return Inside(
        name=entry,
        data=data,
        code="" if code is None else code.get("code", ""),
        patient_ids=frozenset(f"{found.get('extension')}^^^&{found.get('root')}&ISO" for found in ids),
        embedded_pdf=_pdf(root),
    )


def _pdf(root: etree._Element) -> bytes | None:
    text = root.find(f"{CDA}component/{CDA}nonXMLBody/{CDA}text")
    if text is None or text.get("mediaType") != "application/pdf":
        return None
    try:
        return a2b_base64("".join(text_of(text).split()), strict_mode=True)
    except ValueError:
        return b""


def _same_patient(document: Inside, patients: set[str]) -> Iterator[Fault]:
    """The patientId of the metadata is one of the CDA's own (ECO.2.1.2)."""
    if document.patient_ids and not any(
        patient.startswith(known) for patient in patients for known in document.patient_ids
    ):
        yield Fault("XDM", "DocumentEntry.patientId", "is no patient id of the CDA itself")
