"""The canonical form: what goes out comes back, equal values have equal bytes, and anything else is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cib import Cib, Version
from reconciler.cib.canonical import CanonicalError, canonical_bytes, digest, from_bytes, from_json, to_json
from reconciler.errors import Place
from reconciler.frozen import frozen
from reconciler.model.attributes import AttributeBlock, plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Location, Order
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent, Group, Operation, Primitive
from reconciler.model.rule import AttributeExpression, DateExpression, Rule
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status


@frozen
class _Pair:
    both: tuple[int, int]


IP = Primitive("ip", Agent("ocf", "IPaddr2", "heartbeat"), params=plain({"ip": "192.168.9.101", "nic": "lo"}))
EXAMPLE = Cib(
    configuration=Configuration(
        name="web",
        resources=(
            IP,
            Group("g", (Primitive("a", template="t", operations=(Operation("monitor", "10s", {"timeout": "20s"}),)),)),
        ),
        constraints=(
            Colocation("c", "a", "ip", score="INFINITY"),
            Order("o", "ip", "a", kind="Mandatory"),
            Location(
                "l",
                "ip",
                rules=(
                    Rule(
                        (
                            AttributeExpression("rack", "eq", "a"),
                            Rule((DateExpression("gt", "2026-01-01"),), boolean_op="or"),
                        ),
                        score="5",
                    ),
                ),
            ),
        ),
        places={("primitives", "ip"): Place("a.yaml", 3, 4)},
    ),
    status=Status(
        nodes=(
            NodeState(
                "1",
                "n1",
                {"crmd": "online"},
                history=(ResourceHistory("ip", {}, (HistoryEntry("x", {"rc-code": "0"}),)),),
            ),
        )
    ),
    version=Version(1, 2, 3),
    have_quorum=True,
    execution_date=12,
)

values = st.deferred(lambda: st.from_type(Cib))


def test_every_kind_of_value_comes_back() -> None:
    assert from_bytes(Cib, canonical_bytes(EXAMPLE)) == EXAMPLE


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(values)
def test_any_cib_comes_back_from_its_bytes(cib: Cib) -> None:
    assert from_bytes(Cib, canonical_bytes(cib)) == cib


def test_the_order_in_which_a_map_was_made_does_not_count() -> None:
    left, right = AttributeBlock({"a": "1", "b": "2"}), AttributeBlock({"b": "2", "a": "1"})
    assert left == right
    assert canonical_bytes(left) == canonical_bytes(right)
    assert list(to_json(right)["values"]) == ["b", "a"]


def test_what_equals_its_default_is_left_out() -> None:
    assert to_json(Configuration()) == {}
    assert to_json(Operation("start")) == {"name": "start"}


def test_places_are_no_part_of_the_form() -> None:
    bare = Configuration(resources=(IP,))
    assert digest(bare) == digest(Configuration(resources=(IP,), places={("x",): Place("f", 1, 1)}))


def test_an_enumeration_goes_by_its_value() -> None:
    result = AgentResult(7, OperationStatus.TIMED_OUT, "late")
    assert to_json(result) == {"code": 7, "status": 2, "exit_reason": "late"}
    assert from_json(AgentResult, to_json(result)) == result
    with pytest.raises(CanonicalError, match="99 is no OperationStatus"):
        from_json(AgentResult, {"code": 7, "status": 99})


def test_the_digest_is_the_same_in_every_process() -> None:
    program = (
        "from reconciler.cib.canonical import digest\n"
        "from reconciler.model.attributes import plain\n"
        "from reconciler.model.cluster import Configuration, NodeDefinition\n"
        "print(digest(Configuration(nodes=(NodeDefinition('n1', attributes=plain({'b': '1', 'a': '2'})),))))\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        pytest.param(Version, [], "expected an object", id="a list for an object"),
        pytest.param(Version, {"epok": 1}, "unknown key 'epok'", id="an unknown key"),
        pytest.param(Version, {"epoch": "1"}, "expected int, found '1'", id="a text for a number"),
        pytest.param(Version, {"epoch": True}, "expected int, found True", id="a boolean for a number"),
        pytest.param(Operation, {}, "the key name is missing", id="a missing key"),
        pytest.param(Operation, {"name": None}, "expected str, found None", id="nothing where something must be"),
        pytest.param(
            Operation, {"name": "a", "attributes": {"x": 1}}, "expected str, found 1", id="a number inside a map"
        ),
        pytest.param(Configuration, {"nodes": {}}, "expected a list", id="an object for a list"),
        pytest.param(
            Configuration, {"resources": [{"id": "a"}]}, "is: expected one of bundle, clone", id="no class named"
        ),
        pytest.param(Configuration, {"resources": [{"is": "master"}]}, "found 'master'", id="an unknown class named"),
        pytest.param(Configuration, {"places": {}}, "unknown key 'places'", id="places"),
        pytest.param(_Pair, {"both": [1]}, "expected 2 parts, found 1", id="too few"),
        pytest.param(_Pair, {"both": [1, 2, 3]}, "expected 2 parts, found 3", id="too many"),
    ],
)
def test_anything_else_is_refused(kind: type, data: object, message: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        from_json(kind, data)
    assert message in str(caught.value)


def test_rules_nested_without_end_are_refused() -> None:
    rule: dict[str, object] = {"expressions": []}
    for _ in range(500):
        rule = {"expressions": [{"is": "rule", **rule}]}
    with pytest.raises(CanonicalError, match="nested deeper"):
        from_json(Rule, rule)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"is": NaN'])
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        from_bytes(Cib, data)


def test_a_key_is_plain_json() -> None:
    assert json.loads(canonical_bytes(EXAMPLE))["configuration"]["resources"][0]["is"] == "primitive"
