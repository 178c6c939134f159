"""Every key of the model is read, checked, written, exported, imported and compared, and a new one takes one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reconciler
from reconciler.cib import FEATURE_SET, Cib
from reconciler.cib.difference import apply, diff
from reconciler.frozen import replace
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.writing.cib import write_cib
from reconciler.language import load
from reconciler.language.schema.sections import section
from reconciler.language.writing.files import to_text
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Colocation, Constraint, Location, Order, Ticket
from reconciler.model.keys import Key, keys_of
from reconciler.model.resource import Agent, Primitive
from reconciler.model.settings import RESOURCE_META

SECTIONS = {Location: "locations", Colocation: "colocations", Order: "orders", Ticket: "tickets"}
LEAST: dict[type, Constraint] = {
    Location: Location("c", "a", node="n1", score="5"),
    Colocation: Colocation("c", "a", "b", score="5"),
    Order: Order("c", "a", "b"),
    Ticket: Ticket("c", "t", "a"),
}
"""The shortest constraint of each kind."""

GIVEN = {"resource", "with_resource", "pattern", "node", "first", "then", "ticket"}
"""Keys that say what a constraint is about: each shortest form has those that it needs."""

CASES = [(kind, name) for kind in LEAST for name in keys_of(kind) if name not in GIVEN]


def text_for(key: Key) -> str:
    """A text that the key takes."""
    if key.words:
        return key.words[0]
    texts = {"boolean": "false", "score": "7", "role": RESOURCE_META["target-role"].words[-1], "scalar": "1"}
    return texts.get(key.kind, "rack")


def configuration(constraint: Constraint) -> Configuration:
    """A small cluster with the constraint."""
    agent = Agent("ocf", "Dummy", "pacemaker")
    off = (AttributeBlock({"stonith-enabled": "false"}),)
    resources = (Primitive("a", agent), Primitive("b", agent))
    return Configuration(options=off, nodes=(NodeDefinition("n1"),), resources=resources, constraints=(constraint,))


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda part: getattr(part, "__name__", part))
def test_a_key_goes_all_the_ways(kind: type, name: str) -> None:
    key = keys_of(kind)[name]
    before, after = LEAST[kind], replace(LEAST[kind], **{name: text_for(key)})
    wanted = configuration(after)

    written = to_text(wanted)
    assert f"{key.name}: " in written
    found = load({"a.yaml": written.encode()})
    assert found.configuration is not None, found.findings
    assert found.configuration.constraints == (after,)
    assert key.name in section("constraints")["properties"][SECTIONS[kind]]["additionalProperties"]["properties"]

    document = write_cib(Cib(wanted, feature_set=FEATURE_SET))
    assert f' {key.xml}="{text_for(key)}"'.encode() in document
    assert read_cib(document).configuration.constraints == (after,)

    changes = diff(configuration(before), wanted)
    assert [change.address for change in changes] == [("constraints", SECTIONS[kind], "c", key.name)]
    assert apply(changes, configuration(before)) == wanted


def test_what_a_key_does_not_take_is_refused_where_it_stands() -> None:
    text = "constraints: {orders: {c: {first: a, then: b, kind: Sometimes, symmetrical: perhaps}}}\n"
    codes = {(finding.place.column, finding.code) for finding in load({"a.yaml": text.encode()}).findings}
    assert {column for column, code in codes if code.startswith("wrong")} == {53, 77}


NEW = """
    colour: str | None = field(default=None, metadata=key("The colour.", words=("red", "green"), xml="rsc-colour"))
    extra: Mapping[str, str] = field(default_factory=dict)
"""

ALL_WAYS = """
from reconciler.cib import Cib
from reconciler.cib.difference import diff
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.writing.cib import write_cib
from reconciler.language import load
from reconciler.language.writing.files import to_text

SITE = "cluster: {options: {fencing-enabled: false}}\\n"
SITE += "primitives: {a: {agent: 'ocf:pacemaker:Dummy'}, b: {agent: 'ocf:pacemaker:Dummy'}}\\nconstraints: "
def read(keys): return load({"a.yaml": (SITE + "{colocations: {c: {resource: a, with: b, score: 1%s}}}\\n" % keys).encode()})
plain, coloured = read("").configuration, read(", colour: red").configuration
assert coloured.constraints[0].colour == "red"
print(*(str(finding) for finding in read(", colour: blue").findings), sep="\\n")
assert "colour: red" in to_text(coloured)
document = write_cib(Cib(coloured))
assert b'rsc-colour="red"' in document
assert read_cib(document).configuration.constraints == coloured.constraints
print(*("/".join(change.address) for change in diff(plain, coloured)))
"""


def test_a_new_key_of_a_constraint_takes_one_line_in_one_place(tmp_path: Path) -> None:
    copy = tmp_path / "reconciler"
    shutil.copytree(Path(reconciler.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "model" / "constraint.py"
    head, colocation, tail = path.read_text().partition("class Colocation:")
    line = "\n    extra: Mapping[str, str] = field(default_factory=dict)\n"
    path.write_text(head + colocation + tail.replace(line, NEW, 1))
    done = subprocess.run(
        [sys.executable, "-c", ALL_WAYS], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, changed = done.stdout.splitlines()
    assert "colour: 'blue' is not known (known here: green, red) [wrong-word]" in refused
    assert refused.startswith("a.yaml:3:")
    assert changed == "constraints/colocations/c/colour"
