"""Blocks of name-value pairs: which value counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cib import Cib
from reconciler.model.attributes import AttributeBlock
from reconciler.model.date import Instant
from reconciler.model.rule import DateExpression, Rule
from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.rules import RuleContext
from reconciler.scheduler.working.cluster import Cluster

CONTEXT = RuleContext(Cluster(Cib(), Instant(1_700_000_000)))
NEVER = Rule((DateExpression("lt", end="2000-01-01"),))
ALWAYS = Rule((DateExpression("gt", start="2000-01-01"),))


def block(value: str, score: str | None = None, *rules: Rule) -> AttributeBlock:
    return AttributeBlock({"x": value}, rules, score)


WINNERS = [
    pytest.param((block("1"),), "1", id="a block without rules applies"),
    pytest.param((block("1"), block("2")), "2", id="of equals the last one written wins"),
    pytest.param((block("1", "10"), block("2", "5")), "1", id="the higher score wins"),
    pytest.param((block("1", "-INFINITY"), block("2", "-5")), "2", id="scores are scores"),
    pytest.param((block("1", "5"), block("2", "10", NEVER)), "1", id="a block whose rule fails is left out"),
    pytest.param((block("1", "5"), block("2", "10", NEVER, ALWAYS)), "2", id="one rule that passes is enough"),
    pytest.param((block("1", "10"), block("#default", "5")), None, id="#default unsets what a block before it set"),
    pytest.param((block("#Default", "10"), block("1", "5")), "1", id="a block after #default may set it again"),
]


@pytest.mark.parametrize(("blocks", "expected"), WINNERS)
def test_which_value_counts(blocks: tuple[AttributeBlock, ...], expected: str | None) -> None:
    assert evaluate(blocks, CONTEXT).get("x") == expected


def test_with_overwriting_the_first_one_written_among_equals_wins() -> None:
    assert evaluate((block("1"), block("2")), CONTEXT, overwrite=True) == {"x": "1"}


def test_with_overwriting_the_lowest_score_wins() -> None:
    assert evaluate((block("1", "10"), block("2", "5")), CONTEXT, overwrite=True) == {"x": "2"}


def test_what_was_found_before_stays() -> None:
    before = {"x": "own"}
    assert evaluate((AttributeBlock({"x": "1", "y": "2"}),), CONTEXT, into=before) is before
    assert before == {"x": "own", "y": "2"}


@given(
    st.lists(
        st.tuples(st.dictionaries(st.sampled_from("abc"), st.sampled_from("123")), st.sampled_from(["0", "5", "-5"]))
    )
)
def test_blocks_of_one_score_count_as_if_they_were_one(written: list[tuple[dict[str, str], str]]) -> None:
    blocks = tuple(AttributeBlock(values, score=score) for values, score in written)
    merged: list[AttributeBlock] = []
    for score in ("-5", "0", "5"):
        values: dict[str, str] = {}
        for part, its_score in written:
            if its_score == score:
                values.update(part)
        merged.append(AttributeBlock(values, score=score))
    assert evaluate(blocks, CONTEXT) == evaluate(tuple(merged), CONTEXT)
