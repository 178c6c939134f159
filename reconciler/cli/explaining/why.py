"""Say why a resource is, or is not, where it is; with --on NODE why it is (not) on that node.

The answer has the chain of reasons with their places in the files, the scores term by term, what the next-best node lacks, and the smallest
edits that would change the answer, each tried by running the scheduler on the edited cluster.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.planning.arguments import Explained, add_explained_arguments
from reconciler.cli.terminal.excerpt import excerpt
from reconciler.cli.terminal.paint import Paint, add_colour_argument
from reconciler.cli.terminal.printing import say
from reconciler.frozen import frozen
from reconciler.model.score import show

if TYPE_CHECKING:
    from reconciler.analysis.explanation import Explanation, NodeScore


@frozen
class Options:
    """What the command line asks for."""

    resource: str
    on: str | None
    state: Explained
    at: str | None
    scores: bool
    json: bool
    color: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("resource", help="a resource, or an instance of a clone (web:1)")
    parser.add_argument("--on", metavar="NODE", help="ask about this node")
    add_explained_arguments(parser)
    parser.add_argument("--scores", action="store_true", help="list every node with every term of its score")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Print the explanation; 0 when there is one."""
    from reconciler.analysis.explanation import explain
    from reconciler.cli.planning.making import explained_state, moment

    now = moment(options.at)
    answers = explain(explained_state(options.state, now), now, options.resource, options.on)
    if options.json:
        print(json.dumps([_document(answer) for answer in answers], sort_keys=True, indent=2))
        return 0
    paint = Paint(sys.stdout, options.color)
    for number, answer in enumerate(answers):
        if number:
            print()
        for line in lines(answer, paint, scores=options.scores):
            print(paint.fitted(line))
    for line in _said(options):
        say(line)
    return 0


def _said(options: Options) -> Iterator[str]:
    """What the agent printed when the resource failed last on the running node, if that is what was asked about."""
    if options.state.snapshot is not None or options.state.path is not None:
        return
    failures = Client(options.state.socket).get("/v1/status")["failed_actions"]
    for failed in failures:
        printed = list(excerpt(failed.get("output", "")))
        if printed and failed["resource"].partition(":")[0] == options.resource.partition(":")[0]:
            yield ""
            yield f"{failed['text']}; its agent printed:"
            yield from (f"    {line}" for line in printed)


def lines(answer: Explanation, paint: Paint, *, scores: bool) -> Iterator[str]:
    """The explanation as lines for people."""
    yield paint("bold", answer.headline)
    for link in answer.chain:
        place = f"   {paint('dim', f'({link.place})')}" if link.place is not None else ""
        yield f"  because {link.text}{place}"
    shown = answer.nodes if scores else answer.nodes[:2]
    if shown:
        yield ""
    for node in shown:
        yield from _node(node, paint, scores)
    if len(shown) < len(answer.nodes):
        more = len(answer.nodes) - len(shown)
        yield f"  # ({more} more node{'s' * (more != 1)}; --scores shows all, term by term)"
    if answer.edits:
        yield ""
        yield "This would change it (tried):"
        for edit in answer.edits:
            yield f"  - {edit.text}"


def _node(node: NodeScore, paint: Paint, scores: bool) -> Iterator[str]:
    score = "no candidate" if node.score is None else show(node.score)
    notes = [text for text in (node.obstacle, node.lacks) if text]
    yield f"  {node.node}: {score}{'  ' + paint('dim', '; '.join(notes)) if notes else ''}"
    if scores:
        for term in node.terms:
            place = f"   ({term.place})" if term.place is not None else ""
            sign = "=" if term.replaced else "+" if term.score >= 0 else ""
            yield f"      {sign}{show(term.score)}  {term.text}{place}"


def _document(answer: Explanation) -> dict[str, Any]:
    return {
        "resource": answer.resource,
        "headline": answer.headline,
        "chain": [{"text": link.text, "place": str(link.place) if link.place else None} for link in answer.chain],
        "nodes": [
            {
                "node": node.node,
                "score": node.score,
                "obstacle": node.obstacle,
                "lacks": node.lacks,
                "terms": [
                    {
                        "score": t.score,
                        "text": t.text,
                        "place": str(t.place) if t.place else None,
                        "replaced": t.replaced,
                    }
                    for t in node.terms
                ],
            }
            for node in answer.nodes
        ],
        "edits": [edit.text for edit in answer.edits],
    }
