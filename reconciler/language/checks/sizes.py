"""Sizes: that every parameter fits into the environment of the agent that is to have it.

Source: Linux, execve(2): one string of the environment has at most 32 pages, its name and the end included (MAX_ARG_STRLEN).
"""

from __future__ import annotations

from reconciler.language.checks.facts import Facts
from reconciler.language.checks.settings import operations_at
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address
from reconciler.model.resource import Primitive, Template

LONGEST_STRING = 32 * 4096
"""Of one variable in bytes, with its name, the equals sign and the zero at the end."""
_PARAMETER = "OCF_RESKEY_"
_META = "OCF_RESKEY_CRM_meta_"


def check_sizes(facts: Facts) -> None:
    """Report parameters and meta-attributes with which no agent could be started."""
    configuration = facts.configuration
    _blocks(facts, ("defaults", "resources"), configuration.defaults.resources, _META)
    _blocks(facts, ("defaults", "resource-params"), configuration.defaults.resource_params, _PARAMETER)
    _blocks(facts, ("defaults", "operations"), configuration.defaults.operations, _META)
    owners: list[tuple[Address, Primitive | Template]] = [
        (("templates", one.id), one) for one in configuration.templates
    ]
    owners += [(item.address, primitive) for item, primitive in facts.primitives()]
    for address, owner in owners:
        for at, operation in operations_at(facts, address, owner.operations):
            _blocks(facts, (*at, "params"), operation.params, _PARAMETER)
            _blocks(facts, (*at, "meta"), operation.meta, _META)
        _blocks(facts, (*address, "params"), owner.params, _PARAMETER)
        _blocks(facts, (*address, "meta"), owner.meta, _META)
    for item in facts.items.values():
        if item.children:
            _blocks(facts, (*item.address, "params"), item.resource.params, _PARAMETER)
            _blocks(facts, (*item.address, "meta"), item.resource.meta, _META)


def _blocks(facts: Facts, base: Address, blocks: AttributeBlocks, prefix: str) -> None:
    for number, block in enumerate(blocks):
        for name, value in block.values.items():
            if len(name) + len(value) < LONGEST_STRING // 5:  # With four bytes for each character it fits.
                continue
            most = LONGEST_STRING - len(f"{prefix}{name}=".encode(errors="replace")) - 1
            size = len(value.encode(errors="surrogatepass"))
            if size > most:
                text = f"'{name}' has {size:,} bytes: the environment of an agent takes {most:,} at most"
                hint = "put it into a file, and give the agent the file's name"
                facts.error("value-too-large", facts.value_place(base, number, name), text, hint)
