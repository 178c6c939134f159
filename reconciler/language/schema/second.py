"""The second judge of form: the jsonschema library with the published schema, held against our own reader.

Our own judge knows places and near names, and costs a command nothing at its start. The library is what editors go by. Where a tenth of a
second does not matter (a process that examines a commit) both are asked, and they must agree: if they don't, one of them is wrong, which is
a fault of this program, and nothing is activated on the word of one.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from reconciler.language.schema.parts import Schema
from reconciler.language.schema.sections import bundle
from reconciler.language.text.document import Value
from reconciler.language.text.findings import Findings


def fits(document: Value) -> bool:
    """Whether the library finds the form of a configuration's document right."""
    return bool(_of_configurations().is_valid(plain(document)))


def fits_schema(data: object, schema: Schema) -> bool:
    """Whether the library finds plain data right by another schema."""
    return bool(_validator()(schema).is_valid(data))


def hold_against(file: str, document: Value, sound: bool, agreed: bool, findings: Findings) -> None:
    """Report that the two judges disagree on a document."""
    if not agreed:
        ours, theirs = ("right", "wrong") if sound else ("wrong", "right")
        text = f"the reader finds the form of this document {ours}, and the published schema finds it {theirs}"
        findings.error("judges-disagree", file, (document.line, document.column), text, FAULT_OF_OURS)


FAULT_OF_OURS = "this is a fault of reconciler: please report it with the file; what is active stays"


@cache
def _validator() -> Any:
    """Draft 2020-12 with the language's idea of a whole number: 1.0 is none, because its text is what counts."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    whole = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return extend(Draft202012Validator, type_checker=whole)  # type: ignore[no-untyped-call]  # It has no hints for this.


@cache
def _of_configurations() -> Any:
    return _validator()(bundle())


def plain(value: Value) -> Any:
    """A document as JSON, as an editor sees it."""
    match value.kind:
        case "map":
            return {key: plain(part) for key, part in value.values.items()}
        case "list":
            return [plain(item) for item in value.items]
        case "integer" | "number" | "boolean":
            return json.loads(value.text)
        case "null":
            return None
        case "text":
            return value.text
