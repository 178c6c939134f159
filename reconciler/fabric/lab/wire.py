"""What goes over the lab's socket: frames of a small JSON head and a body of bytes, both bounded."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import Any

from reconciler.errors import ReconcilerError, Remedy

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 1024 * 1024
_LENGTHS = struct.Struct("!II")

Head = Mapping[str, Any]


class LabError(ReconcilerError):
    """The lab could not be reached, or what it was told makes no sense; nothing was done."""

    code = "lab"
    remedy = Remedy.RETRY


def frame(head: Head, body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    text = json.dumps(head, separators=(",", ":"), sort_keys=True).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


async def read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None when the other side has gone. Raises LabError for what is none."""
    try:
        head_bytes, body_bytes = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        if head_bytes > LARGEST_HEAD or body_bytes > LARGEST_BODY:
            raise LabError(f"read a frame of {head_bytes} and {body_bytes} bytes: that is too large")
        text, body = await reader.readexactly(head_bytes), await reader.readexactly(body_bytes)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LabError("read a frame as JSON") from error
    if type(head) is not dict or not isinstance(head.get("is"), str):
        raise LabError("read a frame: its head says not what it is")
    return head, body
