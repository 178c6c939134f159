"""Looking through a repository whole: what git finds damaged in it.

Source: git-fsck(1), "EXTRACTED DIAGNOSTICS".
"""

from __future__ import annotations

import re

from reconciler.sources.git_command import DamagedError, failure, git_result

_WORDS = ("fsck", "--no-dangling", "--no-reflogs", "--no-progress")
_MISSING = re.compile(rb"^missing \w+ [0-9a-f]+$", re.MULTILINE)
_COMMIT = "missing commit "


def damage(repository: str, timeout_s: float, *, incomplete: bool) -> str | None:
    """What is damaged, in git's words; None when nothing is. **Raises** GitError when that can't be told.

    A missing commit is damage: where history is cut off is marked. That files and directories are missing is damage only if what was
    wanted is `incomplete`: packs of other members hold those of the configuration alone. Takes seconds.
    """
    result = git_result(repository, *_WORDS, timeout_s=timeout_s)
    if result.code == 0:
        return None
    error = failure(repository, _WORDS, result)
    if isinstance(error, DamagedError):
        return str(error)
    missing = [line.decode("ascii") for line in _MISSING.findall(result.output)]
    if not missing:
        raise error
    told = [line for line in missing if incomplete or line.startswith(_COMMIT)]
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return f"git fsck: {told[0]}{more}" if told else None
