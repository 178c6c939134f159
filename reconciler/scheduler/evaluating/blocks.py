"""Blocks of name-value pairs: which pairs count.

Source: the scheduler's specification, part 1, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.scheduler.evaluating.rules import any_passes

if TYPE_CHECKING:
    from reconciler.model.attributes import AttributeBlock, AttributeBlocks
    from reconciler.scheduler.evaluating.rules import RuleContext


def evaluate(
    blocks: AttributeBlocks,
    context: RuleContext,
    *,
    overwrite: bool = False,
    into: dict[str, str] | None = None,
) -> dict[str, str]:
    """The pairs in force: blocks by descending score, the last of equals first, whose rules (if any) pass.

    The first value of a name wins, with `overwrite` the last one; the value `#default` unsets the name. The pairs are merged
    into `into` when it is given, which counts as what was found before, and is returned.
    """
    result = {} if into is None else into
    for block in blocks if len(blocks) < 2 else by_precedence(blocks, context):
        if block.rules and not any_passes(block.rules, context):
            continue
        for name, value in block.values.items():
            if value[:1] == "#" and value.lower() == "#default":
                result.pop(name, None)
            elif overwrite or name not in result:
                result[name] = value
    return result


def by_precedence(blocks: AttributeBlocks, context: RuleContext) -> list[AttributeBlock]:
    """The blocks in the order in which they are gone through: by descending score, the last written of equals first."""
    colours = context.cluster.options.health_colours
    last_first = blocks[::-1]
    return sorted(last_first, key=lambda block: -score.read(block.score, colours))
