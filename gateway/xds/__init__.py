"""Generic IHE document sharing: metadata, ebRIM, ITI-41 with MTOM, ITI-18, registry answers, XDM archive.

Pure functions over values; what is French about the metadata stands in `gateway.cisis`.
"""

from gateway.xds.ebrim import MetadataError, submit_objects_request
from gateway.xds.model import (
    Association,
    Author,
    Cx,
    DocumentEntry,
    Submission,
    SubmissionSet,
    Xcn,
    Xon,
)
from gateway.xds.query import FoundEntry, get_documents, read_query_response
from gateway.xds.response import (
    NotXdsError,
    RegistryError,
    RegistryResponse,
    SoapFault,
    read_registry_response,
)
from gateway.xds.soap import SoapRequest, provide_and_register, update_document_set
from gateway.xds.xdm import XdmSender, metadata_file
from gateway.xds.xdm import archive as xdm_archive

__all__ = [
    "Association",
    "Author",
    "Cx",
    "DocumentEntry",
    "FoundEntry",
    "MetadataError",
    "NotXdsError",
    "RegistryError",
    "RegistryResponse",
    "SoapFault",
    "SoapRequest",
    "Submission",
    "SubmissionSet",
    "Xcn",
    "XdmSender",
    "Xon",
    "get_documents",
    "metadata_file",
    "provide_and_register",
    "read_query_response",
    "read_registry_response",
    "submit_objects_request",
    "update_document_set",
    "xdm_archive",
]
