"""A checked Bundle: its reports, and references resolved inside it, never outside (REQ-05, REQ-07)."""

from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

from gateway.fhir.apart import Refused
from gateway.fhir.node import Node
from gateway.model.findings import Finding
from gateway.model.terms import Identifier


class ReportBundle:
    """What `read` found: a Bundle with at least one DiagnosticReport or ServiceRequest, or a bare one.

    `kind` is Bundle.type ("" for a bare resource), `reports` the positions of the reports to take: indexes of
    `entry`, or (-1,) for a bare one. A report that another report of the Bundle cites (comparison, history)
    is background and not among them. `requests` are the orders to take, where there is no report: beside one,
    a ServiceRequest is what the report answers. `refused` are the entries of a batch that were set aside.
    """

    def __init__(self, tree: dict[str, Any], refused: Refused = MappingProxyType({})) -> None:
        self.tree, self.refused = tree, refused
        self.bare = tree.get("resourceType") != "Bundle"
        self.kind: str = "" if self.bare else str(tree.get("type", ""))
        self._by_url: dict[str, int] = {}
        self._by_name: dict[str, int] = {}
        self._by_identifier: dict[tuple[str, str, str], int] = {}
        for index, entry in enumerate(self._entries()):
            self._remember(index, entry)
        self.reports = self._positions("DiagnosticReport")
        self.requests = () if self.reports else self._positions("ServiceRequest")

    def root(self, reads: set[str] | None = None) -> Node:
        """The outermost resource, for one walk: `reads` collects what the walk uses."""
        return Node(self.tree, str(self.tree.get("resourceType")), set() if reads is None else reads)

    def at(self, position: int, reads: set[str]) -> Node:
        """The resource at one of `reports` or `requests`."""
        return self.root(reads) if position < 0 else self._resource(position, reads)

    def entries(self, kind: str, reads: set[str]) -> tuple[Node, ...]:
        """All resources of one type, in order."""
        return tuple(
            self._resource(index, reads)
            for index, entry in enumerate(self._entries())
            if _kind(entry.get("resource")) == kind
        )

    def resolve(self, reference: Node) -> Node | None:
        """The resource that a Reference element names, None when it is not in here.

        Read in this order: `#id` (contained), fullUrl (`urn:uuid:…`, absolute), relative to the fullUrl of
        the entry that cites, `Type/id`, a conditional reference (`Type?identifier=system|value`), and the
        logical identifier.
        """
        text = reference.text("reference")
        if text == "#":
            return reference.resource
        if text.startswith("#"):
            return self._contained(reference.resource, text[1:])
        index = self._find(text.split("/_history/")[0], reference.resource.path) if text else None
        if index is None:
            index = self._by_logical(reference)
        return None if index is None else self._resource(index, reference.reads)

    def resolve_url(self, url: Node) -> Node | None:
        """The resource that a `url` element (Attachment.url → Binary) names, None when it is not in here."""
        index = self._find(url.text(), url.resource.path)
        return None if index is None else self._resource(index, url.reads)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is wrong with the entries that were set aside."""
        return tuple(fault for found in self.refused.values() for fault in found)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """FHIRPaths of the orders that nothing in a Bundle of reports refers to."""
        if self.bare or not self.reports:
            return ()
        cited = {
            self._find(reference, f"Bundle.entry[{index}]")
            for index, entry in enumerate(self._entries())
            for reference in _references(entry.get("resource"))
        }
        return tuple(
            f"Bundle.entry[{index}].resource"
            for index, entry in enumerate(self._entries())
            if _kind(entry.get("resource")) == "ServiceRequest" and index not in cited
        )

    def _entries(self) -> list[dict[str, Any]]:
        return [] if self.bare else self.tree.get("entry") or []

    def _resource(self, index: int, reads: set[str]) -> Node:
        return Node(self._entries()[index]["resource"], f"Bundle.entry[{index}].resource", reads)

    def _remember(self, index: int, entry: dict[str, Any]) -> None:
        """The first of two entries with one name wins: FHIR forbids the second (bdl-7)."""
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            return  # an entry may announce a fullUrl only; nothing can lead to it
        if entry.get("fullUrl"):
            self._by_url.setdefault(str(entry["fullUrl"]), index)
        kind = _kind(resource)
        if resource.get("id"):
            self._by_name.setdefault(f"{kind}/{resource['id']}", index)
        for system, value in _identifiers(resource):
            self._by_identifier.setdefault((kind, system, value), index)
            self._by_identifier.setdefault(("", system, value), index)

    def _find(self, text: str, source: str) -> int | None:
        if text in self._by_url:
            return self._by_url[text]
        if "?" in text:
            return self._conditional(text)
        return self._by_url.get(f"{self._base(source)}{text}", self._by_name.get(text))

    def _base(self, source: str) -> str:
        """Service address of the entry that cites (`http://server/fhir/`), "" when it has none."""
        if not source.startswith("Bundle.entry["):
            return ""
        full = str(self._entries()[int(source[len("Bundle.entry[") : source.index("]")])].get("fullUrl", ""))
        return full.rsplit("/", 2)[0] + "/" if full.startswith(("http://", "https://")) else ""

    def _conditional(self, text: str) -> int | None:
        kind, _, query = text.partition("?")
        token = parse_qs(query).get("identifier", [""])[0]
        system, _, value = token.rpartition("|")
        return self._by_identifier.get((kind, system, value))

    def _by_logical(self, reference: Node) -> int | None:
        named = reference.get("identifier")
        value = named.text("value")
        if not value:
            return None
        return self._by_identifier.get((reference.text("type"), named.text("system"), value))

    def _contained(self, resource: Node, wanted: str) -> Node | None:
        for one in resource.all("contained"):
            if one.text("id") == wanted:
                return one
        return None

    def _positions(self, kind: str) -> tuple[int, ...]:
        """Resources of one type that no other one of them cites. An order that another replaces counts: its
        status says that it is withdrawn."""
        if self.bare:
            return (-1,) if _kind(self.tree) == kind else ()
        found = [i for i, e in enumerate(self._entries()) if _kind(e.get("resource")) == kind]
        cited: set[int] = set()
        for index in found:
            resource = self._entries()[index]["resource"]
            for reference in _references({k: v for k, v in resource.items() if k != "replaces"}):
                target = self._find(reference, f"Bundle.entry[{index}]")
                if target is not None and target != index:
                    cited.add(target)
        return tuple(index for index in found if index not in cited) or tuple(found)


def identifier_system(system: str) -> str:
    """An OID without `urn:oid:`; any other system as it is."""
    return system.removeprefix("urn:oid:")


def bundle_identifier(bundle: ReportBundle, reads: set[str] | None = None) -> Identifier | None:
    """Bundle.identifier, the message id of a FHIR intake (REQ-03); None when there is none."""
    node = bundle.root(reads).get("identifier")
    if bundle.bare or not node.text("value"):
        return None
    return Identifier(value=node.text("value"), system=identifier_system(node.text("system")))


def _kind(resource: Any) -> str:
    found = resource.get("resourceType") if isinstance(resource, dict) else ""
    return found if isinstance(found, str) else ""


def _identifiers(resource: dict[str, Any]) -> list[tuple[str, str]]:
    listed = resource.get("identifier")
    items = listed if isinstance(listed, list) else [listed]
    return [
        (str(one.get("system", "")), str(one["value"]))
        for one in items
        if isinstance(one, dict) and one.get("value")
    ]


def _references(value: Any) -> list[str]:
    """All `reference` texts inside a resource."""
    found: list[str] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("reference"), str):
                found.append(item["reference"])
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found
