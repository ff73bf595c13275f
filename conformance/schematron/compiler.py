"""Schematron → XSLT 3. One stylesheet for a schema, one mode for a pattern, one template for a rule.

Unlike the ISO skeleton, a pattern does not walk the whole document: it is applied to the elements whose name
one of its rule contexts can end with, in document order. Within a pattern a node takes the first rule that
matches (ISO 19757-3 §5.4.10), so earlier rules have the higher priority.

Documents that rules read (value sets) are asked of `o:doc`, which takes them from the parameter `o:docs`, a
map from URI to document, so that a warm engine parses each file once and not once a run. What the map lacks
is read as usual and named in a message.

The result document holds `f` elements (a failed assert or a successful report; `n` its number in the table
of `Check`s, `at` the full path with indexes, its text the message), and `m` elements (the test reads a
document that is not there) and `e` elements (the test broke; its text is the reason).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from conformance.schematron.contexts import KEYS, candidates
from conformance.schematron.source import SCH, Schema, SchematronError, origin

VERSION = "6"
"""Part of the key of a compiled form: raise it with every change of what is generated."""
OUT = "urn:conformance:schematron"
_S = f"{{{SCH}}}"
_READS_DOCUMENT = re.compile(r"\b(doc|document)\s*\(")
_VARIABLE = re.compile(r"\$([A-Za-z_][\w.-]*)(\s+in\s|\s*:=)?")
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_REASON = '<xsl:value-of select="$err:description"/>'
_CALLS = re.compile(r"(?<![\w.:-])(doc|document|doc-available)(?=\s*\()")
_SHARED = {"doc": "o:doc", "document": "o:doc", "doc-available": "o:there"}
_FUNCTIONS = """
<xsl:param name="o:docs" as="map(*)" select="map{}"/>
<xsl:function name="o:uri" as="xs:string"><xsl:param name="uri"/>
<xsl:variable name="at" select="string(resolve-uri($uri, static-base-uri()))"/>
<xsl:if test="not(map:contains($o:docs, $at))"><xsl:message select="$at"/></xsl:if>
<xsl:sequence select="$at"/></xsl:function>
<xsl:function name="o:doc" as="document-node()?"><xsl:param name="uri"/>
<xsl:variable name="at" select="o:uri($uri)"/>
<xsl:variable name="kept" select="map:get($o:docs, $at)"/>
<xsl:sequence select="if (exists($kept)) then $kept else doc($at)"/></xsl:function>
<xsl:function name="o:there" as="xs:boolean"><xsl:param name="uri"/>
<xsl:variable name="at" select="o:uri($uri)"/>
<xsl:sequence select="if (map:contains($o:docs, $at)) then exists(map:get($o:docs, $at))
else doc-available($at)"/></xsl:function>"""
_MISSING = "err:FODC0002 err:FODC0005 err:FODC0001"


class Check(NamedTuple):
    """One assert or report, for the table beside the stylesheet."""

    role: str
    kind: str
    """`assert` or `report`."""
    pattern: str
    source: str
    line: int
    test: str
    said: str
    """Its message without what it quotes of the document: `…` stands for each value."""


class Compiled(NamedTuple):
    """`base` is the URI against which document() resolves: the folder of the rule file, wherever the
    stylesheet lies (spec cda.md §1.2, trap 1)."""

    xslt: str
    checks: tuple[Check, ...]
    base: str


def compile_schema(schema: Schema, *, careful: bool = False) -> Compiled:
    """Raises SchematronError for a rule that is extended but not there.

    `careful` guards every single test, so that one that breaks (an XPath error) is reported and the others
    still run. That doubles the time to load, so it is kept for documents on which the plain form breaks.
    """
    return _Compiler(schema, careful).run()


