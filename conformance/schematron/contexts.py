"""From rule contexts to the nodes worth trying: XPaths that select by names, and by templateId."""

import re

_NAME = re.compile(r"(?:[A-Za-z_][\w.-]*:|\*:)?([A-Za-z_][\w.-]*)")
_ANY_ELEMENT = re.compile(r"(?:[A-Za-z_][\w.-]*:)?\*")
_TEMPLATE = re.compile(
    r"""\[\s*(?:[\w.-]+:)?templateId\s*(?:/\s*@root\s*=\s*|\[\s*@root\s*=\s*)(['"])([^'"]+)\1"""
)
_OR = re.compile(r"\bor\b")
ANY_NODE = "//(node()|@*)|/"
KEYS = (
    '<xsl:key name="o:named" match="*" use="local-name()"/>'
    '<xsl:key name="o:template" match="*[*:templateId]" use="*:templateId/@root"/>'
)
"""What the expressions of `candidates` need in their stylesheet."""


def candidates(contexts: tuple[str, ...]) -> str:
    """An XPath expression for all nodes that one of `contexts` may match, never fewer.

    A context counts from its last `//` on: its steps without their predicates, the first one looked up by a
    key. What is not understood (attributes, functions, other axes) falls back to wider sets.
    """
    found: dict[str, None] = {}
    for context in contexts:
        for alternative in split(context, "|"):
            found[_candidates(alternative.strip())] = None
    for wide in (ANY_NODE, "//*"):
        if wide in found:
            return f"{wide}|/" if "/" in found and wide != ANY_NODE else wide
    return "|".join((*_looked_up("o:named", found), *_looked_up("o:template", found), *_paths(found)))


def _candidates(alternative: str) -> str:
    if alternative == "/":
        return "/"
    # An empty step stands for `//` or for a leading `/`: what is before it is no matter.
    steps = [step.strip().removeprefix("child::").strip() for step in split(alternative, "/")]
    while "" in steps:
        steps = steps[steps.index("") + 1 :]
    tests = [_test(step) for step in steps]
    if not steps or "" in tests:
        return ANY_NODE
    while tests and tests[0] == "*":
        template = _template(steps[0])
        if template:
            return "/".join((f"key('o:template', '{template}')", *tests[1:]))
        steps, tests = steps[1:], tests[1:]
    if not tests:
        return "//*"
    return "/".join((f"key('o:named', '{tests[0].removeprefix('*:')}')", *tests[1:]))


def _test(step: str) -> str:
    """The node test of a step: `*:name`, `*`, or "" for anything else."""
    plain = split_predicates(step).strip()
    name = _NAME.fullmatch(plain)
    if name:
        return f"*:{name[1]}"
    return "*" if _ANY_ELEMENT.fullmatch(plain) else ""


def _template(step: str) -> str:
    """The templateId that the first predicate of a step demands, "" when it may do without."""
    predicates = step[len(split_predicates(step)) :]
    found = _TEMPLATE.match(predicates)
    return found[2] if found and not _OR.search(predicates) else ""


_LOOK_UP = re.compile(r"key\('([\w:]+)', '([^']*)'\)")


def _looked_up(key: str, found: dict[str, None]) -> tuple[str, ...]:
    """All plain look-ups in one key as one call."""
    plain = (_LOOK_UP.fullmatch(one) for one in found)
    values = sorted({match[2] for match in plain if match and match[1] == key})
    return (f"key('{key}', ({', '.join(map(repr, values))}))",) if values else ()


def _paths(found: dict[str, None]) -> tuple[str, ...]:
    return tuple(one for one in found if not _LOOK_UP.fullmatch(one))


def split(expression: str, separator: str) -> list[str]:
    """Split at `separator` outside of brackets, parentheses and string literals."""
    parts, depth, quote, start = [], 0, "", 0
    for place, character in enumerate(expression):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(expression[start:place])
            start = place + 1
    return [*parts, expression[start:]]


def split_predicates(step: str) -> str:
    """`step` up to its first predicate that stands outside of parentheses."""
    depth, quote = 0, ""
    for place, character in enumerate(step):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "[" and depth == 0:
            return step[:place]
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
    return step
