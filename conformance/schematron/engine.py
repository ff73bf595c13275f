"""Running compiled rules with SaxonC-HE. One engine per process: it holds the GIL and is not thread-safe."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from conformance.schematron import cache
from conformance.schematron.compiler import OUT, Check, Compiled
from conformance.schematron.source import SchematronError
from conformance.verdict import Remark
from gateway.model.findings import Severity

_O = f"{{{OUT}}}"
DOCUMENTS = f"{{{OUT}}}docs"
_STEP = re.compile(r"Q\{([^}]*)\}")
PREFIXES = {"urn:hl7-org:v3": "", "urn:dicom-org:ps3-20": "ps3-20:", "urn:hl7-org:sdtc": "sdtc:"}
ROLES = {
    "": Severity.ERROR,
    "error": Severity.ERROR,
    "fatal": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "info": Severity.INFO,
    "information": Severity.INFO,
}


class EngineUnavailableError(RuntimeError):
    """SaxonC is not installed: `pip install imaging-report-gateway[conformance]`."""


class Engine:
    """Rule files are loaded on first use and kept; `check` judges one document with one rule file."""

    def __init__(self, cache_folder: Path | None = None) -> None:
        try:
            from saxonche import PySaxonProcessor
        except ImportError:
            raise EngineUnavailableError("SaxonC (saxonche) is not installed") from None
        self._processor: Any = PySaxonProcessor(license=False)
        self._cache = cache_folder
        self._loaded: dict[tuple[Path, bool], tuple[Any, Compiled]] = {}
        self._documents: dict[str, Any] = {}
        self._map: Any = None

    def document(self, xml: str) -> Any:
        """A document to give to `check`; the caller has parsed it before, so it is well-formed.

        Raises SchematronError for one beyond the limits of Saxon's parser (200 attributes of an element…).
        """
        from saxonche import PySaxonApiError

        try:
            return self._processor.parse_xml(xml_text=xml)
        except PySaxonApiError:
            raise SchematronError(
                "The document is beyond the limits of the XML parser of the rules"
            ) from None

    def warm(self, rules: Path) -> None:
        """Load `rules` now. Raises SchematronError."""
        self._load(rules.resolve(), False)

    def check(self, document: Any, rules: Path, step: str) -> tuple[Remark, ...]:
        """Remarks of one rule file on one document. Raises SchematronError for rules that cannot be read."""
        from saxonche import PySaxonApiError

        rules = rules.resolve()
        executable, compiled = self._load(rules, False)
        try:
            result = self._run(executable, document)
        except PySaxonApiError:
            # Some test raised an XPath error, which would end the official run. Guard each test, go on.
            executable, compiled = self._load(rules, True)
            result = self._run(executable, document)
        root = etree.fromstring(result.encode(), etree.XMLParser(huge_tree=True, resolve_entities=False))
        return tuple(_remark(element, compiled.checks, step) for element in root)

    def _run(self, executable: Any, document: Any) -> str:
        """One run over the documents that are kept; those it had to read itself are kept for the next."""
        if self._map is None and self._documents:
            string = self._processor.make_string_value
            self._map = self._processor.make_map({string(uri): one for uri, one in self._documents.items()})
        if self._map is not None:
            executable.set_parameter(DOCUMENTS, self._map)
        executable.set_save_xsl_message(True)
        try:
            return str(executable.transform_to_string(xdm_node=document))
        finally:
            self._keep(executable)

    def _keep(self, executable: Any) -> None:
        """Parse what the run asked for and did not find; a file that is not there is kept as nothing."""
        messages = executable.get_xsl_messages()
        count = messages.size if messages is not None else 0
        for uri in {messages.item_at(place).get_string_value() for place in range(count)}:
            path = Path(unquote(urlsplit(uri).path))
            if path.is_file():
                self._documents[uri] = self._processor.parse_xml(xml_file_name=str(path))
            else:
                self._documents[uri] = self._processor.empty_sequence()
            self._map = None
        executable.clear_xsl_messages()

    def _load(self, rules: Path, careful: bool) -> tuple[Any, Compiled]:
        from saxonche import PySaxonApiError

        found = self._loaded.get((rules, careful))
        if found is None:
            compiled = cache.compiled(rules, careful=careful, cache=self._cache)
            processor = self._processor.new_xslt30_processor()
            try:
                executable = processor.compile_stylesheet(stylesheet_text=compiled.xslt)
            except PySaxonApiError as error:
                reason = " ".join(str(error).split())
                raise SchematronError(f"{rules.name} cannot be compiled: {reason}") from None
            found = self._loaded[rules, careful] = (executable, compiled)
        return found


def _remark(element: etree._Element, checks: tuple[Check, ...], step: str) -> Remark:
    check = checks[int(element.get("n", "0"))]
    text = " ".join((element.text or "").split())
    said = check.said
    if element.tag == f"{_O}m":
        severity = Severity.WARNING
        said = "not applied, a file that the rule reads is missing"
        text = f"The rule was not applied: a file that it reads is missing ({text})"
    elif element.tag == f"{_O}e":
        severity = Severity.ERROR
        said = "the rule could not be evaluated"
        text = f"The rule could not be evaluated: {text}"
    elif check.kind == "report" and not check.role:
        # The official engine counts failed asserts only; a report without role is shown, not counted.
        severity = Severity.WARNING
    else:
        severity = ROLES.get(check.role, Severity.ERROR)
    return Remark(
        severity=severity,
        step=step,
        text=text,
        location=readable(element.get("at", "")),
        rule=check.pattern,
        source=f"{check.source}:{check.line}",
        said=said,
    )


def readable(path: str) -> str:
    """XPath `path()` with the usual prefixes; CDA elements have none."""
    return _STEP.sub(lambda found: PREFIXES.get(found[1], found[0] if found[1] else ""), path)
