"""What others wrote shows as what it is, wherever it is shown: no escape, no line of its own, no turned direction, no command."""

from __future__ import annotations

import io
import json
from xml.etree import ElementTree

import pytest

from reconciler.analysis.consequences import consequences
from reconciler.analysis.steady import healthy
from reconciler.cli.editing.findings_forms import FORMS
from reconciler.cli.planning.facts import Header
from reconciler.cli.planning.markdown_form import comment
from reconciler.cli.planning.text_form import lines
from reconciler.cli.terminal.paint import Paint
from reconciler.crm.dot import drawing
from reconciler.errors import Finding, Place
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Primitive
from reconciler.printable import printable

HARM = "\x1b[2J\x9b1m\r\n::add-mask::x\u202e\u2028\u2066\x85\ud800\x00\x7f\u200f"
FORBIDDEN = [char for char in HARM if not char.isascii() or not char.isprintable()]


def harmless(text: str) -> bool:
    """Whether a text of several lines holds nothing that it should not, and no line is a command."""
    within = not any(char in text.replace("\n", "") for char in FORBIDDEN)
    return within and not any(line.lstrip().startswith("::add-mask") for line in text.split("\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – text", "plain – text"),
        ("a\tb\u00a0c", "a b c"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\nb\r\u2028\u0085", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("a\u202eb\u2069\u200b", "a\ufffdb\ufffd\ufffd"),
        ("\ud800\udfff", "\ufffd\ufffd"),
        ("::add-mask::a", "\\::add-mask::a"),
        ("  ::stop::", "\\  ::stop::"),
        ("a ##[command]b", "a #\\#[command]b"),
        ("日本語 é", "日本語 é"),
    ],
    ids=range(10),
)
def test_one_line_that_shows_as_what_it_is(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_finding_is_one_line() -> None:
    text = str(Finding("code", Place(f"::add-mask::{HARM}.yaml", 1, 2), f"'{HARM}'", f"did you mean '{HARM}'?"))
    assert harmless(text)
    assert "\n" not in text
    assert text.startswith("\\::add-mask::")


@pytest.mark.parametrize("form", FORMS)
def test_findings_for_machines(form: str) -> None:
    text = FORMS[form]([Finding("code", Place(f"{HARM}.yaml", 1, 2), f"'{HARM}'", HARM)])
    if form == "github":
        assert harmless(text)
        assert text.count("\n") == 0
    else:
        assert text.isascii()
        json.loads(text)


@pytest.mark.parametrize("when", ["always", "never"])
def test_colours_stay_and_everything_else_goes(when: str) -> None:
    paint = Paint(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), when)
    line = paint.signs(f"{paint('red', 'x')} {HARM} \x1b[8mhidden")
    assert harmless(line.replace("\x1b[31m", "").replace("\x1b[0m", ""))
    assert ("\x1b[31mx\x1b[0m" in line) == (when == "always")


NAME = HARM.replace("\ud800", "")  # Neither YAML nor XML lets half a character in.
HOSTILE = f'web"] x [{NAME}'


def plan_of_hostile_names():
    agent = Agent("ocf", "Dummy", "pacemaker")
    off = (AttributeBlock({"stonith-enabled": "false"}),)
    primitive = Primitive(HOSTILE, agent, params=(AttributeBlock({"state": NAME}),))
    wanted = Configuration(NAME, options=off, nodes=(NodeDefinition(NAME),), resources=(primitive,))
    found = consequences(healthy(Configuration(nodes=wanted.nodes), ()), wanted, Instant(0))
    return found, Header(NAME, NAME, NAME, NAME)


def test_a_plan_in_every_form() -> None:
    found, header = plan_of_hostile_names()
    paint = Paint(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), "never")
    text = [paint.signs(line) for line in lines(found, header, paint, concise=False, consented=frozenset())]
    assert any("web" in line for line in text)
    assert all(harmless(line) and "\n" not in line for line in text)
    assert harmless(comment(found, header, frozenset(), HARM))
    assert found.plan is not None
    dot = drawing(found.plan)
    assert harmless(dot)
    assert all(line.replace('\\"', "").count('"') % 2 == 0 for line in dot.split("\n"))
    assert 'web\\"] x [' in dot


def test_a_report_of_failures_is_xml_whatever_names_it_holds() -> None:
    from reconciler.cli.explaining import verify_forms

    root = ElementTree.Element("a", name=HARM)
    ElementTree.SubElement(root, "b").text = HARM
    verify_forms.make_printable(root)
    ElementTree.fromstring(ElementTree.tostring(root))
    assert harmless(root.get("name", ""))
