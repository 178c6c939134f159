"""What this node knows of whether fence devices answer it: the last test of each, and the last success, in a file that outlives it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Mapping
from typing import Any

from reconciler.frozen import frozen

RECORD = "fence-devices"
"""What the file is called in the state directory."""
MOST_DEVICES = 256
_LONGEST_WHY = 160
_LARGEST = 256 * 1024


@frozen
class DeviceAnswer:
    """How the last test of a device ended (`why`, where it failed), and when it last went well; times in seconds of the epoch."""

    works: bool
    at_s: int
    success_s: int | None
    why: str = ""

    def document(self) -> dict[str, Any]:
        """As it is told and written."""
        return {"works": self.works, "at": self.at_s, "success_at": self.success_s, "why": self.why}


class DeviceRecord:
    """By device its last test, in a file at `path`. What can't be read counts as never tested, and what can't be written is only told."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.devices: dict[str, DeviceAnswer] = {}
        with contextlib.suppress(OSError), open(path, "rb") as file:
            self.devices = read_devices(file.read(_LARGEST + 1))

    def note(self, device: str, works: bool, at_s: int, why: str) -> None:
        """A test has ended."""
        before = self.devices.get(device)
        success_s = at_s if works else None if before is None else before.success_s
        self.devices[device] = DeviceAnswer(works, at_s, success_s, " ".join(why.split())[:_LONGEST_WHY])

    def keep(self, configured: Collection[str]) -> None:
        """Forget devices that there are no more, and write the others down. For any thread. Raises OSError."""
        self.devices = {name: one for name, one in sorted(self.devices.items()) if name in configured}
        fresh = f"{self._path}.new"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump(self.document(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)

    def document(self) -> dict[str, Any]:
        """All of it, as it is told and written."""
        return {name: one.document() for name, one in list(self.devices.items())[:MOST_DEVICES]}


def read_devices(data: bytes | str) -> dict[str, DeviceAnswer]:
    """What a text says of devices, whoever wrote it; nothing, where it says nothing that can be read."""
    if len(data) > _LARGEST:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or len(found) > MOST_DEVICES:
        return {}
    told = {name: _tested(plain) for name, plain in found.items()}
    return {name: one for name, one in told.items() if one is not None}


def _tested(plain: object) -> DeviceAnswer | None:
    match plain:
        case {"works": bool(works), "at": int(at_s), "success_at": int() | None as success_s, "why": str(why)}:
            return DeviceAnswer(works, at_s, success_s, why[:_LONGEST_WHY]) if _is_time(at_s, success_s) else None
        case _:
            return None


def _is_time(*seconds: int | None) -> bool:
    return all(one is None or 0 <= one < 1 << 40 for one in seconds)


def plain_text(document: Mapping[str, Any]) -> str:
    """A document as short as it can be told."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
