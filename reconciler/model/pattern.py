"""Regular expressions over names: POSIX extended ones, as Pacemaker takes them, with a cost that no pattern can drive up.

Python's own `re` differs (no `[[:alpha:]]`, backslashes inside brackets, the first alternative instead of the longest match) and may need
more steps than the universe has time: `^(a+)+$` against thirty letters stops the interpreter. Here a pattern walks all places of a name at
once, and what is repeated inside of a repetition is asked once for each place: the most that it can cost is known before. Simple patterns,
which are nearly all, are handed to `re` in its own words.

What POSIX leaves open follows the C library that Pacemaker calls; back-references alone are refused, because no bound holds for them.
Source: POSIX.1-2017, Base Definitions, 9.4 "Extended Regular Expressions"; glibc manual, "POSIX Regexp Compilation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

LONGEST = 1000
"""Longer patterns are refused."""

DEEPEST = 50
"""Groups inside of more groups are refused."""

MOST_REPEATS = 32_767
"""A larger number in braces is refused."""

COSTLIEST = 2_000_000
"""Patterns of a higher cost are refused."""

USUAL_NAME = 64
"""The length of a name for which a pattern's cost is reckoned; twice the length costs at most eight times as much."""

DIVIDED_COST = 2_000
"""What the groups of a costlier pattern hold is not found out: they hold nothing."""

