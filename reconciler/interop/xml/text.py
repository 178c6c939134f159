"""How texts are written into XML."""

from __future__ import annotations

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)


def attribute_text(text: str) -> str:
    """A text as it stands between the quotes of an attribute; line ends and tabs survive reading."""
    return text.translate(_ESCAPES)
