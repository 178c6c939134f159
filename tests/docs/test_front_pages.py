"""Each package's front page says what it promises, and names entries that are there."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from types import ModuleType

import pytest

import reconciler

PACKAGES = [
    "reconciler",
    *sorted(info.name for info in pkgutil.walk_packages(reconciler.__path__, "reconciler.") if info.ispkg),
]
_DOTTED = re.compile(r"`([a-z_]\w*(?:\.\w+)+)(?:\([^)]*\))?[^`]*`")


def resolve(package: str, dotted: str) -> bool:
    """Whether the name is that of a module or attribute, below the package, below the top or in full."""
    words = dotted.removeprefix("reconciler.").split(".")
    return any(_found(base, words) for base in (package, "reconciler"))


def _found(base: str, words: list[str]) -> bool:
    here: ModuleType | object = importlib.import_module(base)
    for place, word in enumerate(words):
        name = ".".join([base, *words[: place + 1]])
        if hasattr(here, word):
            here = getattr(here, word)
        elif isinstance(here, ModuleType) and hasattr(here, "__path__") and importlib.util.find_spec(name) is not None:
            here = importlib.import_module(name)
        else:
            return False
    return True


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_a_front_page(package: str) -> None:
    assert (importlib.import_module(package).__doc__ or "").strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_front_page_names_is_there(package: str) -> None:
    text = importlib.import_module(package).__doc__ or ""
    missing = [name for name in _DOTTED.findall(text) if not resolve(package, name)]
    assert missing == []


def test_a_name_that_is_not_there_is_found() -> None:
    assert resolve("reconciler.agents", "executor.AgentRunner.run")
    assert not resolve("reconciler.agents", "executor.AgentRunner.walk")
    assert not resolve("reconciler.agents", "nothing.here")
