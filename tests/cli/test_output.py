"""Files that a command is asked to write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from machine import needs_root

from reconciler.cli.terminal.output import OutputError, write_output


def test_a_file_is_replaced_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_output(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_output(str(path), b"data")
        assert os.read(reader, 10) == b"data"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


@needs_root
def test_a_device_stays_a_device(tmp_path: Path) -> None:
    path = tmp_path / "null"
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    write_output(str(path), b"data")
    assert stat.S_ISCHR(path.stat().st_mode)


def test_what_can_not_be_written_is_named_without_scratch_files(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere/x: No such file"):
        write_output(str(tmp_path / "nowhere" / "x"), b"")
