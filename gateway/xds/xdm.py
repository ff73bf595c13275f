"""IHE_XDM.ZIP: documents and their metadata as a file (IHE ITI TF-2 §3.32, CI-SIS volet Échange; spec §3.3).

    INDEX.HTM, README.TXT, IHE_XDM/SUBSET01/METADATA.XML, IHE_XDM/SUBSET01/DOC00001.XML…

Names are ISO 9660 level 1 (8.3, capitals). Equal arguments give equal bytes.
"""

from datetime import datetime
from functools import lru_cache
from html import escape

from gateway.model.base import Value, replace
from gateway.xds.ebrim import submit_objects_request
from gateway.xds.hl7types import clean
from gateway.xds.model import Submission
from gateway.xds.xml import DECLARATION
from gateway.xds.zip import Member, member
from gateway.xds.zip import archive as zipped

FILE_NAME = "IHE_XDM.ZIP"
SUBSET = "IHE_XDM/SUBSET01"

EXTENSIONS: dict[str, str] = {
    "text/xml": "XML",
    "application/pdf": "PDF",
    "application/dicom": "DCM",
    "application/xslt+xml": "XML",
}
"""Extension of a document by its media type."""


class XdmSender(Value):
    """Who sends and with which software, as README.TXT and INDEX.HTM say it.

    `name` is the person or automaton, `address` lines in reading order, `contact` a telephone or an id.
    """

    name: str
    organization: str
    address: tuple[str, ...] = ()
    contact: str = ""
    software: str = ""
    software_version: str = ""
    publisher: str = ""


def archive(
    submission: Submission,
    documents: tuple[tuple[str, bytes], ...],
    sender: XdmSender,
    *,
    when: datetime,
) -> bytes:
    """The zip. `documents` are (entry id, bytes), one for each entry of `submission`; the URI of each entry
    is set here to its file name. `when` dates the members (its local fields; zip knows no offset).

    Raises ValueError when documents and entries do not match one to one, MetadataError like `ebrim`.
    """
    by_id = dict(documents)
    if len(by_id) != len(documents) or set(by_id) != {entry.entry_id for entry in submission.entries}:
        raise ValueError("documents and document entries do not match one to one")
    entries = tuple(
        replace(entry, uri=f"DOC{n:05d}.{EXTENSIONS.get(entry.mime_type, 'BIN')}")
        for n, entry in enumerate(submission.entries, 1)
    )
    metadata = metadata_file(replace(submission, entries=entries))
    members = (
        *_pages(sender, tuple(entry.uri for entry in entries)),
        member(f"{SUBSET}/METADATA.XML", metadata),
        *(member(f"{SUBSET}/{entry.uri}", by_id[entry.entry_id]) for entry in entries),
    )
    return zipped(members, when)


def metadata_file(submission: Submission) -> bytes:
    """`submission` as a file of its own, an attribute of the metadata a line. Raises MetadataError."""
    return DECLARATION + submit_objects_request(submission, line_end="\n").encode("utf-8")


@lru_cache(maxsize=32)
def _pages(sender: XdmSender, names: tuple[str, ...]) -> tuple[Member, Member]:
    """INDEX.HTM and README.TXT: the same for all that one sender sends."""
    return (
        member("INDEX.HTM", _index(sender).encode("utf-8")),
        member("README.TXT", _readme(sender, names).encode("utf-8")),
    )


def _index(sender: XdmSender) -> str:
    contact = f" ({clean(sender.contact)})" if sender.contact else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr" lang="fr">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
<title>Documents de santé</title>
</head>
<body>
<p>Emetteur : {escape(clean(sender.organization) + contact)}</p>
<p><a href="README.TXT">README.TXT</a></p>
</body>
</html>
"""


def _readme(sender: XdmSender, names: tuple[str, ...]) -> str:
    """README.TXT in French, lines end with CR LF."""
    lines = (
        "Emetteur",
        f"  Nom : {clean(sender.name)}",
        f"  Organisme : {clean(sender.organization)}",
        f"  Adresse : {clean(', '.join(sender.address))}",
        f"  Téléphone : {clean(sender.contact)}",
        "",
        "Application",
        f"  Nom : {clean(sender.software)}",
        f"  Version : {clean(sender.software_version)}",
        f"  Editeur : {clean(sender.publisher)}",
        "",
        "Instructions",
        "  Cette archive contient des documents de santé au format CDA R2 et leurs métadonnées.",
        "  Importez-la dans un logiciel de professionnel de santé compatible IHE XDM.",
        "",
        "Arborescence",
        "  INDEX.HTM : page d'accueil",
        "  README.TXT : ce fichier",
        f"  {SUBSET}/METADATA.XML : métadonnées des documents",
        *(f"  {SUBSET}/{name} : document" for name in names),
        "",
    )
    return "\r\n".join(lines)
