"""The nearest valid name beside an unknown one, at a cost that a thousand slips against thousands of names can bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_FEW = 100
"""Up to so many names every one is compared; among more only those that one or two slips lead to."""

_COMPARED = 200
"""How many words of one run are compared with every name; the ones after them only as among many names."""

_LONGEST = 200
_NEAR = 0.7
_NEAR_IF_SHORT = 0.6
"""Of a name of three signs one slip leaves only two thirds."""


class Names:
    """Some known names, which unknown ones are held against. Iterates by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._folded = {_fold(name): name for name in sorted(self.names, reverse=True)}
        self._slips: dict[int, dict[str, list[str]]] = {}
        self._asked = 0

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)

    def nearest(self, word: str) -> str | None:
        """The name that the word was probably meant to be; None when none is near."""
        folded = _fold(word)
        return self._folded[folded] if folded in self._folded else self._near(folded)

    def nearest_other(self, name: str) -> str | None:
        """The name among the others that one of them was probably meant to be; None when none is near."""
        return self._near(_fold(name))

    def _near(self, word: str) -> str | None:
        from difflib import get_close_matches

        self._asked += 1
        every = len(self._folded) <= _FEW and self._asked <= _COMPARED
        candidates = self._folded if every else self._few_slips_away(word)
        near = get_close_matches(
            word, [one for one in candidates if one != word], n=1, cutoff=_NEAR if len(word) > 3 else _NEAR_IF_SHORT
        )
        return self._folded[near[0]] if near else None

    def _few_slips_away(self, word: str) -> list[str]:
        """The names that become the same as the word when each loses at most one sign."""
        shorts = _without_one(word)
        lengths = (len(word) - 1, len(word), len(word) + 1)
        indexes = [self._slips_of(length) for length in lengths]
        return sorted({name for index in indexes for short in shorts for name in index.get(short, ())[:_FEW]})

    def _slips_of(self, length: int) -> dict[str, list[str]]:
        """The names of this length by what they are without one of their signs, made when first needed."""
        index = self._slips.get(length)
        if index is None:
            index = self._slips[length] = {}
            for name in self._folded:
                if len(name) == length:
                    for short in _without_one(name):
                        index.setdefault(short, []).append(name)
        return index


def _fold(name: str) -> str:
    return name.lower().replace("_", "-")[:_LONGEST]


def _without_one(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that the word was probably meant to be; None when none is near."""
    return _names(known).nearest(word)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or lists the known ones when they are few; else empty."""
    names = _names(known)
    near = names.nearest(word)
    if near is not None:
        return f"did you mean '{near}'?"
    return f"known here: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _names(known: Iterable[str]) -> Names:
    return known if isinstance(known, Names) else Names(known)
