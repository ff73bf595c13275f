"""The conformance statement: what each requirement row claims, and the tests that are its evidence (REQ-79).

Claims stand in `statement.csv`. Evidence is found by reading the marks `@pytest.mark.req("REQ-nn")` in the
sources of the tests, without running or importing them. `statement.md` is made from both.
"""

import ast
import csv
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PAGE = HERE / "statement.md"
TESTS = HERE.parent / "tests"


class Status(StrEnum):
    FULL = "full"
    PARTIAL = "partial"
    NOT_YET = "not yet"


class Row(NamedTuple):
    """One requirement. `official` are known official ids only, never guessed ones."""

    id: str
    group: str
    title: str
    official: str
    status: Status
    note: str


class Evidence(NamedTuple):
    """Tests of one file that carry a requirement's mark."""

    file: str
    tests: tuple[str, ...]


def rows() -> tuple[Row, ...]:
    with (HERE / "statement.csv").open(encoding="utf-8", newline="") as table:
        return tuple(
            Row(row["id"], row["group"], row["title"], row["official"], Status(row["status"]), row["note"])
            for row in csv.DictReader(table)
        )


def collect(tests: Path = TESTS) -> dict[str, tuple[Evidence, ...]]:
    """Evidence by requirement id, files and tests in order. Raises SyntaxError for a broken test file."""
    found: dict[str, list[Evidence]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        marked: dict[str, list[str]] = {}
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for name, requirements in _marked(tree.body, _module_marks(tree), ""):
            for requirement in requirements:
                marked.setdefault(requirement, []).append(name)
        file = path.relative_to(tests.parent).as_posix()
        for requirement, names in marked.items():
            found.setdefault(requirement, []).append(Evidence(file, tuple(names)))
    return {requirement: tuple(evidence) for requirement, evidence in sorted(found.items())}


def _marked(
    body: list[ast.stmt], inherited: frozenset[str], prefix: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(test name, requirement ids) of all test functions, with the marks of their class and module."""
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _marked(node.body, inherited | _ids(node.decorator_list), f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            own = inherited | _ids(node.decorator_list)
            if own:
                yield f"{prefix}{node.name}", tuple(sorted(own))


def _module_marks(tree: ast.Module) -> frozenset[str]:
    marks: frozenset[str] = frozenset()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            values = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            marks |= _ids(values)
    return marks


def _ids(marks: list[ast.expr]) -> frozenset[str]:
    """Arguments of every `….mark.req("REQ-nn", …)` in a list of decorators."""
    return frozenset(
        argument.value
        for mark in marks
        for call in ast.walk(mark)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "req"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def problems(claims: tuple[Row, ...], evidence: dict[str, tuple[Evidence, ...]]) -> tuple[str, ...]:
    """What evidence contradicts: claims without a test, tests of what is claimed absent, unknown ids."""
    known = {row.id for row in claims}
    found = [f"{unknown}: a test names it, the table does not" for unknown in evidence.keys() - known]
    for row in claims:
        if row.status is not Status.NOT_YET and row.id not in evidence:
            found.append(f"{row.id}: {row.status} is claimed, no test carries its mark")
        if row.status is Status.NOT_YET and row.id in evidence:
            found.append(f"{row.id}: tests carry its mark, the table says not yet")
    return tuple(sorted(found))


def page(claims: tuple[Row, ...], evidence: dict[str, tuple[Evidence, ...]]) -> str:
    """The statement in Markdown: a summary, then one table a group."""
    counts = Counter(row.status for row in claims)
    lines = [
        "# Conformance statement",
        "",
        "Made by `conformance statement --write` from `statement.csv` and the marks of tests; do not edit.",
        "`full`: the row's check passes. `partial`: what is there is tested, the note says what is missing.",
        "Official ids are given where they are known from a published source.",
        "",
        ", ".join(f"{counts[status]} {status}" for status in Status) + f" of {len(claims)} rows.",
    ]
    for group in dict.fromkeys(row.group for row in claims):
        lines += [
            "",
            f"## {group}",
            "",
            "| Id | Requirement | Status | Evidence | Note |",
            "|---|---|---|---|---|",
        ]
        for row in claims:
            if row.group == group:
                official = f" ({row.official})" if row.official else ""
                lines.append(
                    f"| {row.id} | {row.title}{official} | {row.status} | {_cell(evidence.get(row.id, ()))} "
                    f"| {row.note} |"
                )
    return "\n".join(lines) + "\n"


def _cell(evidence: tuple[Evidence, ...]) -> str:
    return "<br>".join(f"`{one.file}`" for one in evidence)


def run(*, write: bool, json_lines: bool) -> int:
    """Print the statement; from a source tree it is made afresh, from an installed wheel read as shipped.

    With `write`, put it into `statement.md`. 1 when claims and evidence contradict each other.
    """
    import json
    import sys

    if not TESTS.is_dir():
        print(PAGE.read_text(encoding="utf-8"), end="")
        return 0
    claims, evidence = rows(), collect()
    if json_lines:
        for row in claims:
            tests = [one._asdict() for one in evidence.get(row.id, ())]
            print(json.dumps({**row._asdict(), "evidence": tests}, ensure_ascii=False))
    elif write:
        PAGE.write_text(page(claims, evidence), encoding="utf-8")
    else:
        print(page(claims, evidence), end="")
    wrong = problems(claims, evidence)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0
