"""The failure analysis in its forms: text, JSON, markdown, JUnit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from reconciler.analysis.expectations import STEADY, JudgedExpectation
from reconciler.analysis.survival import CaseOutcome
from reconciler.cli.explaining.question import Form
from reconciler.cli.explaining.verifying import Analysed, Analysis
from reconciler.cli.planning.markdown_form import LONGEST, plain
from reconciler.cli.terminal.output import write_output
from reconciler.cli.terminal.paint import Paint
from reconciler.printable import printable


def report(form: Form, result: Analysis) -> None:
    """Print the analysis in a form."""
    if form.json:
        print(json.dumps(_document(result), sort_keys=True, indent=2))
    elif form.markdown:
        print("\n".join(_fitting(_markdown(result, every=form.all))))
    else:
        if form.junit is not None:
            write_output(form.junit, _junit(result))
        paint = Paint(sys.stdout, form.color)
        for line in _text(result, paint, every=form.all):
            print(paint.fitted(line))


def _text(result: Analysis, paint: Paint, *, every: bool) -> Iterator[str]:
    head = result.head
    services = sum(bool(service.nodes) for service in head.steady.values())
    yield (
        f"{head.name}: {_count(len(head.outcomes), 'failure')} simulated, {_count(services, 'service')} in the steady state"
    )
    for name in head.idle:
        yield f"  {STEADY}  {paint('red', f'{name} does not run')}"
    shown = [
        outcome for outcome in head.outcomes if every or not outcome.survived or outcome.unfenced or outcome.restless
    ]
    width = max((len(outcome.case.name) for outcome in shown), default=0)
    if shown:
        yield ""
    for outcome in shown:
        style = "dim" if outcome.survived else "red"
        yield f"  {outcome.case.name:{width}}  {paint(style, '; '.join(facts(outcome)) or 'survived')}"
    hidden = len(head.outcomes) - len(shown)
    if hidden:
        yield f"  # ({hidden} survived failure{'s' * (hidden != 1)} hidden; --all shows {'them' if hidden != 1 else 'it'})"
    if result.verdicts:
        yield ""
    for verdict in result.verdicts:
        kept = paint("green", "kept  ") if verdict.kept else paint("alarm", "BROKEN")
        yield f"  {kept}  {verdict.expectation.name} ({verdict.expectation.place})"
        for case, text in _first(verdict):
            yield f"            {case}: {text}"
    if result.base is not None:
        yield ""
        yield f"Compared with {result.base.name}: {_count(len(result.regressions), 'regression')}"
        for case, name in result.regressions:
            yield f"  {case}: {_worse(case, name)}"
    yield ""
    yield _verdict(result)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _worse(case: str, name: str) -> str:
    """What is worse than in the base, in words."""
    return f"{name} does not run" if case == STEADY else f"{name} was survived, and now is lost"


def _first(verdict: JudgedExpectation, most: int = 10) -> Iterator[tuple[str, str]]:
    yield from verdict.broken[:most]
    if len(verdict.broken) > most:
        yield "…", f"{len(verdict.broken) - most} more"


def facts(outcome: CaseOutcome) -> list[str]:
    """What became of one case, in short phrases; empty when nothing is worth a word."""
    found = [
        *_phrase("down", outcome.down),
        *_phrase("no promoted instance", outcome.demoted),
        *_phrase("fewer instances", outcome.reduced),
        *_phrase("fenced", outcome.fenced),
        *_phrase("could not be fenced", outcome.unfenced),
        *_phrase("moved", outcome.moved),
    ]
    found += ["a transition can't be finished"] if outcome.stuck else []
    found += ["the cluster does not come to rest"] if outcome.restless else []
    found += ["nobody notices it: there is no monitor"] if outcome.unnoticed else []
    return found + [f"unsound: {violation.text}" for violation in outcome.violations]


def _phrase(word: str, names: tuple[str, ...]) -> list[str]:
    return [f"{word}: {', '.join(names)}"] if names else []


def _document(result: Analysis) -> dict[str, Any]:
    return {
        "format_version": "1.0",
        "holds": result.holds,
        "head": _analysed(result.head),
        "base": _analysed(result.base) if result.base is not None else None,
        "properties": [
            {
                "name": verdict.expectation.name,
                "file": verdict.expectation.place.file,
                "line": verdict.expectation.place.line,
                "kept": verdict.kept,
                "broken": [{"case": case, "text": text} for case, text in verdict.broken],
            }
            for verdict in result.verdicts
        ],
        "regressions": [{"case": case, "service": name} for case, name in result.regressions],
    }


def _analysed(analysed: Analysed) -> dict[str, Any]:
    return {
        "name": analysed.name,
        "services": {
            name: {"nodes": list(s.nodes), "promoted": list(s.promoted)} for name, s in analysed.steady.items()
        },
        "idle": list(analysed.idle),
        "cases": [
            {
                "case": outcome.case.name,
                "kind": outcome.case.kind,
                "survived": outcome.survived,
                **{
                    name: list(getattr(outcome, name))
                    for name in ("down", "demoted", "reduced", "fenced", "unfenced", "moved", "stopped")
                },
                "stuck": outcome.stuck,
                "restless": outcome.restless,
                "unnoticed": outcome.unnoticed,
                "violations": [violation.text for violation in outcome.violations],
            }
            for outcome in analysed.outcomes
        ],
    }


def _verdict(result: Analysis) -> str:
    """The last line: whether what was asked holds, or that nothing was asked, with what a failure would take away."""
    if any(outcome.violations for outcome in result.head.outcomes):
        return "A decision was unsound: this is a fault of the scheduler, please report it."
    broken = sum(not verdict.kept for verdict in result.verdicts)
    if broken:
        asked = f"propert{'y' if len(result.verdicts) == 1 else 'ies'}"
        return f"{broken} of {len(result.verdicts)} {asked} {'does' if broken == 1 else 'do'} not hold."
    if result.regressions:
        lost = len({name for _, name in result.regressions})
        return f"{_count(lost, 'service')} would be worse off than in the base."
    if result.verdicts:
        return "The properties hold."
    if result.base is not None:
        return "Nothing that the base keeps would be lost."
    lost = sum(not outcome.survived for outcome in result.head.outcomes)
    return (
        "No property was given to judge by (--survive, --base, tests/*.yaml): "
        f"{_idle(result.head.idle)}{_count(lost, 'failure')} {'loses' if lost == 1 else 'lose'} a service."
    )


def _idle(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    return f"{_count(len(names), 'service')} {'does' if len(names) == 1 else 'do'} not run even without one, "


def _markdown(result: Analysis, *, every: bool) -> Iterator[str]:
    yield "<!-- reconciler:verify -->"
    asked = bool(result.verdicts) or result.base is not None
    held = (
        "the properties do not hold"
        if not result.holds
        else "the properties hold"
        if asked
        else "no property was given"
    )
    yield f"### Failure analysis: {held}"
    yield ""
    for case, name in result.regressions:
        yield f"> [!CAUTION]\n> {plain(case)}: {plain(_worse(case, name))}\n"
    for verdict in result.verdicts:
        yield f"- {'✅' if verdict.kept else '❌'} {plain(verdict.expectation.name)}"
        for case, text in _first(verdict):
            yield f"  - {plain(case)}: {plain(text)}"
    yield ""
    for name in result.head.idle:
        yield f"- {STEADY}: {plain(name)} does not run"
    shown = [outcome for outcome in result.head.outcomes if every or not outcome.survived]
    simulated = f"{_count(len(result.head.outcomes), 'failure')} simulated"
    if not shown:
        yield f"{simulated}: each is survived"
        return
    yield f"<details><summary>{simulated}</summary>\n"
    yield "| failure | outcome |\n| --- | --- |"
    for outcome in shown:
        yield f"| {plain(outcome.case.name)} | {plain('; '.join(facts(outcome)) or 'survived')} |"
    yield "\n</details>"


def _fitting(lines: Iterable[str]) -> Iterator[str]:
    """The lines as far as a forge takes them in one comment, with a last one that says what is missing."""
    room = LONGEST - 200
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            yield "\n_Cut: the whole analysis does not fit into a comment; `reconciler verify --json` has all of it._"
            return
        yield line


def _junit(result: Analysis) -> bytes:
    suites = ElementTree.Element("testsuites")
    lost: dict[str, list[str]] = {}
    for case, name in result.regressions:
        lost.setdefault(case, []).append(name)
    suite = ElementTree.SubElement(suites, "testsuite", name="failures")
    if STEADY in lost:
        # Without a case of its own the report would be green beside an exit code of 2.
        test = ElementTree.SubElement(suite, "testcase", classname="steady", name=STEADY)
        ElementTree.SubElement(test, "failure", message="; ".join(_worse(STEADY, name) for name in lost[STEADY]))
    for outcome in result.head.outcomes:
        test = ElementTree.SubElement(suite, "testcase", classname=outcome.case.kind, name=outcome.case.name)
        wrong = [_worse(outcome.case.name, name) for name in lost.get(outcome.case.name, ())]
        wrong += [f"unsound: {violation.text}" for violation in outcome.violations]
        if wrong:
            ElementTree.SubElement(test, "failure", message="; ".join(wrong))
        ElementTree.SubElement(test, "system-out").text = "; ".join(facts(outcome)) or "survived"
    suite = ElementTree.SubElement(suites, "testsuite", name="properties")
    for verdict in result.verdicts:
        test = ElementTree.SubElement(suite, "testcase", classname="property", name=verdict.expectation.name)
        if not verdict.kept:
            message = "; ".join(f"{case}: {text}" for case, text in verdict.broken)
            ElementTree.SubElement(test, "failure", message=message)
    for suite in suites:
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(sum(test.find("failure") is not None for test in suite)))
    make_printable(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def make_printable(root: ElementTree.Element) -> None:
    """Replace in all texts what XML can't hold and terminals should not see."""
    for element in root.iter():
        element.attrib = {name: printable(value) for name, value in element.attrib.items()}
        element.text = None if element.text is None else printable(element.text)
