"""What is digested of an action on a node, kept for the run.

Source: the scheduler's specification, part 1, sections 15.1 and 15.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.digest import digest

if TYPE_CHECKING:
    from collections.abc import Callable


class Digests:
    """The digests of one action on one node; `restart` and `secure` only where an entry calls for them.

    `texts` are the parameters behind the main digest; `has_extra` tells that the operation sets parameters itself.
    """

    __slots__ = ("_secure", "all", "has_extra", "make_secure", "restart", "texts")

    def __init__(self, texts: dict[str, str], *, has_extra: bool) -> None:
        self.texts = texts
        self.has_extra = has_extra
        self.all = digest(texts)
        self.restart: str | None = None
        self.make_secure: Callable[[], str] | None = None
        self._secure: str | None = None

    @property
    def secure(self) -> str | None:
        """The digest without what must not be seen; made when first asked for, because a match rarely needs it."""
        if self._secure is None and self.make_secure is not None:
            self._secure = self.make_secure()
        return self._secure
