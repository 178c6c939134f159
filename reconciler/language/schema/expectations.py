"""The JSON Schema of `tests/*.yaml`, for editors and the reference: the form that the reader of expectations takes."""

from __future__ import annotations

from reconciler.language.schema.parts import Schema, list_of, map_of, object_of, text
from reconciler.language.schema.sections import DRAFT, schema_id


def _names(description: str, at_least: int) -> Schema:
    return list_of(text("A resource."), description, at_least)


def _count(description: str, most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most, "description": description}


def schema() -> Schema:
    """The schema of a file of properties."""
    every = _names("Of which resources; by default of every service.", 1)
    claims = [
        object_of(
            {"survives": _count("After the loss of any so many nodes each still runs.", 2), "resources": every},
            "What survives the loss of nodes.",
            ("survives",),
        ),
        object_of(
            {"apart": _names("No two of them ever run on the same node.", 2)}, "What never runs together.", ("apart",)
        ),
        object_of(
            {"together": _names("Whatever of them runs, runs on the same nodes.", 2)},
            "What always runs together.",
            ("together",),
        ),
        object_of(
            {
                "never-stops": _names("None of them is stopped because of that.", 1),
                "when-fails": text("The resource whose failure is meant."),
            },
            "What a failure must not stop.",
            ("never-stops", "when-fails"),
        ),
        object_of(
            {
                "at-most-nodes": _count("Each of them runs on at most so many nodes at a time.", 1_000),
                "resources": _names("Of which resources.", 1),
            },
            "What must not spread.",
            ("at-most-nodes", "resources"),
        ),
    ]
    properties = map_of({"anyOf": claims}, "The properties by name; `verify` checks each in every simulated failure.")
    top = object_of({"properties": properties}, "Properties that a cluster must have whatever fails.", ("properties",))
    return {"$schema": DRAFT, "$id": schema_id("tests"), "title": "Properties of a cluster"} | top
