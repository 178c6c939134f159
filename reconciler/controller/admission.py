"""Whether a commit may follow: one table, from what a source says and what is in force to what is done about it.

Sources report "the tip is X" as often as they like, each time with how it stands to the active commit and to their own last one that
was active. All else is decided here: to propose it (as a continuation, past a local change, by rewriting, by going back), to leave it
(it is in force, was seen before, was refused before), to say why it can't follow, to try again and when. Every member asks the same
table when it examines a proposal, with its own policy.
Source: the design of the cluster, "Configuration travels as git objects".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from reconciler.errors import Finding, Place
from reconciler.frozen import frozen

FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 300_000
"""Between two tries of what was refused for something that may pass: twice as long each time."""
STRAYS, NEEDS_CONSENT = "not-descendant", "needs-consent"
"""Codes of findings for which a commit is refused, but not for good."""
LOCAL_SOURCES = ("apply", "rollback", "recovery")
"""What people or the node itself propose: made for the version that was active then, so it follows that one or nothing."""


class Relation(enum.Enum):
    """How a commit stands to another one."""

    NONE = "none"
    """There is no other one."""
    SAME = "same"
    AHEAD = "ahead"
    """It descends from the other one."""
    BEHIND = "behind"
    """The other one descends from it."""
    APART = "apart"


class Course(enum.Enum):
    """In which way a commit follows what is in force."""

    FIRST = "first"
    CONTINUE = "continue"
    OVERTAKE = "overtake"
    """It goes on from where its source stood before a local change or another source's, which it overwrites."""
    REWRITE = "rewrite"
    GO_BACK = "go-back"


class Rest(enum.Enum):
    """Why nothing is done about a tip."""

    IN_FORCE = "in-force"
    CONTAINED = "contained"
    """What is in force descends from it."""
    OVERTAKEN = "overtaken"
    """It was in force, and something else took its place: it holds until the source moves."""
    UNDER_EXAMINATION = "under-examination"
    REFUSED_BEFORE = "refused-before"
    HELD = "held"
    """It waits for consent to what it would do: given with a commit on top, or by applying it by hand."""


@frozen
class Tip:
    """What a source says: its newest commit, and how that stands to what was in force when the source looked.

    `lineage` is the source's own last commit that was active. `content` names what the commit holds (for a repository the commit
    itself): what was refused is known by it. `may_rewrite`: the node's policy lets this source leave the line of what was active.
    `asked`: somebody wants it judged again.
    """

    source: str
    commit: str
    subject: str
    active: str | None
    to_active: Relation
    lineage: str | None = None
    to_lineage: Relation = Relation.NONE
    content: str = ""
    may_rewrite: bool = False
    asked: bool = False


@frozen
class Refusal:
    """How a tip was refused the last time.

    `strays`: only because of what was active then (`base`). `again_at_ms`: for something that may pass; None: for good. `held`: for want
    of consent to what it would have done to what was active then.
    """

    commit: str
    content: str
    base: str | None
    strays: bool = False
    again_at_ms: int | None = None
    pause_ms: int = 0
    held: bool = False


@frozen
class Offer:
    """The commit is to be proposed."""

    course: Course


@frozen
class DoNothing:
    """Nothing is to be done."""

    why: Rest


@frozen
class TryAgain:
    """It is to be offered again at this time of the monotonic clock."""

    at_ms: int


@frozen
class LookAgain:
    """What the source compared with is no longer so: it is to look again."""


@frozen
class Stray:
    """It can't follow, and nothing but a move of the source or another policy will change that."""

    finding: Finding


Decision = Offer | DoNothing | TryAgain | LookAgain | Stray


