"""Bytes → a checked FHIR R4 Bundle. Whatever a peer sends, the result is a ReportBundle or findings."""

import json
from email.message import Message as MimeHeader
from typing import Any

from gateway.fhir.apart import by_entry, without
from gateway.fhir.bundle import ReportBundle
from gateway.fhir.versions import R4, foreign
from gateway.model.findings import Finding, finding

MEDIA_TYPES = frozenset({"application/fhir+json", "application/json", "text/json", "text/plain", ""})
BUNDLE_TYPES = frozenset({"transaction", "batch", "collection", "document", "message"})
METHODS = frozenset({"POST", "PUT"})
"""Bundle.entry.request.method: what announces a resource. A DELETE must not pass as if it were done."""
MAX_DEPTH = 64
"""JSON levels; R4 resources with contained resources and nested extensions need about 20."""
MAX_FINDINGS = 50


class FhirError(Exception):
    """The body is no FHIR R4 report; `findings` say what and where (at least one error)."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(f"{one.code} {one.location}".strip() for one in findings))
        self.findings = findings


def read(body: bytes, content_type: str = "application/fhir+json") -> ReportBundle:
    """The Bundle (transaction, batch, collection, document, message) of reports or orders in `body`, or one
    DiagnosticReport or ServiceRequest by itself.

    Raises FhirError: FHIR-MEDIA-TYPE (XML, other types), FHIR-SYNTAX (not JSON, a key twice, too deep),
    FHIR-VERSION (MIME parameter or shape of another version), FHIR-INVALID (breaks the R4 model),
    FHIR-NO-REPORT. Faulty entries of a batch are set aside (`ReportBundle.refused`) while one is left
    that can be taken.
    """
    _media_type(body, content_type)
    tree = _parse(body)
    # Also a report that is set aside: what it would have answered is no order by itself.
    reporting = any(kind == "DiagnosticReport" for _, kind, _ in _resources(tree))
    tree, refused = _batch(tree) if tree.get("type") == "batch" else (_judged(tree), {})
    bundle = ReportBundle(tree, refused)
    if not (bundle.reports if reporting else bundle.requests):
        faults = tuple(fault for found in refused.values() for fault in found)
        raise FhirError(*faults[:MAX_FINDINGS] or (finding("FHIR-NO-REPORT", str(tree.get("resourceType"))),))
    return bundle


def _judged(tree: dict[str, Any]) -> dict[str, Any]:
    """`tree` itself; raises FhirError."""
    resources = _resources(tree)
    _version(resources)
    _bundle_rules(tree)
    _model(tree, resources)
    return tree


def _batch(tree: dict[str, Any]) -> tuple[dict[str, Any], dict[int, tuple[Finding, ...]]]:
    """The batch without its faulty entries, and these. Raises FhirError for a fault of the Bundle itself."""
    refused: dict[int, tuple[Finding, ...]] = {}
    while True:
        try:
            return _judged(tree), refused
        except FhirError as wrong:
            faulty = by_entry(wrong.findings)
            if not faulty or faulty.keys() & refused.keys():
                raise
            refused |= faulty
            tree = without(tree, faulty)


def _media_type(body: bytes, content_type: str) -> None:
    header = MimeHeader()
    header["Content-Type"] = content_type or "application/fhir+json"
    version = str(header.get_param("fhirVersion", "4.0"))
    if header.get_content_type() not in MEDIA_TYPES or body.lstrip()[:1] == b"<":
        raise FhirError(finding("FHIR-MEDIA-TYPE", "", "XML" if body.lstrip()[:1] == b"<" else "not JSON"))
    if str(header.get_param("charset", "utf-8")).lower() not in ("utf-8", "utf8", "us-ascii"):
        raise FhirError(finding("FHIR-MEDIA-TYPE", "", "charset other than UTF-8"))
    if version not in R4:
        raise FhirError(finding("FHIR-VERSION", "", f"fhirVersion {version[:8]}"))


def _parse(body: bytes) -> dict[str, Any]:
    """JSON object; a key twice is refused, since readers differ on which one counts."""
    try:
        tree = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise FhirError(finding("FHIR-SYNTAX", "", "not UTF-8")) from None
    except RecursionError:
        raise FhirError(finding("FHIR-SYNTAX", "", "nested too deeply")) from None
    except _TwiceError as twice:
        raise FhirError(finding("FHIR-SYNTAX", "", f"the key {twice.args[0][:40]} stands twice")) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FhirError(finding("FHIR-SYNTAX", place, "not JSON")) from None
    except ValueError:
        raise FhirError(finding("FHIR-SYNTAX", "", "a number out of range")) from None
    if not isinstance(tree, dict) or not isinstance(tree.get("resourceType"), str):
        raise FhirError(finding("FHIR-SYNTAX", "", "no resourceType"))
    if _depth(tree) > MAX_DEPTH:
        raise FhirError(finding("FHIR-SYNTAX", "", f"more than {MAX_DEPTH} levels"))
    if b"\\ud" in body.lower() and not _encodable(tree):
        raise FhirError(finding("FHIR-SYNTAX", "", "half a character (a lone surrogate)"))
    return tree


class _TwiceError(Exception):
    """A key stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _encodable(tree: Any) -> bool:
    """JSON lets `\\ud83d` stand alone; no UTF-8 document can hold it."""
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _depth(tree: Any) -> int:
    depth, level = 0, [tree]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = [item for item in inner if isinstance(item, dict | list)]
    return depth


