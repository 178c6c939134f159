"""Changes of messages: in what they say, and in their bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from .wire_scenes import Plain

STRANGER = "n9"
"""Somebody who is in no cluster."""
LEAVES = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**53,
        2**61,
        -(2**61),
        2**62,
        2**63,
        2**64,
        10**30,
        1.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *("", "n1", "n2", "n3", STRANGER, "a", "b", "power", "x" * 300, "\x00", "\ud800", "é", "../../etc", "a\nb"),
    *("INFINITY", "-1", "0.1.2", "1", "start", "stop", "monitor", "off", "on", "reboot"),
    *([], {}, [[]], [None], {"is": "ping"}, {"": ""}, ["n1"], ["n1", "n1"], {"n1": 1}),
)
RUBBISH = (
    *(b"[" * 5_000, b'{"a":' * 5_000, b"9" * 5_000, b"\xff\xfe", b"\x00", b"NaN", b"1e999", b"-", b"\\ud800"),
    *(b'"', b"\xef\xbb\xbf", b"\xed\xa0\x80", b"{}", b"null"),
)
FORMS = ("utf-16", "utf-32", "utf-16-le", "utf-8-sig")
_OFTEN_LARGE = (3_000, 30_000, 300_000)
_TOO_LARGE = (1_000_001, 3_000_000, 17_000_000)


class Changes:
    """Draws changes. `messages` are valid ones by kind, as JSON, of which parts get into others."""

    def __init__(self, messages: Mapping[str, tuple[str, ...]], dice: random.Random) -> None:
        self._messages = messages
        self._kinds = sorted(messages)
        self._dice = dice

    def valid(self, kind: str) -> Plain:
        """A message of a kind."""
        message: Plain = json.loads(self._dice.choice(self._messages[kind]))
        return message

    def bytes_of(self, plain: Any) -> bytes:
        """The bytes of a plain form, in one of the ways in which JSON may be written."""
        try:
            text = json.dumps(plain, ensure_ascii=self._dice.random() < 0.5, separators=(",", ":"))
        except RecursionError:
            return b'{"v":' * 500
        return text.encode("utf-8", "surrogatepass")

    def change(self, message: Plain) -> None:
        """Change something somewhere in a message."""
        dice = self._dice
        place = self._place(message)
        if place is None:
            return
        inside, key = place
        match dice.randrange(11):
            case 0 | 1 | 2 | 3:
                inside[key] = fresh(dice.choice(LEAVES))
            case 4 | 5:
                inside[key] = fresh(self._part(message))
            case 6:
                del inside[key]
            case 7 if isinstance(inside, dict):
                inside[dice.choice(("unknown", "is", "node", "term", "", "\x00"))] = fresh(dice.choice(LEAVES))
            case 8:
                inside[key] = self._other(inside[key])
            case 9:
                inside[key] = fresh(self._part(self.valid(dice.choice(self._kinds))))
            case _:
                self._change_list(inside, key)

    def _other(self, value: Any) -> Any:
        """A value like this one, or this one deep within others."""
        dice = self._dice
        if isinstance(value, int) and dice.random() < 0.8:
            return value + dice.choice((-1, 1, 1_000, -1_000, 2**40))
        if isinstance(value, str) and dice.random() < 0.8:
            return value[: dice.randrange(len(value) + 1)] + dice.choice(("", "x", "0", ":", "#"))
        for _ in range(dice.choice((3, 60, 90, 200))):
            value = [value] if dice.random() < 0.5 else {"a": value}
        return value

    def _change_list(self, inside: Any, key: Any) -> None:
        """What is in a list comes several times, or in another order; else it is in a list now."""
        value = inside[key]
        if not isinstance(value, list) or not value:
            inside[key] = [value]
            return
        inside[key] = value * self._dice.choice((1, 2, 3, 30))
        self._dice.shuffle(inside[key])

    def _place(self, value: Any) -> tuple[Any, Any] | None:
        """A mapping or list somewhere within, and the key or index of what is meant in it."""
        place = None
        while isinstance(value, dict | list) and value:
            key = self._dice.choice(list(value)) if isinstance(value, dict) else self._dice.randrange(len(value))
            place, value = (value, key), value[key]
            if self._dice.random() < 0.3:
                break
        return place

    def _part(self, value: Any) -> Any:
        place = self._place(value)
        return None if place is None else place[0][place[1]]

    def damaged(self, data: bytes) -> bytes:
        """Other bytes, most of them the same."""
        dice, made = self._dice, bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 8))):
            at = dice.randrange(len(made) + 1)
            match dice.randrange(8):
                case 0:
                    del made[at:]
                case 1:
                    del made[:at]
                case 2 if made:
                    made[at % len(made)] ^= 1 << dice.randrange(8)
                case 3:
                    made[at:at] = dice.choice(RUBBISH)
                case 4:
                    made[at:at] = made[: dice.randrange(len(made) + 1)]
                case 5:
                    del made[at : at + dice.randrange(40)]
                case 6:
                    made = bytearray(made.decode("utf-8", "replace").encode(dice.choice(FORMS)))
                case _:
                    made = bytearray(dice.randbytes(dice.randrange(200)))
        return bytes(made)

    def grow(self, message: Plain) -> None:
        """Make something in a message large."""
        dice = self._dice
        place = self._place(message)
        if place is None:
            return
        inside, key = place
        size = dice.choice(_OFTEN_LARGE if dice.random() < 0.9 else _TOO_LARGE)
        value = inside[key]
        match dice.randrange(4):
            case 0:
                inside[key] = "x" * size
            case 1:
                inside[key] = [value] * (size // 30)
            case 2:
                inside[key] = {f"k{number}": value for number in range(size // 30)}
            case _:
                inside[key] = value * (size // 300) if isinstance(value, list) else "x" * size


def fresh(value: Any) -> Any:
    """The value for another place: nothing is in two places."""
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value