class _Compiler:
    def __init__(self, schema: Schema, careful: bool) -> None:
        self.schema, self.careful = schema, careful
        self.checks: list[Check] = []
        self.abstract = {
            rule.get("id", ""): rule
            for rule in schema.root.iter(f"{_S}rule")
            if rule.get("abstract") == "true"
        }
        self.globals = self._global_lets()
        # Abstract rules that need nothing of the extending rule become named templates, written once.
        self.named = {
            name: f"rule-{number}"
            for number, (name, rule) in enumerate(self.abstract.items())
            if not self._free_variables(rule)
        }
        self.reading = {name for name, value in self.globals.items() if _READS_DOCUMENT.search(value)}

    def run(self) -> Compiled:
        base = self.schema.path.as_uri()
        called: list[str] = []
        templates, calls = [], []
        for number, pattern in enumerate(self.schema.patterns()):
            rules = [rule for rule in pattern.findall(f"{_S}rule") if rule.get("abstract") != "true"]
            if not rules:
                continue
            mode = f"p{number}"
            select = candidates(tuple(rule.get("context", "") for rule in rules))
            calls.append(f'<xsl:apply-templates select={quoteattr(select)} mode="{mode}"/>')
            # Skipping a document node would still go to its root element (XSLT 3 §6.7.5), a second time.
            templates.append(
                f'<xsl:mode name="{mode}" on-no-match="deep-skip"/>'
                f'<xsl:template match="/" mode="{mode}" priority="0"/>'
            )
            for place, rule in enumerate(rules):
                body = "".join(self._content(rule, called))
                context = quoteattr(rule.get("context", ""))
                priority = len(rules) - place
                templates.append(
                    f'<xsl:template match={context} mode="{mode}" priority="{priority}">{body}</xsl:template>'
                )
        templates.extend(self._named_templates(called))
        parts = [
            self._head(base),
            _FUNCTIONS,
            *(_variable(name, value) for name, value in self.globals.items()),
            KEYS,
            f'<xsl:template match="/"><o:result>{"".join(calls)}</o:result></xsl:template>',
            *templates,
            *self._foreign(),
            "</xsl:stylesheet>",
        ]
        return Compiled("\n".join(parts), tuple(self.checks), base)

    def _head(self, base: str) -> str:
        spaces = {**self.schema.namespaces, "xsl": "http://www.w3.org/1999/XSL/Transform", "o": OUT}
        spaces["err"] = "http://www.w3.org/2005/xqt-errors"
        spaces["xs"] = "http://www.w3.org/2001/XMLSchema"
        spaces["map"] = "http://www.w3.org/2005/xpath-functions/map"
        declared = " ".join(
            f"xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in spaces.items() if prefix and prefix != "xml"
        )
        return (
            f'<xsl:stylesheet version="3.0" {declared} xml:base={quoteattr(base)} '
            'exclude-result-prefixes="#all"><xsl:output method="xml" indent="no"/>'
        )

    def _foreign(self) -> Iterator[str]:
        """xsl:key, xsl:function… that the rules bring along (ISO 19757-3 annex H allows them)."""
        xsl = "{http://www.w3.org/1999/XSL/Transform}"
        for child in self.schema.root:
            if isinstance(child.tag, str) and child.tag.startswith(xsl):
                yield etree.tostring(child, encoding="unicode", with_tail=False)

    def _global_lets(self) -> dict[str, str]:
        """Lets of the schema and of patterns. The official chain makes both global: rules of one pattern read
        the lets of another (the value-set paths of `principal`). The first of a name wins."""
        lets: dict[str, str] = {}
        holders = [self.schema.root, *self.schema.patterns(), *self.schema.root.findall(f"{_S}pattern")]
        for holder in holders:
            if holder.get("abstract") == "true":
                continue
            for let in holder.findall(f"{_S}let"):
                lets.setdefault(let.get("name", ""), let.get("value", ""))
        return lets

    def _free_variables(self, rule: etree._Element) -> set[str]:
        used: set[str] = set()
        own = {let.get("name", "") for let in rule.findall(f"{_S}let")}
        for element in rule.iter(etree.Element):
            for value in element.attrib.values():
                used |= _variables(str(value))
            if element.tag == f"{_S}extends":
                inner = self.abstract.get(element.get("rule", ""))
                used |= self._free_variables(inner) if inner is not None and inner is not rule else set()
        return used - own - self.globals.keys()

    def _content(self, rule: etree._Element, called: list[str]) -> Iterator[str]:
        """Body of a rule's template, in the order of the rule."""
        reading = set(self.reading)
        for child in rule:
            if child.tag == f"{_S}let":
                name, value = child.get("name", ""), child.get("value", "")
                if self._reads(value, reading):
                    reading.add(name)
                yield _variable(name, value)
            elif child.tag == f"{_S}extends":
                yield from self._extended(child, called)
            elif child.tag in (f"{_S}assert", f"{_S}report"):
                yield self._check(child, reading)

    def _extended(self, extends: etree._Element, called: list[str]) -> Iterator[str]:
        name = extends.get("rule", "")
        rule = self.abstract.get(name)
        if rule is None:
            raise SchematronError(f"{origin(extends)}:{extends.sourceline}: there is no abstract rule {name}")
        if name in self.named:
            if name not in called:
                called.append(name)
            yield f'<xsl:call-template name="{self.named[name]}"/>'
        else:
            yield from self._content(rule, called)

    def _named_templates(self, called: list[str]) -> Iterator[str]:
        """Templates of the abstract rules that are used; each may call further ones."""
        done = 0
        while done < len(called):
            name = called[done]
            body = "".join(self._content(self.abstract[name], called))
            yield f'<xsl:template name="{self.named[name]}">{body}</xsl:template>'
            done += 1

    def _reads(self, expression: str, reading: set[str]) -> bool:
        return bool(_READS_DOCUMENT.search(expression)) or not reading.isdisjoint(_variables(expression))

    def _check(self, element: etree._Element, reading: set[str]) -> str:
        number = len(self.checks)
        test = element.get("test", "")
        kind = etree.QName(element).localname
        self.checks.append(
            Check(
                role=(element.get("role") or "").lower(),
                kind=kind,
                pattern=_pattern_id(element),
                source=origin(element),
                line=int(getattr(element, "sourceline", 0) or 0),
                test=" ".join(test.split()),
                said=" ".join(_said(element).split()),
            )
        )
        asked = _shared(test)
        fires = f"not({asked})" if kind == "assert" else f"boolean({asked})"
        found = f'<o:f n="{number}" at="{{path(.)}}">{"".join(_message(element))}</o:f>'
        choice = f"<xsl:if test={quoteattr(fires)}>{found}</xsl:if>"
        where = f'n="{number}" at="{{path(.)}}"'
        catches = ""
        if self._reads(test, reading):
            catches = f'<xsl:catch errors="{_MISSING}"><o:m {where}>{_REASON}</o:m></xsl:catch>'
        if self.careful:
            catches += f"<xsl:catch><o:e {where}>{_REASON}</o:e></xsl:catch>"
        return f"<xsl:try>{choice}{catches}</xsl:try>" if catches else choice


