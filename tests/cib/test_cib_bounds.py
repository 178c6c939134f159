"""What comes from outside is bounded before anybody looks at what it says."""

from __future__ import annotations

import json

import pytest

from reconciler.cib.bounds import Bounds, BoundsError, check, parse
from reconciler.cib.canonical import CanonicalError, Variants, from_bytes, to_variant
from reconciler.errors import Finding, Place

BOUNDS = Bounds(size_bytes=100, depth=3, items=4, text=5)


@pytest.mark.parametrize(
    ("plain", "wrong"),
    [
        (1, None),
        ("12345", None),
        ("123456", "longer"),
        ({"123456": 1}, "longer"),
        ([["123456"]], "longer"),
        ([1, 2, 3, 4], None),
        ([1, 2, 3, 4, 5], "entries"),
        ([[1], [2, 3]], "entries"),
        ({"a": 1, "b": [1, 2, 3]}, "entries"),
        ([[1]], None),
        ([[[1]]], "deeper"),
        ({"a": {"b": {"c": 1}}}, "deeper"),
        ((1 << 62) - 1, None),
        (1 << 62, "number"),
        (-(1 << 62), "number"),
        (True, None),
        (None, None),
    ],
    ids=str,
)
def test_each_bound_holds(plain, wrong):
    if wrong is None:
        check(plain, BOUNDS)
        assert parse(json.dumps(plain).encode(), BOUNDS) == plain
    else:
        with pytest.raises(BoundsError, match=wrong):
            check(plain, BOUNDS)


@pytest.mark.parametrize("data", [b" " * 101, b"{", b"\xff", b"[" * 100])
def test_what_is_too_long_or_no_json_is_refused(data):
    with pytest.raises(BoundsError):
        parse(data, BOUNDS)


def test_a_value_is_read_within_bounds():
    with pytest.raises(CanonicalError, match="longer"):
        from_bytes(Place, b'{"file":"123456"}', BOUNDS)
    assert from_bytes(Place, b'{"file":"12345"}', BOUNDS) == Place("12345")


def test_of_several_classes_the_tag_tells_one():
    both = Variants[object](Place, Finding)
    for value in (Place("f", 1, 2), Finding("code", Place("f"), "text")):
        assert both.from_json(to_variant(value)) == value
    for wrong in ({}, [], {"is": "place"}, {"is": "other", "file": "f"}, {"is": 1, "file": "f"}):
        with pytest.raises(CanonicalError):
            both.from_json(wrong)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (rb'"a\u00e9"', None),
        ('"a\u00e9"'.encode(), None),
        (rb'"\ud83d\ude00"', None),
        (rb'"\ud800"', "half"),
        (rb'{"\udc00":1}', "half"),
        (rb'[["\ud800a"]]', "half"),
        (b'"\xff"', "no JSON"),
        ('"a"'.encode("utf-16"), "no JSON"),
    ],
)
def test_where_texts_have_to_be_characters_half_of_one_is_refused(data: bytes, wrong: str | None) -> None:
    """Nobody could write such a text down: who is told it would fail at the first place that does."""
    bounds = Bounds(size_bytes=100, depth=3, items=4, text=5, characters=True)
    if wrong is None:
        parse(data, bounds)
        return
    with pytest.raises(BoundsError, match=wrong):
        parse(data, bounds)
