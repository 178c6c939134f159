"""Truth values that are neither true nor false: Pacemaker reads them somehow, and the language can't hold them.

What Pacemaker makes of them takes their place: an option its default, a meta-attribute false (of a group true), and nothing for the
influence of a colocation.
Source: the scheduler's specification, part 1, section 2; observed behaviour of crm_simulate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.frozen import replace
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Constraint
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource, Template
from reconciler.model.settings import Setting
from reconciler.model.text import boolean

_OPTIONS = settings.names_of(settings.CLUSTER_OPTIONS)
_META = settings.names_of(settings.RESOURCE_META, settings.CLONE_META)
_GROUP_META = settings.names_of(settings.RESOURCE_META, settings.CLONE_META, settings.GROUP_META)

_Known = Mapping[str, tuple[Setting, bool]]
_Reading = Callable[[Setting, str], str]


def readable(configuration: Configuration) -> tuple[Configuration, tuple[str, ...]]:
    """The configuration with what Pacemaker reads in their place, and a sentence about each."""
    notes: list[str] = []
    work = _Replacing(notes)
    defaults = replace(
        configuration.defaults, resources=work.blocks("defaults", configuration.defaults.resources, _META, _of_meta)
    )
    return (
        replace(
            configuration,
            options=work.blocks("the options", configuration.options, _OPTIONS, _of_option),
            defaults=defaults,
            templates=tuple(map(work.template, configuration.templates)),
            resources=tuple(map(work.resource, configuration.resources)),
            constraints=tuple(map(work.constraint, configuration.constraints)),
        ),
        tuple(notes),
    )


def _of_option(setting: Setting, _: str) -> str:
    return setting.default


def _of_meta(setting: Setting, text: str) -> str:
    return "true" if setting.name == "is-managed" and text.lower() == "default" else "false"


def _of_group(setting: Setting, text: str) -> str:
    return "true" if setting.name in settings.GROUP_META else _of_meta(setting, text)


class _Replacing:
    """Goes through a configuration and notes what it replaces."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def blocks(self, owner: str, blocks: AttributeBlocks, known: _Known, read: _Reading) -> AttributeBlocks:
        return tuple(self._block(owner, block, known, read) for block in blocks)

    def _block(self, owner: str, block: AttributeBlock, known: _Known, read: _Reading) -> AttributeBlock:
        changed: dict[str, str] = {}
        for name, text in block.values.items():
            setting = known[name][0] if name in known else None
            if setting is not None and setting.kind == "boolean" and boolean(text) is None:
                changed[name] = read(setting, text)
                self._notes.append(
                    f"{owner}: {name}: '{text}' is neither true nor false; Pacemaker takes it as {changed[name]}"
                )
        return replace(block, values={**block.values, **changed}) if changed else block

    def template(self, one: Template) -> Template:
        return replace(one, meta=self.blocks(one.id, one.meta, _META, _of_meta))

    def _primitive(self, one: Primitive) -> Primitive:
        return replace(one, meta=self.blocks(one.id, one.meta, _META, _of_meta))

    def _group(self, one: Group) -> Group:
        members = tuple(map(self._primitive, one.members))
        return replace(one, members=members, meta=self.blocks(one.id, one.meta, _GROUP_META, _of_group))

    def resource(self, one: Resource) -> Resource:
        match one:
            case Primitive():
                return self._primitive(one)
            case Group():
                return self._group(one)
            case Clone():
                held = self._group(one.resource) if isinstance(one.resource, Group) else self._primitive(one.resource)
                return replace(one, resource=held, meta=self.blocks(one.id, one.meta, _META, _of_meta))
            case Bundle():
                inner = None if one.primitive is None else self._primitive(one.primitive)
                return replace(one, primitive=inner, meta=self.blocks(one.id, one.meta, _META, _of_meta))

    def constraint(self, one: Constraint) -> Constraint:
        if not isinstance(one, Colocation) or one.influence is None or boolean(one.influence) is not None:
            return one
        self._notes.append(f"{one.id}: the influence '{one.influence}' is neither true nor false and is left out")
        return replace(one, influence=None)
