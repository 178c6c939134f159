"""Graphs as pictures, drawn by graphviz where it is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from reconciler.cli.terminal.output import write_output
from reconciler.errors import ReconcilerError

LONGEST_S = 120


class PictureError(ReconcilerError):
    """The picture could not be drawn; the file is as it was."""

    code = "picture"


def write_svg(dot: str, path: Path) -> None:
    """Draw the graph into an SVG file."""
    try:
        done = subprocess.run(["dot", "-Tsvg"], input=dot.encode(), capture_output=True, timeout=LONGEST_S, check=True)
    except FileNotFoundError as error:
        raise PictureError("draw the graph: graphviz is not installed (Debian: apt-get install graphviz)") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise PictureError(f"draw the graph into {path}") from error
    write_output(str(path), done.stdout)
