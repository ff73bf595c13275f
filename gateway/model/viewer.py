"""The link under which a reader of the report may see its images: only where the profile names a viewer.

By default no document carries a host name: places of images belong into the manifest (KOS).
"""

from urllib.parse import urlencode, urlsplit

from gateway.model.report import Act, ImagingStudy
from gateway.model.version import ReportVersion


def link(version: ReportVersion, study: ImagingStudy) -> str:
    """IHE Invoke Image Display, as IMG-CR-IMG asks for it (cda.md §4, STD); "" without a viewer.

    It names the document, by which the viewer knows that the caller has read the report.
    """
    if not version.site.viewer:
        return ""
    accession = study.accession.value if study.accession is not None else _accession(version, study.uid)
    asked = {
        "requestType": "STUDY",
        "studyUID": study.uid,
        "Accessionnumber": accession,
        "idCDA": version.identity.document_id,
    }
    return f"{version.site.viewer}?{urlencode({key: value for key, value in asked.items() if value})}"


def _accession(version: ReportVersion, uid: str) -> str:
    """That of the act of the study."""
    acts: tuple[Act, ...] = version.report.acts
    found = (act.accession.value for act in acts if act.study_uid == uid and act.accession is not None)
    return next(found, "")


def fault(address: str) -> str:
    """Why `address` cannot be a profile's viewer; "" when it can, or there is none."""
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return "is no address"
    if parts.scheme != "https" or not host:
        return "must be https://<host>/<path>"
    if parts.query or parts.fragment or parts.username or not address.isascii() or " " in address:
        return "must have no query, fragment, user or blank: they are added for each study"
    return ""