_MANY = 1 << 30

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \\t\\n\\r\\f\\v",
    "blank": " \\t",
    "punct": "!-/:-@\\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": "\\x00-\\x1f\\x7f",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = {"w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "s": "[ \\t\\n\\r\\f\\v]", "S": "[^ \\t\\n\\r\\f\\v]"}
_ASSERTIONS = frozenset("bB<>`'")


class PatternError(ValueError):
    """A text is no pattern: what is wrong, and at which character (from 0)."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.offset = offset


class _Part:
    """One part of a pattern: `kind` says which of the other fields count.

    one: a single character that `test` takes; edge: a place between characters, by its sign; row: `parts` one after the other;
    choice: one of `parts`; repeat: `parts[0]`, from `least` to `most` times; group: `parts[0]`, remembered under `number`.
    """

    __slots__ = ("kind", "least", "most", "number", "parts", "sign", "test")

    def __init__(self, kind: str, parts: tuple[_Part, ...] = (), sign: str = "") -> None:
        self.kind = kind
        self.parts = parts
        self.sign = sign
        self.test = re.compile(sign, re.DOTALL) if kind == "one" else None
        self.least, self.most, self.number = 1, 1, 0


class Pattern:
    """A pattern that can be asked whether, and how, it occurs in a name. Made by `compile_pattern`.

    `cost` bounds the steps that one name of the usual length takes: it is known before anything is matched.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parser = _Parser(text)
        self._root = parser.parse()
        self._groups = parser.groups
        self._quick = _quick(self._root)
        self.cost = 1 if self._quick is not None else _cost(self._root)
        if self.cost > COSTLIEST:
            raise PatternError(f"it may take {self.cost:,} steps for one name; at most {COSTLIEST:,} are allowed", 0)

    def occurs_in(self, name: str) -> bool:
        """Whether the pattern matches anywhere in the name."""
        if self._quick is not None:
            return self._quick.search(name) is not None
        return _Match(name).after(self._root, (2 << len(name)) - 1) != 0

    def submatches(self, name: str) -> tuple[str, ...] | None:
        """The leftmost longest match and what its groups hold, "" for those that hold nothing; None without a match."""
        if not self.occurs_in(name):
            return None
        match = _Match(name)
        start = match.leftmost(self._root)
        end = match.after(self._root, 1 << start).bit_length() - 1
        if self._groups and _cost(self._root) <= DIVIDED_COST:
            match.divide(self._root, start, end)
        spans = [(start, end), *(match.spans.get(number, (0, 0)) for number in range(1, self._groups + 1))]
        return tuple(name[first:last] for first, last in spans)


def _quick(root: _Part) -> re.Pattern[str] | None:
    """The pattern for `re`, where that can't take long: nothing but single characters is repeated, and that twice at most."""
    repeats = [part for part in _walk(root) if part.kind == "repeat"]
    if len(repeats) > 2 or any(part.parts[0].kind != "one" for part in repeats):
        return None
    return re.compile(_translated(root), re.DOTALL)


def _cost(root: _Part) -> int:
    """The most steps that a name of the usual length takes: what is repeated inside of a repetition is asked once for each place."""
    return _steps(root, inside=False) + sum(
        USUAL_NAME * _rounds(part) * _steps(part.parts[0], inside=True) for part in _repeats_inside(root, inside=False)
    )


def _steps(part: _Part, *, inside: bool) -> int:
    if part.kind == "repeat":
        known = inside and part.parts[0].kind != "one"
        return USUAL_NAME if known else _rounds(part) * _steps(part.parts[0], inside=True)
    return 1 + sum(_steps(below, inside=inside) for below in part.parts)


def _rounds(part: _Part) -> int:
    return min(max(part.least, min(part.most, USUAL_NAME)), USUAL_NAME)


def _repeats_inside(part: _Part, *, inside: bool) -> Iterator[_Part]:
    if part.kind == "repeat" and inside and part.parts[0].kind != "one":
        yield part
    for below in part.parts:
        yield from _repeats_inside(below, inside=inside or part.kind == "repeat")


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """The pattern that a text stands for. **Raises** PatternError."""
    return Pattern(text)


def _walk(part: _Part) -> Iterator[_Part]:
    yield part
    for below in part.parts:
        yield from _walk(below)


def _translated(part: _Part) -> str:
    """A part in Python's words; whether it occurs is the same, however the match is found."""
    match part.kind:
        case "one":
            return part.sign
        case "edge":
            return _EDGES[part.sign]
        case "row":
            return "".join(_translated(below) for below in part.parts)
        case "choice":
            return f"(?:{'|'.join(_translated(below) for below in part.parts)})"
        case "repeat":
            most = "" if part.most == _MANY else part.most
            return f"{_translated(part.parts[0])}{{{part.least},{most}}}"
    return f"(?:{_translated(part.parts[0])})"


_WORD = "[A-Za-z0-9_]"
_EDGES = {
    "^": r"\A",
    "`": r"\A",
    "$": r"\Z",
    "'": r"\Z",
    "<": f"(?<!{_WORD})(?={_WORD})",
    ">": f"(?<={_WORD})(?!{_WORD})",
    "b": f"(?:(?<!{_WORD})(?={_WORD})|(?<={_WORD})(?!{_WORD}))",
    "B": f"(?:(?<!{_WORD})(?!{_WORD})|(?<={_WORD})(?={_WORD}))",
}


@cache
def _edge(sign: str) -> re.Pattern[str]:
    return re.compile(_EDGES[sign])


class _Match:
    """One name, and what is known of it. A set of places in it is a number: bit n stands for the place before character n."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spans: dict[int, tuple[int, int]] = {}
        self._fitting: dict[int, int] = {}
        self._known: dict[tuple[int, int], int] = {}

    def leftmost(self, root: _Part) -> int:
        """The first place at which a match begins; there is one."""
        low, high = 0, len(self.name)
        while low < high:
            middle = (low + high) // 2
            if self.after(root, (2 << middle) - 1):
                high = middle
            else:
                low = middle + 1
        return low

    def after(self, part: _Part, places: int, *, inside: bool = False) -> int:
        """The places where the part can end when it begins at one of the given ones; `inside` of a repetition."""
        match part.kind:
            case "one":
                return (places & self._fits(part)) << 1
            case "edge":
                return places & self._fits(part)
            case "choice":
                found = 0
                for below in part.parts:
                    found |= self.after(below, places, inside=inside)
                return found
            case "repeat":
                if inside and part.parts[0].kind != "one":
                    return self._each(part, places)
                return self.repeated(part, places, part.least, part.most)
        for below in part.parts:
            places = self.after(below, places, inside=inside)
        return places

    def _fits(self, part: _Part) -> int:
        """The places where a single character, or what is asked of a place, fits."""
        known = self._fitting.get(id(part))
        if known is None:
            known = 0
            if part.test is not None:
                for place, sign in enumerate(self.name):
                    known |= (part.test.match(sign) is not None) << place
            else:
                for place in range(len(self.name) + 1):
                    known |= (_edge(part.sign).match(self.name, place) is not None) << place
            self._fitting[id(part)] = known
        return known

    def _each(self, part: _Part, places: int) -> int:
        """The same for a repetition, where each place is looked at once and remembered."""
        found = 0
        for place in _bits(places):
            key = (id(part), place)
            if key not in self._known:
                self._known[key] = self.repeated(part, 1 << place, part.least, part.most)
            found |= self._known[key]
        return found

    def repeated(self, part: _Part, places: int, least: int, most: int) -> int:
        """Where `least` to `most` rounds of the repeated part can end. Rounds that change nothing any more are not made."""
        inner = part.parts[0]
        for _ in range(least):
            further = self.after(inner, places, inside=True)
            if further == places:
                break
            places = further
        found, fresh, rounds = places, places, most - least
        while fresh and rounds > 0:
            fresh = self.after(inner, fresh, inside=True) & ~found
            found |= fresh
            rounds -= 1
        return found

    def divide(self, part: _Part, start: int, end: int) -> None:
        """Note which group holds what when the part stretches from `start` to `end`: whatever is further left takes all it can."""
        match part.kind:
            case "group":
                self.spans[part.number] = (start, end)
                self.divide(part.parts[0], start, end)
            case "choice":
                self.divide(next(one for one in part.parts if self.after(one, 1 << start) >> end & 1), start, end)
            case "row":
                for number, one in enumerate(part.parts):
                    rest = _Part("row", part.parts[number + 1 :])
                    places = _bits(self.after(one, 1 << start))
                    place = next(at for at in places if self.after(rest, 1 << at) >> end & 1)
                    self.divide(one, start, place)
                    start = place
            case "repeat":
                self._divide_rounds(part, start, end)

    def _divide_rounds(self, part: _Part, start: int, end: int) -> None:
        inner, least, most = part.parts[0], part.least, part.most
        while start < end:
            least, most = max(least - 1, 0), most - 1
            places = _bits(self.after(inner, 1 << start))
            place = next(at for at in places if self.repeated(part, 1 << at, least, most) >> end & 1)
            self.divide(inner, start, place)
            if place == start:
                return
            start = place


def _bits(places: int) -> Iterator[int]:
    """The places from right to left."""
    while places:
        highest = places.bit_length() - 1
        yield highest
        places ^= 1 << highest


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0
        self.depth = 0

    def parse(self) -> _Part:
        if len(self.text) > LONGEST:
            raise PatternError(f"it has {len(self.text):,} characters; at most {LONGEST:,} are taken", LONGEST)
        return self._choice()

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _choice(self) -> _Part:
        rows = [self._row()]
        while self._next() == "|":
            self.at += 1
            rows.append(self._row())
        return rows[0] if len(rows) == 1 else _Part("choice", tuple(rows))

    def _row(self) -> _Part:
        parts: list[_Part] = []
        while (sign := self._next()) and sign != "|" and (sign != ")" or not self.depth):
            part = self._repeats(self._single())
            parts.append(part)
        return _Part("row", tuple(parts))

    def _single(self) -> _Part:
        begin, sign = self.at, self._next()
        self.at += 1
        if sign in "*+?{":
            raise PatternError(f"'{sign}' has nothing before it to repeat", begin)
        if sign in "^$":
            return _Part("edge", sign=sign)
        if sign == ".":
            return _Part("one", sign=".")
        if sign == "[":
            return self._bracket(begin)
        if sign == "\\":
            return self._escape(begin)
        return self._group(begin) if sign == "(" else _Part("one", sign=re.escape(sign))

    def _group(self, begin: int) -> _Part:
        self.groups += 1
        self.depth += 1
        if self.depth > DEEPEST:
            raise PatternError(f"groups are nested deeper than {DEEPEST}", begin)
        number, inner = self.groups, self._choice()
        if self._next() != ")":
            raise PatternError("'(' has no ')'", begin)
        self.at += 1
        self.depth -= 1
        group = _Part("group", (inner,))
        group.number = number
        return group

    def _escape(self, begin: int) -> _Part:
        sign = self._next()
        self.at += 1
        if not sign:
            raise PatternError("the backslash at the end has nothing after it", begin)
        if sign in "123456789":
            raise PatternError(f"the back-reference \\{sign} is not supported: its cost has no bound", begin)
        if sign in _ASSERTIONS:
            return _Part("edge", sign=sign)
        return _Part("one", sign=_ESCAPES.get(sign, re.escape(sign)))

    def _repeats(self, part: _Part) -> _Part:
        while (sign := self._next()) and sign in "*+?{":
            begin = self.at
            self.at += 1
            least, most = {"*": (0, _MANY), "+": (1, _MANY), "?": (0, 1)}.get(sign) or self._interval(begin)
            if part.kind == "edge":
                raise PatternError(f"'{sign}' repeats a place, which has no length", begin)
            repeat = _Part("repeat", (part,))
            repeat.least, repeat.most = least, most
            part = repeat
        return part

    def _interval(self, begin: int) -> tuple[int, int]:
        found = _INTERVAL.match(self.text, begin)
        if found is None or not (found[1] or found[2]):
            raise PatternError("'{' begins no repetition such as {2}, {2,} or {2,5}", begin)
        self.at = found.end()
        least = int(found[1] or 0)
        most = least if found[2] is None else int(found[3]) if found[3] else _MANY
        if least > most or max(least, 0 if most == _MANY else most) > MOST_REPEATS:
            raise PatternError(f"'{found[0]}' is no repetition: from low to high, up to {MOST_REPEATS:,}", begin)
        return least, most

    def _bracket(self, begin: int) -> _Part:
        """A bracket expression, in which a backslash is a character like any other."""
        negated = self._next() == "^"
        self.at += negated
        items: list[str] = []
        while (sign := self._next()) != "]" or not items:
            if not sign:
                raise PatternError("'[' has no ']'", begin)
            items.append(self._bracket_item(begin))
        self.at += 1
        return _Part("one", sign=f"[{'^' if negated else ''}{''.join(items)}]")

    def _bracket_item(self, begin: int) -> str:
        if (found := _CLASS.match(self.text, self.at)) is not None:
            self.at = found.end()
            if found[1] not in _CLASSES:
                raise PatternError(f"there is no class of characters '{found[1]}'", found.start())
            return _CLASSES[found[1]]
        first = self._bracket_sign(begin)
        if self._next() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return re.escape(first)
        at = self.at
        self.at += 1
        last = self._bracket_sign(begin)
        if last < first:
            raise PatternError(f"the range {first}-{last} runs backwards", at - 1)
        return f"{re.escape(first)}-{re.escape(last)}"

    def _bracket_sign(self, begin: int) -> str:
        """One character, also in the forms [.x.] and [=x=]."""
        if (found := _SYMBOL.match(self.text, self.at)) is not None:
            self.at = found.end()
            return found[2]
        sign = self._next()
        if not sign:
            raise PatternError("'[' has no ']'", begin)
        self.at += 1
        return sign


_INTERVAL = re.compile(r"\{([0-9]*)(,([0-9]*))?\}")
_CLASS = re.compile(r"\[:([a-z]*):\]")
_SYMBOL = re.compile(r"\[([.=])(.)\1\]", re.DOTALL)