def _variables(expression: str) -> set[str]:
    """Variables that `expression` reads from outside: not those that its own for, some, every, let bind."""
    found = _VARIABLE.findall(_LITERAL.sub("''", expression))
    return {name for name, _ in found} - {name for name, binding in found if binding}


def _variable(name: str, value: str) -> str:
    return f"<xsl:variable name={quoteattr(name)} select={quoteattr(_shared(value))}/>"


def _shared(expression: str) -> str:
    """`expression` with its calls of doc() and document() led to the shared documents; literals untouched."""
    parts = _LITERAL.split(expression)
    literals = [*_LITERAL.findall(expression), ""]
    led = (_CALLS.sub(lambda call: _SHARED[call[1]], part) for part in parts)
    return "".join(part + literal for part, literal in zip(led, literals, strict=True))


def _message(element: etree._Element) -> Iterator[str]:
    """The text of an assert, with its value-of and name parts as instructions."""
    yield _text(element.text)
    for child in element:
        if child.tag == f"{_S}value-of":
            yield f'<xsl:value-of select={quoteattr(_shared(child.get("select", "")))} separator=" "/>'
        elif child.tag == f"{_S}name":
            path = child.get("path", ".")
            yield f"<xsl:value-of select={quoteattr(f'name({path})')}/>"
        else:
            yield from _message(child)
        yield _text(child.tail)


def _said(element: etree._Element) -> str:
    parts = [element.text or ""]
    for child in element:
        quotes = child.tag in (f"{_S}value-of", f"{_S}name")
        parts += ["…" if quotes else _said(child), child.tail or ""]
    return "".join(parts)


def _text(text: str | None) -> str:
    return f"<xsl:text>{escape(text)}</xsl:text>" if text and text.strip() else " " if text else ""


def _pattern_id(element: etree._Element) -> str:
    for ancestor in element.iterancestors(f"{_S}pattern"):
        return ancestor.get("id") or " ".join((ancestor.findtext(f"{_S}title") or "").split())
    return ""