_Resource = tuple[str, str, dict[str, Any]]
"""(FHIRPath, resourceType, JSON) of a resource of the payload."""


def _resources(tree: dict[str, Any]) -> list[_Resource]:
    """The root (unless a Bundle), the resources of its entries and those contained in them."""
    if tree["resourceType"] != "Bundle":
        tops = [(tree["resourceType"], tree)]
    else:
        tops = [
            (f"Bundle.entry[{index}].resource", entry["resource"])
            for index, entry in _objects(tree, "entry")
            if isinstance(entry.get("resource"), dict)
        ]
    found: list[_Resource] = []
    for path, resource in tops:
        found.append((path, str(resource.get("resourceType", "")), resource))
        for index, one in _objects(resource, "contained"):
            found.append((f"{path}.contained[{index}]", str(one.get("resourceType", "")), one))
    return found


def _objects(parent: dict[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    """Objects of the array `name`, with their index; the model refuses other forms later."""
    items = parent.get(name)
    return [
        (index, item)
        for index, item in enumerate(items if isinstance(items, list) else ())
        if isinstance(item, dict)
    ]


def _version(resources: list[_Resource]) -> None:
    found = []
    for path, _, resource in resources:
        version, element = foreign(resource)
        if version:
            found.append(finding("FHIR-VERSION", f"{path}.{element}", f"{version} shape; FHIR R4 is taken"))
    if found:
        raise FhirError(*found[:MAX_FINDINGS])


def _bundle_rules(tree: dict[str, Any]) -> None:
    """What the model does not check: the kind of Bundle, and the methods of its entries."""
    if tree["resourceType"] != "Bundle":
        return
    if str(tree.get("type")) not in BUNDLE_TYPES:
        raise FhirError(finding("FHIR-INVALID", "Bundle.type", "a type that announces no report"))
    refused = [
        finding("FHIR-INVALID", f"Bundle.entry[{index}].request.method", "only POST and PUT are served")
        for index, entry in _objects(tree, "entry")
        if isinstance(entry.get("request"), dict) and str(entry["request"].get("method")) not in METHODS
    ]
    if refused:
        raise FhirError(*refused[:MAX_FINDINGS])


def _model(tree: dict[str, Any], resources: list[_Resource]) -> None:
    """The R4 model of fhir.resources (imported here: it costs a second). It accepts codes outside required
    value sets and empty arrays, which mapping and rules therefore check themselves."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    unknown = [
        finding("FHIR-INVALID", f"{path}.resourceType", "a resource type that R4 does not have")
        for path, kind, _ in resources
        if not _known(kind)
    ]
    if unknown:
        raise FhirError(*unknown[:MAX_FINDINGS])
    kind = tree["resourceType"]
    if not _known(kind):
        raise FhirError(finding("FHIR-INVALID", "resourceType", "a resource type that R4 does not have"))
    try:
        get_fhir_model_class(kind).model_validate(tree)
    except ValidationError as error:
        # `type` and place only: the message of the library may quote the value.
        places = {_place(kind, one["loc"]): one["type"] for one in error.errors(include_url=False)}
        raise FhirError(
            *(finding("FHIR-INVALID", place, why) for place, why in list(places.items())[:MAX_FINDINGS])
        ) from None
    except (KeyError, AttributeError, TypeError, ValueError, RecursionError):
        # Measured: unknown types raise KeyError, odd forms a bare TypeError (spec fhir.md §7.2).
        odd = [path for path, name, one in resources if not _readable(name, one)] or [kind]
        raise FhirError(
            *(finding("FHIR-INVALID", one, "the model could not read it") for one in odd[:MAX_FINDINGS])
        ) from None


def _readable(kind: str, resource: dict[str, Any]) -> bool:
    """The model reads the resource, right or wrong."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError:
        return True
    except (KeyError, AttributeError, TypeError, ValueError, RecursionError):
        return False
    return True


def _known(kind: str) -> bool:
    """`kind` is a resource type of R4B (a datatype such as HumanName is not)."""
    from fhir.resources.R4B import get_fhir_model_class
    from fhir.resources.R4B.resource import Resource

    try:
        return kind.isalpha() and issubclass(get_fhir_model_class(kind), Resource)
    except (KeyError, ValueError, AttributeError, ImportError):
        return False


def _place(kind: str, location: tuple[int | str, ...]) -> str:
    path = kind
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part[:64]}"
    return path
