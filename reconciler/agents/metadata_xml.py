"""Reading the XML in which OCF and fence agents describe themselves.

Agents are trusted to run, not to write good XML: entities of their own, great depth and great size are refused, what is missing
is left empty.
Source: OCF Resource Agent API 1.1, "Meta data"; ClusterLabs, Fence Agent API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from reconciler.errors import ReconcilerError
from reconciler.model.metadata import AgentAction, AgentMetadata, AgentParameter
from reconciler.model.text import is_true

_MOST_BYTES = 2 * 1024 * 1024
_MOST_DEPTH = 32
_FROM_THE_CLUSTER = frozenset({"action", "port", "plug", "nodename"})
"""What a fence agent requires and the cluster gives it at each call."""


class MetadataError(ReconcilerError):
    """An agent's description can't be used."""

    code = "agent-metadata"


class _Element:
    """One element with its text and children."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.text = ""
        self.children: list[_Element] = []

    def all(self, tag: str) -> Iterator[_Element]:
        """The children of that name."""
        return (child for child in self.children if child.tag == tag)

    def first(self, tag: str) -> _Element | None:
        """The first child of that name; of several languages the English one."""
        found = list(self.all(tag))
        english = [one for one in found if one.attributes.get("lang", "en").startswith("en")]
        return next(iter(english or found), None)

    def words(self, tag: str) -> str:
        """The text of the first child of that name."""
        child = self.first(tag)
        return child.text.strip() if child is not None else ""


def parse_metadata(text: bytes, *, fencing: bool = False) -> AgentMetadata:
    """The description in what an agent printed. **Raises** MetadataError."""
    root = _parse(text)
    if root.tag != "resource-agent":
        raise MetadataError(f"the meta-data begin with <{root.tag}>, not <resource-agent>")
    parameters = root.first("parameters")
    actions = root.first("actions")
    described = [_parameter(one, fencing) for one in parameters.all("parameter")] if parameters is not None else []
    return AgentMetadata(
        name=root.attributes.get("name", ""),
        version=root.words("version") or root.attributes.get("version", ""),
        short_description=root.words("shortdesc") or root.attributes.get("shortdesc", ""),
        long_description=root.words("longdesc"),
        parameters=_with_replacements({one.name: one for one in described if one.name}, parameters),
        actions=tuple(_action(one) for one in actions.all("action")) if actions is not None else (),
    )


def _parameter(element: _Element, fencing: bool) -> AgentParameter:
    name = element.attributes.get("name", "")
    content = element.first("content") or _Element("content", {})
    deprecated = element.first("deprecated")
    group = element.attributes.get("unique-group") or None
    old = deprecated is not None or is_true(element.attributes.get("deprecated"))
    given = fencing and name in _FROM_THE_CLUSTER
    replacements = [one.attributes.get("name", "") for one in deprecated.all("replaced-with")] if deprecated else []
    return AgentParameter(
        name=name,
        type=content.attributes.get("type", ""),
        required=is_true(element.attributes.get("required")) and not old and not given,
        unique=group is not None or is_true(element.attributes.get("unique")),
        unique_group=group,
        reloadable=is_true(element.attributes.get("reloadable")),
        default=content.attributes.get("default"),
        values=tuple(one.attributes.get("value", "") for one in content.all("option")),
        deprecated=old,
        description=element.words("longdesc") or element.words("shortdesc"),
        replaced_by=tuple(one for one in replacements if one),
    )


def _with_replacements(parameters: dict[str, AgentParameter], element: _Element | None) -> dict[str, AgentParameter]:
    """Fence agents say it the other way round: the new parameter names the one that it made obsolete."""
    from reconciler.frozen import replace

    for one in element.all("parameter") if element is not None else ():
        old = parameters.get(one.attributes.get("obsoletes", ""))
        if old is not None and old.deprecated:
            names = (*old.replaced_by, one.attributes.get("name", ""))
            parameters[old.name] = replace(old, replaced_by=names)
    return parameters


def _action(element: _Element) -> AgentAction:
    get = element.attributes.get
    return AgentAction(get("name", ""), get("timeout"), get("interval"), get("role"), get("depth"))


def _parse(text: bytes) -> _Element:
    from xml.parsers import expat

    text = text[max(text.find(b"<"), 0) :]  # Some agents print a line before it.
    if len(text) > _MOST_BYTES:
        raise MetadataError(f"the meta-data have more than {_MOST_BYTES} bytes")
    open_elements = [_Element("", {})]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > _MOST_DEPTH:
            raise MetadataError(f"the meta-data are nested more than {_MOST_DEPTH} deep")
        element = _Element(tag, attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_tag: str) -> None:
        open_elements.pop()

    def characters(data: str) -> None:
        open_elements[-1].text += data

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise MetadataError(f"the meta-data are no XML: {error}") from None
    return open_elements[0].children[0]


def _refuse_entity(name: str, *_facts: object) -> NoReturn:
    raise MetadataError(f"the meta-data declare the entity '{name}'")