def admit(
    tip: Tip,
    active: str | None,
    refusal: Refusal | None,
    under_examination: frozenset[str],
    now_ms: int,
) -> Decision:
    """What to do about a tip, given what is in force and what became of the tip before.

    `under_examination` are the commits that members are judging on top of `active`. The source's own line changes only with what is in
    force, so a tip that was compared with that was compared with both.
    """
    if tip.active != active:
        return LookAgain()
    if tip.to_active is Relation.SAME:
        return DoNothing(Rest.IN_FORCE)
    if tip.commit in under_examination:
        return DoNothing(Rest.UNDER_EXAMINATION)
    if not tip.asked and refusal is not None and (known := _known(tip, active, refusal, now_ms)) is not None:
        return known
    course = follows(tip.to_active, tip.to_lineage, tip.may_rewrite, tip.asked)
    match course:
        case Course():
            return Offer(course)
        case Rest():
            return DoNothing(course)
        case None:
            return Stray(_stray(tip))


def follows(to_active: Relation, to_lineage: Relation, may_rewrite: bool, asked: bool = True) -> Course | Rest | None:
    """In which way a commit follows; why it need not; None when it must not.

    |                        | own last one: same | ahead    | behind      | apart, none |
    | nothing is active      | first              | first    | first       | first       |
    | ahead of the active    | seen (1)           | continue | continue    | continue    |
    | behind the active      | contained          | contained| back (2)    | contained   |
    | apart from the active  | seen (3)           | overtake | back (2)    | rewrite (4) |

    (1) When asked for: continue. (2) Where rewriting is allowed, else it must not. (3) When asked for, as (4). (4) Where rewriting is
    allowed, else it must not.
    """
    if to_active is Relation.NONE:
        return Course.FIRST
    if to_active is Relation.SAME:
        return Rest.IN_FORCE
    if to_lineage is Relation.BEHIND and to_active is not Relation.AHEAD:
        return Course.GO_BACK if may_rewrite else None
    if to_active is Relation.BEHIND:
        return Rest.CONTAINED
    if to_lineage is Relation.SAME and not asked:
        return Rest.OVERTAKEN
    if to_active is Relation.AHEAD:
        return Course.CONTINUE
    if to_lineage is Relation.AHEAD:
        return Course.OVERTAKE
    return Course.REWRITE if may_rewrite else None


def refused(
    tip: Tip, before: Refusal | None, base: str | None, why: Iterable[str], transient: bool, now_ms: int
) -> Refusal:
    """What to remember of a refusal for findings with these codes: each that may pass makes the next pause twice as long."""
    codes = frozenset(why)
    strays, held = codes == {STRAYS}, NEEDS_CONSENT in codes
    if not transient:
        return Refusal(tip.commit, tip.content, base, strays, held=held)
    known_ms = before.pause_ms if before is not None and before.commit == tip.commit else 0
    pause_ms = min(2 * known_ms, LONGEST_PAUSE_MS) if known_ms else FIRST_PAUSE_MS
    return Refusal(tip.commit, tip.content, base, strays, now_ms + pause_ms, pause_ms)


def stray_finding(commit: str, base: str) -> Finding:
    """The finding for a commit that does not follow the one in force."""
    text = f"{commit[:12]} does not descend from the active commit {base[:12]}"
    hint = "rebase onto the active commit, or allow it: `history: rewrite` in the source, `--allow rewrite` on apply"
    return Finding(STRAYS, Place(""), text, hint)


def _known(tip: Tip, active: str | None, refusal: Refusal, now_ms: int) -> Decision | None:
    """What an earlier refusal says of this tip; None when it says nothing (any more)."""
    if tip.commit != refusal.commit and (not tip.content or tip.content != refusal.content):
        return None
    if refusal.again_at_ms is not None:
        return TryAgain(refusal.again_at_ms) if now_ms < refusal.again_at_ms else None
    if (refusal.strays or refusal.held) and refusal.base != active:
        return None
    return DoNothing(Rest.HELD if refusal.held else Rest.REFUSED_BEFORE)


def _stray(tip: Tip) -> Finding:
    """Why a source's tip can't follow."""
    if tip.to_lineage is Relation.NONE or tip.lineage is None:
        return stray_finding(tip.commit, tip.active or "")
    text = f"the branch is now {tip.commit[:12]}, which does not continue {tip.lineage[:12]}, which was in force"
    return Finding(
        "history-rewritten", Place(""), text, "push a descendant, or allow it on the node: `history: rewrite`"
    )
