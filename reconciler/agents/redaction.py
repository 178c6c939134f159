"""Secrets taken out of what agents say: a tracing agent prints them, and in more forms than the one it was given.

Taken out are the value itself, its single lines, and what becomes of it when it is quoted for a shell, written into a URL or JSON, or
encoded as hexadecimal digits or base64, the latter also amid other text (`user:password`). Where output was cut off in the middle of a
secret, the part before or after the cut is taken out as well. A value of less than four characters occurs by chance everywhere, and its
places would give it away: what holds it is withheld as a whole.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHOWN = "(secret)"
WITHHELD = "(withheld: it holds a secret that is too short to be taken out)"
# A value this short stands in many texts by chance ("on", "1"): a text that has it is withheld as a whole.
_SHORT = 4
_SHORTEST_LINE = 4
_SHORTEST_BASE64 = 6
_SHORTEST_PART, _LONGEST_PART = 4, 4096
_CUT = re.compile(r"\n\[\.\.\. [0-9]+ bytes left out \.\.\.\]\n")


class Redaction:
    """Takes the values of secrets out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {value for value in secrets if value}
        self._short = frozenset(value for value in values if len(value) < _SHORT)
        self._whole = tuple(sorted((value for value in values if len(value) >= _SHORT), key=len, reverse=True))
        forms = {form for value in self._whole for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """The text without any of them."""
        if any(value in text for value in self._short):
            return WITHHELD
        if self._pattern is None or not text:
            return text
        text = self._pattern.sub(SHOWN, text)
        cuts = list(_CUT.finditer(text))
        for cut in reversed(cuts):
            before, after = text[: cut.start()], text[cut.end() :]
            text = self._without_end(before) + cut[0] + self._without_begin(after)
        return text

    def beginning(self, text: str, longest: int) -> str:
        """The beginning of the text, of a bounded length, which must not end in the middle of a secret."""
        shown = self.text(text)
        return shown if len(shown) <= longest else self._without_end(shown[:longest])

    def _without_end(self, text: str) -> str:
        """Without a secret's beginning at the end."""
        for value in self._whole:
            for length in range(min(len(value) - 1, len(text), _LONGEST_PART), _SHORTEST_PART - 1, -1):
                if text.endswith(value[:length]):
                    return text[:-length] + SHOWN
        return text

    def _without_begin(self, text: str) -> str:
        """Without a secret's end at the beginning."""
        for value in self._whole:
            for length in range(min(len(value) - 1, len(text), _LONGEST_PART), _SHORTEST_PART - 1, -1):
                if text.startswith(value[-length:]):
                    return SHOWN + text[length:]
        return text


def _forms(value: str) -> Iterator[str]:
    """The ways in which a value is written."""
    yield value
    for line in value.splitlines():
        if len(line.strip()) >= _SHORTEST_LINE:
            yield line.strip()
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")
    yield re.sub(r"([^A-Za-z0-9_./-])", r"\\\1", value)
    for quoted in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    for written in (json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)):
        yield written[1:-1]
    data = value.encode("utf-8", "surrogateescape")
    yield data.hex()
    yield data.hex().upper()
    yield from _in_base64(data)


def _in_base64(data: bytes) -> Iterator[str]:
    """What of the encoded form is the same whatever stands before and behind the data."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        # The characters that hold bits of what stands before or behind are left out.
        begin = (0, 2, 3)[offset]
        end = len(encoded) if (offset + len(data)) % 3 == 0 else len(encoded) - 1
        if end - begin >= _SHORTEST_BASE64:
            yield encoded[begin:end]
            yield encoded[begin:end].replace("+", "-").replace("/", "_")
