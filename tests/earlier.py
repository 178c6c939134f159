"""The program as it was at an earlier commit, to be run beside the present one."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

PREVIOUS = "6a8ca686f83fbc53cef8a19011abd1b975c59fda"
"""The earliest commit whose members and ours understand each other: since then what they tell of themselves has the same form."""
_REPOSITORY = Path(__file__).parents[1]


VERSION = "0.0.9"
"""It says so now, to be told from the present one."""


class EarlierError(Exception):
    """This checkout's history does not go back to it."""


def unpack(directory: Path) -> Path:
    """The package of then in a directory, its schemas included; made unless it is there. **Raises** EarlierError."""
    if directory.exists():
        return directory
    words = ["git", "-C", _REPOSITORY, "archive", "--format=tar", PREVIOUS, "reconciler", "schemas"]
    archive = subprocess.run(words, capture_output=True)
    if archive.returncode:
        raise EarlierError(f"this checkout's history does not go back to {PREVIOUS}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    (directory / "schemas").rename(directory / "reconciler" / "language" / "schema" / "published")
    version = directory / "reconciler" / "version.py"
    version.write_text(
        re.sub(r'^__version__ = ".*"$', f'__version__ = "{VERSION}"', version.read_text(), flags=re.MULTILINE)
    )
    subprocess.run(["/usr/bin/python3", "-m", "compileall", "-q", directory / "reconciler"], check=True)
    return directory
