"""From rule contexts to the nodes worth trying: an XPath that selects by the last name of each context."""

import re

_NAME = re.compile(r"(?:[A-Za-z_][\w.-]*:|\*:)?([A-Za-z_][\w.-]*)")
ANY_NODE = "//(node()|@*)|/"


def candidates(contexts: tuple[str, ...]) -> str:
    """An XPath expression for all nodes that one of `contexts` may match, never fewer.

    Contexts that end with an element name are looked up by key; `*`, attributes and anything that is not
    understood fall back to wider sets.
    """
    names: set[str] = set()
    wider: set[str] = set()
    for context in contexts:
        for alternative in split(context, "|"):
            step = last_step(alternative)
            match = _NAME.fullmatch(step)
            if match:
                names.add(match[1])
            elif alternative.strip() == "/":
                wider.add("/")
            elif re.fullmatch(r"(?:[A-Za-z_][\w.-]*:)?\*", step):
                wider.add("//*")
            else:
                return ANY_NODE
    if "//*" in wider:
        return "//*|/" if "/" in wider else "//*"
    keys = f"key('o:named', ({', '.join(repr(name) for name in sorted(names))}))" if names else ""
    return "|".join(part for part in (keys, "/" if "/" in wider else "") if part)


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


def last_step(path: str) -> str:
    """The last step without its predicates and child axis; not trimmed of anything else."""
    step = split(path.strip(), "/")[-1].strip()
    return split_predicates(step).removeprefix("child::").strip()


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
