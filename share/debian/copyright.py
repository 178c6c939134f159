"""Print debian/copyright for an environment: our own licence, and that of each package in it, as its metadata and its files say."""

from __future__ import annotations

import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path

HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: reconciler
Comment: The files below /usr/lib/reconciler/lib are those of the releases that are named here, unchanged.

Files: *
Copyright: the reconciler project
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
"""
APACHE = "Apache License 2.0; on Debian systems the full text is in /usr/share/common-licenses/Apache-2.0."
_TEXTS = ("LICEN", "COPYING", "NOTICE")


def main(site: Path) -> None:
    """Print it."""
    print(HEAD)
    for info in sorted(site.glob("*.dist-info"), key=lambda path: path.name.lower()):
        metadata = Parser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
        if metadata["Name"] != "reconciler":
            print(paragraph(info, metadata))


def paragraph(info: Path, metadata: Message) -> str:
    """What a package says of its licence, with the texts that it comes with. Raises SystemExit where it says nothing."""
    name, version = metadata["Name"], metadata["Version"]
    texts = sorted(path for path in info.rglob("*") if path.is_file() and path.name.upper().startswith(_TEXTS))
    if not texts:
        raise SystemExit(f"{name} {version} comes without the text of its licence")
    text = "\n\n".join(map(shortened, texts))
    lines = [line.strip() for line in text.splitlines()]
    holders = [line for line in lines if line.lower().startswith("copyright") and any(map(str.isdigit, line))]
    return "\n".join(
        [
            f"Files: usr/lib/reconciler/lib/python3.11/site-packages/{info.name}/*",
            f"Copyright: {holders[0][9:].strip() if holders else f'the authors of {name}'}",
            *(f" {line[9:].strip()}" for line in holders[1:]),
            f"License: {name}-{version}",
            *(f" {line.strip()}" if line.strip() else " ." for line in text.splitlines()),
            "",
        ]
    )


def shortened(path: Path) -> str:
    """A licence, by a pointer where every Debian system has it."""
    text = path.read_text(encoding="utf-8").strip()
    return APACHE if "Apache License" in text and "TERMS AND CONDITIONS FOR USE" in text else text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
