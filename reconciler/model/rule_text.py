"""Rules as people write them in one line, read into rules and written back.

    #uname eq node1 or (rack eq a and date gt 2026-01-01)

The grammar is the one that users of crm and pcs know:

    rule        expression { and expression } | expression { or expression }
    expression  ( rule )
                NAME lt|gt|lte|gte|eq|ne [TYPE] VALUE       also NAME TYPE:eq VALUE
                defined NAME | not_defined NAME
                date gt MOMENT | date lt MOMENT
                date in start=MOMENT [end=MOMENT | hours=4 …]      also date in_range MOMENT to MOMENT|duration hours=4 …
                date-spec hours=9-16 weekdays=1-5 …         also date hours=9-16 …
                resource CLASS:PROVIDER:TYPE                each part may be empty
                op NAME [interval=10s]
    TYPE        string | integer | number | version
    VALUE       a text, or param:NAME or meta:NAME for the resource's own parameter or meta-attribute

Texts with blanks, brackets or the look of a keyword stand in single or double quotes. `and` and `or` are not mixed
without brackets, because people disagree on which binds closer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.model.settings import DATE_SPEC_FIELDS, DURATION_FIELDS

COMPARISONS = ("lt", "gt", "lte", "gte", "eq", "ne")
TYPES = ("string", "integer", "number", "version")
DEEPEST = 32
"""How deep brackets may be nested."""

_KEYWORDS = frozenset({"and", "or", "defined", "not_defined", "date", "date-spec", "resource", "op"})
_TOKEN = r"""\s*(?:(?P<bracket>[()])|(?P<word>(?:[^\s()'"]|(?<==)'[^']*'|(?<==)"[^"]*")+)|'(?P<single>[^']*)'|"(?P<double>[^"]*)")"""
_GLUED_OFFSET = r"(?P<moment>.*T?[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?P<offset>[+-][0-9]{2}:?[0-9]{2})\Z"
_PLAIN = r"""[^\s()'"]+\Z"""


class RuleTextError(ValueError):
    """The text is no rule: `offset` is where in it (characters from 0), `hint` what would be one."""

    def __init__(self, offset: int, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.offset = offset
        self.text = text
        self.hint = hint


class Token(NamedTuple):
    """A word or bracket of a rule's text; a quoted one is never a keyword."""

    text: str
    offset: int
    kind: str


def parse_rule(text: str) -> Rule:
    """The rule that a text stands for, without score, role or id. Raises RuleTextError."""
    reader = _RuleReader(text, _tokens(text))
    rule = reader.rule(0)
    if not reader.done:
        reader.fail(
            f"expected `and`, `or` or the end, found '{reader.here.text}'", "put both sides of `or` inside brackets"
        )
    return rule


def show_rule(rule: Rule) -> str | None:
    """The text that `parse_rule` reads as the rule's expressions; None when none does (its score, role and id are not looked at)."""
    shown = _show(rule, 0)
    if shown is None:
        return None
    bare = Rule(rule.expressions, rule.boolean_op)
    try:
        return shown if parse_rule(shown) == bare else None
    except RuleTextError:
        return None


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    end = len(text.rstrip())
    index = 0
    while index < end:
        found = re.compile(_TOKEN).match(text, index)
        if found is None:
            start = index + len(text[index:]) - len(text[index:].lstrip())
            raise RuleTextError(start, "the quote is not closed", "close it with the same sign")
        kind = str(found.lastgroup)
        tokens.append(Token(found[kind], found.start(kind) - (kind in ("single", "double")), kind))
        index = found.end()
    return tokens


class _RuleReader:
    """Reads tokens from left to right."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.tokens = [*tokens, Token("the end", len(text.rstrip()), "end")]
        self.index = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.index]

    @property
    def done(self) -> bool:
        return self.here.kind == "end"

    def failure(self, text: str, hint: str = "", token: Token | None = None) -> RuleTextError:
        """What is wrong with the text at a token, by default the one to be read next."""
        return RuleTextError((token or self.here).offset, text, hint)

    def fail(self, text: str, hint: str = "", token: Token | None = None) -> NoReturn:
        """Refuse the text at a token, by default the one to be read next."""
        raise self.failure(text, hint, token)

    def is_word(self, *words: str) -> bool:
        """Whether one of these words, unquoted, comes next."""
        return self.here.kind == "word" and self.here.text in words

    def take(self, wanted: str) -> Token:
        """The next token, which must be a text."""
        token = self.here
        if token.kind in ("end", "bracket"):
            self.fail(f"expected {wanted}, found {_named(token)}")
        self.index += 1
        return token

    def rule(self, depth: int) -> Rule:
        """Expressions joined by one of the two words."""
        expressions = [self.expression(depth)]
        joined: str | None = None
        while self.is_word("and", "or"):
            token = self.here
            if joined is not None and token.text != joined:
                self.fail(
                    f"`{joined}` and `{token.text}` are mixed without brackets", "say with ( ) which belong together"
                )
            joined = token.text
            self.index += 1
            expressions.append(self.expression(depth))
        if joined is None and isinstance(expressions[0], Rule):
            return expressions[0]
        return Rule(tuple(expressions), joined or "and")

    def expression(self, depth: int) -> Expression:
        token = self.here
        if token.kind == "bracket" and token.text == "(":
            return self._bracketed(depth)
        if token.kind == "word":
            match token.text:
                case "defined" | "not_defined":
                    self.index += 1
                    return AttributeExpression(self.take("the name of an attribute").text, token.text)
                case "date":
                    self.index += 1
                    return self._date()
                case "date-spec":
                    self.index += 1
                    return DateExpression("date_spec", date_spec=self._fields(DATE_SPEC_FIELDS))
                case "resource":
                    self.index += 1
                    return self._agent()
                case "op":
                    self.index += 1
                    return self._operation()
                case "and" | "or":
                    self.fail(f"expected an expression, found `{token.text}`")
        return self._comparison()

    def _bracketed(self, depth: int) -> Rule:
        opening = self.here
        if depth >= DEEPEST:
            self.fail(f"brackets nested deeper than {DEEPEST}")
        self.index += 1
        rule = self.rule(depth + 1)
        if self.here.text != ")" or self.here.kind != "bracket":
            self.fail(
                f"expected `and`, `or` or `)`, found {_named(self.here)}",
                f"the bracket opens at character {opening.offset + 1}",
            )
        self.index += 1
        return rule

    def _comparison(self) -> AttributeExpression:
        name = self.take("an expression")
        operation = self.take("a comparison")
        kind, _, word = operation.text.rpartition(":")
        if word not in COMPARISONS:
            self.fail(f"'{operation.text}' is no comparison", f"known here: {', '.join(COMPARISONS)}", operation)
        if kind and kind not in TYPES:
            self.fail(f"'{kind}' is no type", f"known here: {', '.join(TYPES)}", operation)
        if not kind and self.is_word(*TYPES) and self.tokens[self.index + 1].kind in ("word", "single", "double"):
            following = self.tokens[self.index + 1]
            if not (following.kind == "word" and following.text in ("and", "or")):
                kind = self.take("a type").text
        value = self.take("a value")
        source, _, inner = value.text.partition(":")
        if value.kind == "word" and source in ("param", "meta") and inner:
            return AttributeExpression(name.text, word, inner, kind or None, source)
        return AttributeExpression(name.text, word, value.text, kind or None)

    def _date(self) -> DateExpression:
        if self.is_word("gt", "lt"):
            operation = self.take("").text
            moment = _moment(self.take("a moment").text)
            return DateExpression("gt", start=moment) if operation == "gt" else DateExpression("lt", end=moment)
        if self.is_word("in"):
            self.index += 1
            return self._range()
        if self.is_word("in_range"):
            self.index += 1
            return self._range_in_words()
        if self.here.kind == "word" and "=" in self.here.text:
            return DateExpression("date_spec", date_spec=self._fields(DATE_SPEC_FIELDS))
        raise self.failure(f"expected gt, lt, in or in_range, found {_named(self.here)}")

    def _range(self) -> DateExpression:
        given = self._fields(("start", "end", *DURATION_FIELDS))
        start, end = (None if name not in given else _moment(given.pop(name)) for name in ("start", "end"))
        return DateExpression("in_range", start=start, end=end, duration=given or None)

    def _range_in_words(self) -> DateExpression:
        start = None if self.is_word("to") else _moment(self.take("a moment").text)
        if not self.is_word("to"):
            self.fail(f"expected `to`, found {_named(self.here)}")
        self.index += 1
        if self.is_word("duration"):
            self.index += 1
            return DateExpression("in_range", start=start, duration=self._fields(DURATION_FIELDS))
        return DateExpression("in_range", start=start, end=_moment(self.take("a moment").text))

    def _fields(self, known: tuple[str, ...]) -> dict[str, str]:
        """One or more NAME=VALUE."""
        fields: dict[str, str] = {}
        while self.here.kind == "word" and "=" in self.here.text:
            token = self.take("")
            name, _, value = token.text.partition("=")
            if name not in known:
                self.fail(f"'{name}' is not known here", f"known here: {', '.join(known)}", token)
            if name in fields:
                self.fail(f"'{name}' is given twice", token=token)
            fields[name] = value[1:-1] if value[:1] in ("'", '"') else value
            if not fields[name]:
                self.fail(f"'{name}' has no value", token=token)
        if not fields:
            self.fail(f"expected NAME=VALUE, found {_named(self.here)}", f"known here: {', '.join(known)}")
        return fields

    def _agent(self) -> AgentExpression:
        token = self.take("an agent such as ocf:heartbeat:IPaddr2")
        parts = token.text.split(":")
        if len(parts) == 2:
            parts = [parts[0], "", parts[1]]
        if len(parts) != 3 or not any(parts):
            self.fail(f"'{token.text}' names no agent", "write CLASS:PROVIDER:TYPE, each of which may be empty", token)
        standard, provider, type = (part or None for part in parts)
        return AgentExpression(standard, provider, type)

    def _operation(self) -> OperationExpression:
        name = self.take("the name of an operation").text
        interval = self._fields(("interval",))["interval"] if self.here.text.startswith("interval=") else None
        return OperationExpression(name, interval)


def _named(token: Token) -> str:
    return "the end" if token.kind == "end" else f"'{token.text}'"


def _moment(text: str) -> str:
    """A moment as Pacemaker reads it: an offset glued to the time would be overlooked, so it gets its blank."""
    found = re.match(_GLUED_OFFSET, text)
    return f"{found['moment']} {found['offset']}" if found else text


def _show(rule: Rule, depth: int) -> str | None:
    if rule.boolean_op not in ("and", "or") or depth > DEEPEST or not rule.expressions:
        return None
    parts = [_show_expression(expression, depth) for expression in rule.expressions]
    if any(part is None for part in parts):
        return None
    return f" {rule.boolean_op} ".join(part for part in parts if part is not None)


def _show_expression(expression: Expression, depth: int) -> str | None:
    if expression.id is not None:
        return None
    match expression:
        case Rule():
            if expression.score or expression.score_attribute or expression.role or expression.extra:
                return None
            inner = _show(expression, depth + 1)
            return None if inner is None else f"({inner})"
        case AttributeExpression():
            return _show_attribute(expression)
        case DateExpression():
            return _show_date(expression)
        case AgentExpression(standard, provider, type):
            return "resource " + _quoted(":".join(part or "" for part in (standard, provider, type)))
        case OperationExpression(name, interval):
            suffix = "" if interval is None else f" interval={_quoted(interval)}"
            return None if name is None else f"op {_quoted(name)}{suffix}"


def _show_attribute(expression: AttributeExpression) -> str | None:
    if expression.operation in ("defined", "not_defined"):
        return f"{expression.operation} {_quoted(expression.attribute)}"
    if expression.value is None:
        return None
    kind = "" if expression.type is None else f"{expression.type} "
    value = _quoted(expression.value)
    if expression.value_source is not None:
        value = f"{expression.value_source}:{expression.value}"
    elif expression.value.startswith(("param:", "meta:")) or (not kind and expression.value in TYPES):
        value = _quoted(expression.value, always=True)
    return f"{_quoted(expression.attribute)} {expression.operation} {kind}{value}"


def _show_date(expression: DateExpression) -> str | None:
    match expression:
        case DateExpression("gt", str(start), None, None, None):
            return f"date gt {_quoted(start)}"
        case DateExpression("lt", None, str(end), None, None):
            return f"date lt {_quoted(end)}"
        case DateExpression("in_range", start, end, duration, None):
            bounds = {name: text for name, text in (("start", start), ("end", end)) if text is not None}
            return f"date in {_show_fields(bounds | dict(duration or {}))}"
        case DateExpression("date_spec", None, None, None, spec) if spec:
            return f"date-spec {_show_fields(spec)}"
    return None


def _show_fields(fields: Mapping[str, str]) -> str:
    return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())


def _quoted(text: str, *, always: bool = False) -> str:
    if not always and re.match(_PLAIN, text) and text not in _KEYWORDS:
        return text
    return f"'{text}'" if "'" not in text else f'"{text}"'
