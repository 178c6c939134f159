"""What a configuration may ask for has bounds, and finding them takes a moment, whatever the files hold."""

from __future__ import annotations

import json
import time

import pytest

from reconciler.errors import Finding
from reconciler.language import load
from reconciler.model.text import natural_key

SITE = "cluster: {options: {fencing-enabled: false}}\n"
DUMMY = "{agent: 'ocf:pacemaker:Dummy'}"


def findings(text: str) -> tuple[Finding, ...]:
    """Everything found in one file."""
    return load({"a.yaml": text.encode()}).findings


def codes(text: str) -> set[str]:
    """The codes of what was found."""
    return {finding.code for finding in findings(text)}


def clone(meta: str, members: str = "") -> str:
    return f"{SITE}primitives: {{p: {DUMMY}}}\nclones: {{c: {{resource: p, meta: {meta}}}}}\n{members}"


@pytest.mark.parametrize("number", ["1001", "100000000", "999999999999999999"])
def test_too_many_instances_are_refused_where_they_are_asked_for(number: str) -> None:
    [finding] = [one for one in findings(clone(f"{{clone-max: {number}}}")) if one.code == "too-many-instances"]
    assert (finding.place.line, finding.place.column) == (3, 45)
    assert finding.hint


@pytest.mark.parametrize("meta", ["{clone-max: 1000}", "{clone-max: -1}", "{}"])
def test_what_a_cluster_may_need_is_accepted(meta: str) -> None:
    assert "too-many-instances" not in codes(clone(meta))


def test_instances_under_a_rule_and_replicas_and_defaults_count() -> None:
    ruled = clone("[{rule: 'date gt 2030-01-01', values: {clone-max: 5000}}]")
    assert "too-many-instances" in codes(ruled)
    assert "too-many-instances" in codes(clone("{}", "defaults: {resources: {clone-max: 5000}}\n"))
    bundle = f"{SITE}bundles: {{b: {{container: {{type: podman, image: x, replicas: 1000000}}}}}}\n"
    assert "too-many-instances" in codes(bundle)


def test_all_instances_together_have_a_bound() -> None:
    primitives = "".join(f"  p{n}: {DUMMY}\n" for n in range(60))
    clones = "".join(f"  c{n}: {{resource: p{n}, meta: {{clone-max: 1000}}}}\n" for n in range(60))
    assert "too-many-instances" in codes(f"{SITE}primitives:\n{primitives}clones:\n{clones}")


def located(pattern: str, count: int = 1) -> str:
    names = "".join(f"  {'a' * 40}{n}: {DUMMY}\n" for n in range(count))
    return (
        f"{SITE}nodes: {{n1: {{}}}}\nprimitives:\n{names}"
        f"constraints:\n  locations:\n    l: {{pattern: '{pattern}', node: n1, score: 5}}\n"
    )


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*!", "(a*)*b", "a*a*a*a*a*a*a*a*a*b"])
def test_a_pattern_that_stops_other_matchers_is_judged_at_once(pattern: str) -> None:
    begun = time.process_time()
    assert not codes(located(pattern, 20)) & {"bad-pattern", "patterns-too-costly"}
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("pattern", ["(" * 5000 + "a" + ")" * 5000, "[" * 5000, "(" * 49 + "a" + ")*" * 49, "\\1"])
def test_a_pattern_beyond_the_bounds_is_refused_where_it_stands(pattern: str) -> None:
    [finding] = [one for one in findings(located(pattern)) if one.code == "bad-pattern"]
    assert (finding.place.line, finding.place.column) == (7, 18)
    assert len(finding.text) < 300


def test_costly_patterns_for_many_names_are_refused() -> None:
    assert "patterns-too-costly" in codes(located("(a|b|aa)*c" * 30, 2000))


def test_an_escape_that_means_a_letter_is_said() -> None:
    assert "pattern-escape" in codes(located("web-\\d+"))
    assert "pattern-escape" not in codes(located("web-\\w+"))


def test_tags_inside_tags_end_and_stand_for_nothing() -> None:
    deep = "".join(f"  t{n}: [t{n + 1}, t{n + 1}]\n" for n in range(24))
    text = f"{SITE}nodes: {{n1: {{}}}}\nprimitives: {{a: {DUMMY}}}\ntags:\n{deep}  t24: [a]\n"
    text += "constraints: {locations: {l: {resource: t0, node: n1, score: forbid}}}\n"
    assert "tag-in-tag" in codes(text)
    assert "tag-in-tag" in codes(f"{SITE}primitives: {{a: {DUMMY}}}\ntags: {{x: [y], y: [x]}}\n")


