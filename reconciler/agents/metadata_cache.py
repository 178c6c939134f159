"""Descriptions of agents, remembered in files: one for each version of an agent's program.

A file that can't be read or written, or holds something else, only means that the agent is asked again.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from reconciler.model.metadata import AgentAction, AgentMetadata, AgentParameter

# Not in the codec's form: `validate` reads this at each of its starts, and importing the codec alone takes longer than reading it.
_FORMAT = "1"
_MOST_BYTES = 8 * 1024 * 1024


class MetadataCache:
    """The files below one directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def load(self, version: str) -> AgentMetadata | None:
        """What was remembered for this version, None when nothing was."""
        try:
            with open(self._path(version), "rb") as file:
                if os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                    return None  # Somebody else's word for what an agent says.
                return _from_json(json.loads(file.read(_MOST_BYTES)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # Whatever else the JSON is.
            return None

    def save(self, version: str, metadata: AgentMetadata) -> None:
        """Remember it, if that is possible."""
        from dataclasses import asdict  # Costs 15 ms, and is needed only when an agent is new.

        path = self._path(version)
        fresh = f"{path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            os.makedirs(self._directory, exist_ok=True)
            with open(fresh, "w", encoding="utf-8") as file:
                json.dump(asdict(metadata), file)
            os.replace(fresh, path)

    def _path(self, version: str) -> str:
        return os.path.join(self._directory, f"{version}.{_FORMAT}.json")


def _from_json(values: dict[str, Any]) -> AgentMetadata:
    parameters = {name: _parameter(one) for name, one in values.pop("parameters").items()}
    actions = tuple(AgentAction(**one) for one in values.pop("actions"))
    return AgentMetadata(**values, parameters=parameters, actions=actions)


def _parameter(values: dict[str, Any]) -> AgentParameter:
    return AgentParameter(**{**values, "values": tuple(values["values"]), "replaced_by": tuple(values["replaced_by"])})
