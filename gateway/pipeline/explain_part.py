"""A part of an explanation: what one field became, where one element came from."""

import re
from collections.abc import Iterable

from gateway.model.findings import Finding
from gateway.pipeline.explain import INDEX, Explanation, field_of


def of_field(explanation: Explanation, asked: str) -> Explanation:
    """What `asked` is about: a segment (`PID`), a field (`PID-5`) or a place in it (`PID-3[2].4`).

    A field named without occurrence (`OBX-5`) is that of every such segment.
    """
    wanted = field_of(asked.strip().upper())
    fields = tuple(line for line in explanation.fields if _is_field(line.location, wanted))
    return Explanation(
        elements=tuple(
            line
            for line in explanation.elements
            if any(origin.place and _is_field(field_of(origin.place), wanted) for origin in line.origins)
        ),
        fields=fields,
    )


def _is_field(location: str, wanted: str) -> bool:
    every = re.sub(r"\(\d+\)", "", location)
    return location == wanted or every == wanted or every.partition("-")[0] == wanted


def of_element(explanation: Explanation, asked: str) -> Explanation:
    """The elements that `asked` names, with all inside them, and the fields that they came from.

    `asked` is a path or the end of one (`recordTarget/patientRole/id[2]`, `/ClinicalDocument/title`); a step
    without index is any of its siblings; an attribute at the end (`/@root`) is its element.
    """
    steps = [step for step in asked.strip().split("/") if step and not step.startswith("@")]
    elements = tuple(line for line in explanation.elements if _ends_inside(line.element.split("/"), steps))
    places = {field_of(origin.place) for line in elements for origin in line.origins if origin.place}
    return Explanation(
        elements=elements,
        fields=tuple(line for line in explanation.fields if line.location in places),
    )


def _ends_inside(path: list[str], steps: list[str]) -> bool:
    """Whether `steps` stand side by side in `path`."""
    if not steps:
        return False
    starts = range(len(path) - len(steps) + 1)
    return any(all(map(_same_step, path[start : start + len(steps)], steps)) for start in starts)


def _same_step(step: str, wanted: str) -> bool:
    bare = step.rpartition(":")[2] if ":" not in wanted else step
    return bare == wanted or INDEX.sub("", bare) == wanted


def findings_of(findings: Iterable[Finding], asked: str) -> tuple[Finding, ...]:
    """Those about the field that `asked` names, as `of_field`."""
    wanted = field_of(asked.strip().upper())
    return tuple(one for one in findings if one.location and _is_field(field_of(one.location), wanted))