@pytest.mark.parametrize("where", ["resource", "node", "tag", "ticket", "param"])
def test_a_thousand_slips_against_thousands_of_names_take_a_second(where: str) -> None:
    names = [f"resource-{n:04}" for n in range(4000)]
    slips = [f"resorce-{n:04}" for n in range(1000)]
    primitives = "".join(f"  {name}: {DUMMY}\n" for name in names)
    nodes = "".join(f"  {name.replace('resource', 'node')}: {{}}\n" for name in names)
    lines = {
        "resource": [f"    l{n}: {{resource: {slip}, node: node-0001, score: 5}}\n" for n, slip in enumerate(slips)],
        "node": [
            f"    l{n}: {{resource: resource-0001, node: {slip.replace('resorce', 'ndoe')}, score: 5}}\n"
            for n, slip in enumerate(slips)
        ],
        "ticket": [f"    l{n}: {{resource: resource-0001, ticket: {slip}}}\n" for n, slip in enumerate(slips)],
    }
    text = f"{SITE}nodes:\n{nodes}primitives:\n{primitives}"
    if where == "tag":
        text += "tags:\n" + "".join(f"  t{n}: [{slip}]\n" for n, slip in enumerate(slips))
    elif where == "param":
        text += "templates:\n" + "".join(f"  t{n}: {{agnt: x, {slip}: y}}\n" for n, slip in enumerate(slips))
    else:
        text += f"constraints:\n  {'tickets' if where == 'ticket' else 'locations'}:\n{''.join(lines[where])}"
    plain = time_of(f"{SITE}nodes:\n{nodes}primitives:\n{primitives}")
    assert time_of(text) - plain < 1.5


def time_of(text: str) -> float:
    begun = time.process_time()
    findings(text)
    return time.process_time() - begun


def test_the_nearest_of_many_names_is_still_named() -> None:
    primitives = "".join(f"  service-{n:03}: {DUMMY}\n" for n in range(500))
    text = f"{SITE}nodes: {{n1: {{}}}}\nprimitives:\n{primitives}"
    text += "constraints: {locations: {l: {resource: servcie-042, node: n1, score: 5}}}\n"
    [finding] = [one for one in findings(text) if one.code == "unknown-resource"]
    assert finding.hint == "did you mean 'service-042'?"


NINES = "9" * 5000

NUMBERS = {
    "an ISO duration": f"primitives: {{a: {{agent: 'ocf:p:D', operations: {{monitor: {{interval: P{NINES}Y}}}}}}}}\n",
    "a duration": f"primitives: {{a: {{agent: 'ocf:p:D', operations: {{monitor: {{interval: {NINES}s}}}}}}}}\n",
    "a year": f"constraints: {{locations: {{l: {{resource: a, rule: 'date gt {NINES}-01-01', score: 5}}}}}}\n",
    "a range": f"constraints: {{locations: {{l: {{resource: a, rule: 'date-spec hours={NINES}-3', score: 5}}}}}}\n",
    "a score": f"constraints: {{locations: {{l: {{resource: a, node: n, score: {NINES}}}}}}}\n",
    "a capacity": (
        f"nodes: {{n: {{utilization: {{cpu: {NINES}}}}}}}\nprimitives: {{a: {{agent: 'ocf:p:D', utilization: {{cpu: {NINES}}}}}}}\n"
    ),
    "a threshold": (
        f"primitives: {{a: {{agent: 'ocf:p:D', meta: {{migration-threshold: {NINES}, failure-timeout: 5s}},"
        f" operations: {{monitor: {{interval: 10s}}}}}}}}\n"
    ),
    "a name": f"nodes: {{{'9' * 1000}: {{}}, n{'9' * 1000}: {{}}}}\n",
}


@pytest.mark.parametrize("what", NUMBERS)
def test_a_number_of_any_length_ends_nothing(what: str) -> None:
    findings(SITE + NUMBERS[what])  # Raises nothing: Python itself refuses to read numbers of so many digits.


def test_names_with_endless_numbers_can_be_ordered() -> None:
    names = [f"n{'9' * 5000}8", f"n{'9' * 5000}7", "n10", "n9"]
    assert sorted(names, key=natural_key) == ["n9", "n10", names[1], names[0]]


def test_pairs_of_tags_and_sets_have_a_bound() -> None:
    names = [f"p{n}" for n in range(2000)]
    primitives = "".join(f"  {name}: {DUMMY}\n" for name in names)
    tags = f"tags: {{t: [{', '.join(names[:1000])}], u: [{', '.join(names[1000:])}]}}\n"
    site = f"{SITE}nodes: {{n1: {{}}}}\nprimitives:\n{primitives}{tags}constraints:\n"
    begun = time.process_time()
    [finding] = [
        one for one in findings(f"{site}  orders: {{o: {{first: t, then: u}}}}\n") if one.code == "too-many-pairs"
    ]
    assert finding.place.line == 2006
    assert "too-many-pairs" in codes(f"{site}  colocations: {{c: {{sets: [[t], {{resources: [u]}}], score: 5}}}}\n")
    assert "too-many-pairs" not in codes(f"{site}  orders: {{o: {{first: t, then: p1500}}}}\n")
    assert time.process_time() - begun < 6


@pytest.mark.parametrize("name", ["n1\u2028::add-mask::x", "n1\u0085", "\u202en1", " n1", ""])
def test_a_node_has_the_name_of_a_host(name: str) -> None:
    assert "bad-id" in codes(f"{SITE}nodes: {{{json.dumps(name)}: {{}}}}\n")
