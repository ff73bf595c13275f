"""Whatever a peer sends: findings or reports, never an exception; and no reading depends on chance."""

import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.fhir import FhirError, ReportBundle, read
from gateway.mapping import fhir, fhir_order
from gateway.model.base import encode as encode_value
from gateway.model.decision import Decision
from gateway.rules import decide
from tests.fhir_cases import Json, bundle, encode, profile, without
from tests.rule_cases import ALL

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all elements below the root."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [one for key, child in children for one in ((*path, key), *places(child, (*path, key)))]


PLACES = places(bundle())


def replaced(tree: Json, path: tuple[Any, ...], value: object) -> Json:
    """`tree` with that element replaced; unchanged where an earlier change took the place away."""
    target: Any = tree
    with contextlib.suppress(KeyError, IndexError, TypeError):
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
    return tree


def taken(body: bytes) -> list[Decision] | None:
    """Decisions over what `body` holds, None when it is refused (with at least one error)."""
    try:
        found = read(body)
    except FhirError as refused:
        assert refused.findings
        return None
    made = fhir.reports(found, profile())
    assert len(made) == len(found.reports)
    asked = fhir_order.orders(found, profile())
    assert len(asked) == len(found.requests)
    assert all(encode_value(one.order) for one in asked if one.order is not None)
    assert all(encode_value(one.report) for one in made if one.report is not None)
    return [
        decide(one, None, site=profile().site, environment="test", enabled=ALL, content_hash="")
        for one in made
    ]


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    taken(body)


@QUICK
@given(JSON)
def test_any_json(value: object) -> None:
    taken(json.dumps(value).encode())


@QUICK
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_any_element_of_a_good_bundle_replaced_by_anything(
    changes: list[tuple[tuple[Any, ...], object]],
) -> None:
    tree = bundle()
    for path, value in changes:
        tree = replaced(tree, path, value)
    body = encode(tree)
    assert taken(body) == taken(body)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_mapping_needs_no_model_to_survive(changes: list[tuple[tuple[Any, ...], object]]) -> None:
    """The mapping itself stands what the R4 model would refuse, as long as the entries are resources."""
    tree = bundle()
    for path, value in changes:
        if len(path) > 3:  # below `entry[n].resource`
            tree = replaced(tree, path, value)
    fhir.reports(ReportBundle(tree), profile())
    without("DiagnosticReport")(tree)
    fhir_order.orders(ReportBundle(tree), profile())
