"""The order of hash tables and of sorts, for the few outcomes that depend on it.

Nodes and capacities are kept in hash tables by the program whose decisions are to be reproduced. Where several nodes are equally good
for a decision (the most free capacity), the first in table order wins, so that order is part of the answer.
Source: the scheduler's specification, part 2, appendix A.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.table import NodeTable

T = TypeVar("T")

_WORD = 1 << 32
_PRIMES = (1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521)
"""The modulus for the start slot, by the binary logarithm of the number of slots."""


def in_table_order(cluster: Cluster, table: NodeTable) -> list[int]:
    """The node indexes of the table in the order in which its hash table holds them."""
    nodes = cluster.nodes_by_index
    names = _copied_order(tuple(nodes[index].id for index in table.scores), table.copies)
    place = {nodes[index].id: index for index in table.scores}
    return [place[name] for name in names]


def hash_order(keys: Iterable[str]) -> list[str]:
    """Different keys, given in the order of insertion, in the order in which a hash table holds them."""
    slots: list[str | None] = [None] * 8
    for used, key in enumerate(keys, 1):
        _insert(slots, key)
        if len(slots) <= used + used // 16:
            slots = _rebuilt(slots, used)
    return [key for key in slots if key is not None]


def merge_sort(items: Sequence[T], compare: Callable[[T, T], int]) -> list[T]:
    """A stable sort whose shape is defined, so that the answer is, too, when the comparison isn't transitive."""
    if len(items) < 2:
        return list(items)
    middle = len(items) // 2
    left, right = merge_sort(items[:middle], compare), merge_sort(items[middle:], compare)
    merged: list[T] = []
    first = second = 0
    while first < len(left) and second < len(right):
        if compare(left[first], right[second]) <= 0:
            merged.append(left[first])
            first += 1
        else:
            merged.append(right[second])
            second += 1
    return merged + left[first:] + right[second:]


@lru_cache(maxsize=256)
def _copied_order(keys: tuple[str, ...], copies: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """The order of a table that got these keys, and was copied so many times when it had so many of them.

    A copy takes its entries in the order of the original's slots, which after collisions needn't be where they land.
    """
    order: list[str] = []
    entered = 0
    for size, times in copies:
        order += keys[entered:size]
        entered = size
        order = _copied(order, times)
    return tuple(hash_order([*order, *keys[entered:]]))


def _copied(order: list[str], times: int) -> list[str]:
    """The order after so many copies; there are only a few that come round again."""
    seen = [order]
    while times > 0:
        copy = hash_order(order)
        if copy in seen:
            circle = seen[seen.index(copy) :]
            return circle[(times - 1) % len(circle)]
        seen.append(copy)
        order = copy
        times -= 1
    return order


@lru_cache(maxsize=4096)
def _hash(key: str) -> int:
    value = 0
    for byte in key.encode():
        value = (value * 31 + (byte - 256 if byte > 127 else byte)) % _WORD
    return value if value > 1 else 2


def _start(key: str, slots: int) -> int:
    return (_hash(key) * 11 % _WORD) % _PRIMES[slots.bit_length() - 1]


def _insert(slots: list[str | None], key: str) -> None:
    place, step = _start(key, len(slots)), 0
    while slots[place] is not None:
        step += 1
        place = (place + step) % len(slots)
    slots[place] = key


def _rebuilt(old: list[str | None], used: int) -> list[str | None]:
    """The same entries with more slots, moved in place: an entry that is in the way moves next."""
    size = max(8, 1 << int(used * 1.333).bit_length())
    slots = old + [None] * (size - len(old))
    moved = [False] * size
    for origin in range(len(old)):
        if moved[origin] or (lifted := slots[origin]) is None:
            continue
        slots[origin] = None
        while lifted is not None:
            place, step = _start(lifted, size), 0
            while moved[place]:
                step += 1
                place = (place + step) % size
            moved[place] = True
            lifted, slots[place] = slots[place], lifted
    return slots
