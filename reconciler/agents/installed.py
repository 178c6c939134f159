"""The agents on this machine: where each class keeps them, and which there are.

Source: OCF Resource Agent API 1.1, "Resource agent filesystem layout"; LSB, init scripts; fence-agents.
"""

from __future__ import annotations

import os
import re

from reconciler.frozen import frozen
from reconciler.model.resource import Agent

OWN_PROVIDER = "reconciler"
FENCE_PREFIX = "fence_"
_OWN_AGENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ocf")
_UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
UNIT_SUFFIXES = (
    ".service",
    ".socket",
    ".mount",
    ".automount",
    ".swap",
    ".timer",
    ".path",
    ".target",
    ".slice",
    ".scope",
    ".device",
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*")
_NOT_AN_INIT_SCRIPT = frozenset(
    {"README", "rc", "rcS", "functions", "skeleton", "single", "halt", "reboot", "killprocs"}
)


@frozen
class Roots:
    """Where agents are looked for: for OCF the directories that hold `resource.d`, the first that has an agent wins."""

    ocf: tuple[str, ...] = ("/usr/lib/ocf",)
    lsb: tuple[str, ...] = ("/etc/init.d",)
    stonith: tuple[str, ...] = ("/usr/sbin", "/sbin")


def find(agent: Agent, roots: Roots) -> str | None:
    """The program of an agent of class ocf, lsb or stonith; None when there is none, or its name could lead elsewhere.

    Fence agents lie among all the other programs of the system: only what is named like one is taken for one.
    """
    names = (agent.type, agent.provider or "")
    if not _NAME.fullmatch(agent.type) or (agent.provider is not None and not _NAME.fullmatch(agent.provider)):
        return None
    if agent.standard == "stonith" and not agent.type.startswith(FENCE_PREFIX):
        return None
    for directory in _directories(agent.standard, names[1], roots):
        path = os.path.join(directory, agent.type)
        if os.path.isfile(path):
            return path
    return None


def is_own(path: str) -> bool:
    """Whether an agent is part of this program."""
    return os.path.dirname(path) == _OWN_AGENTS


def unit_name(name: str) -> str:
    """The full name of a systemd unit: a service, unless the suffix says otherwise."""
    return name if name.endswith(UNIT_SUFFIXES) else f"{name}.service"


def unit_file(name: str) -> str | None:
    """The file of a systemd unit, for an instance that of its template; None when there is none."""
    unit = unit_name(name)
    if not _NAME.fullmatch(unit):
        return None
    stem, at, instance = unit.partition("@")
    template = f"{stem}@.{instance.rpartition('.')[2]}" if at else unit
    paths = (os.path.join(directory, one) for one in (unit, template) for directory in _UNIT_DIRECTORIES)
    return next((path for path in paths if os.path.exists(path)), None)


def ocf_root(path: str, roots: Roots) -> str:
    """The value of OCF_ROOT for an agent: the root it lies below, if that has the function library, else the first that has it."""
    own = [root for root in roots.ocf if path.startswith(os.path.join(root, "resource.d", ""))]
    equipped = [root for root in (*own, *roots.ocf) if os.path.isdir(os.path.join(root, "lib"))]
    return next(iter(equipped or own or roots.ocf), "/usr/lib/ocf")


def installed(roots: Roots, standard: str | None = None, provider: str | None = None) -> list[Agent]:
    """Every installed agent of class ocf, lsb, stonith and systemd, or of the class and provider asked for, sorted by name."""
    found: set[Agent] = set()
    if standard in (None, "ocf"):
        found |= _ocf_agents(roots)
    if standard in (None, "lsb") and provider is None:
        found |= {Agent("lsb", name) for root in roots.lsb for name in _init_scripts(root)}
    if standard in (None, "stonith") and provider is None:
        found |= {
            Agent("stonith", name)
            for root in roots.stonith
            for name in _programs(root)
            if name.startswith(FENCE_PREFIX)
        }
    if standard in (None, "systemd") and provider is None:
        found |= {Agent("systemd", name.removesuffix(".service")) for name in _units()}
    return sorted((agent for agent in found if provider in (None, agent.provider)), key=str)


def agent_directories(roots: Roots) -> list[str]:
    """The directories in which `installed` looks, whether or not they are there."""
    below = [os.path.join(root, "resource.d") for root in roots.ocf]
    providers = [os.path.join(path, name) for path in below for name in sorted(_names(path))]
    return [*below, *providers, *roots.lsb, *roots.stonith, *_UNIT_DIRECTORIES]


def _directories(standard: str, provider: str, roots: Roots) -> list[str]:
    if standard == "ocf" and provider == OWN_PROVIDER:
        return [*(os.path.join(root, "resource.d", provider) for root in roots.ocf), _OWN_AGENTS]
    if standard == "ocf":
        return [os.path.join(root, "resource.d", provider) for root in roots.ocf]
    return list({"lsb": roots.lsb, "stonith": roots.stonith}.get(standard, ()))


def _ocf_agents(roots: Roots) -> set[Agent]:
    providers = {name for root in roots.ocf for name in _names(os.path.join(root, "resource.d"))} | {OWN_PROVIDER}
    return {
        Agent("ocf", name, provider)
        for provider in providers
        for directory in _directories("ocf", provider, roots)
        for name in _programs(directory)
    }


def _units() -> set[str]:
    """Units that have a file, without templates, which need a name to become a unit."""
    names = {name for directory in _UNIT_DIRECTORIES for name in _names(directory)}
    return {
        name
        for name in names
        if name.endswith((".service", ".socket", ".mount", ".timer", ".path")) and "@." not in name
    }


def _init_scripts(root: str) -> list[str]:
    return [name for name in _programs(root) if name not in _NOT_AN_INIT_SCRIPT]


def _programs(directory: str) -> list[str]:
    """The names of the executable files in a directory that can be agents' names."""
    paths = ((name, os.path.join(directory, name)) for name in _names(directory))
    return [name for name, path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]


def _names(directory: str) -> list[str]:
    try:
        return [
            name for name in os.listdir(directory) if _NAME.fullmatch(name) and not name.endswith((".sh", ".dpkg-dist"))
        ]
    except OSError:
        return []  # Not there, or not ours to read: no agents.
