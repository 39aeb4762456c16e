"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TextIO

from argrad.report.errors import OutputError


def check_folder(folder: Path) -> None:
    """Raise `OutputError` unless a folder can be made, or written to, at `folder`."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"'{folder}' is a file, so no folder for results: name another.")
    _check_writable(folder)


def check_file(path: Path) -> None:
    """Raise `OutputError` unless a file can be written at `path`."""
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder '{path.parent}' to write '{path.name}' into.")
    _check_writable(path.parent)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there becomes `path` at the end."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_text(stream: TextIO) -> Iterator[TextIO]:
    """Give a temporary text file; what was written there goes to `stream` at the end."""
    with TemporaryFile("w+", encoding="utf-8", newline="") as spool:
        yield spool
        spool.seek(0)
        shutil.copyfileobj(spool, stream)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; its files move to `folder` at the end.

    Files of other names that `folder` holds already are left alone.
    """
    folder = Path(os.path.abspath(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        partial.mkdir()
        yield partial
        if folder.exists():
            for path in partial.iterdir():
                os.replace(path, folder / path.name)
        else:
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_writable(folder: Path) -> None:
    existing = Path(os.path.abspath(folder))
    while not existing.exists():
        existing = existing.parent
    try:
        # Permissions alone do not tell (read-only file systems, special ones): make a folder.
        with TemporaryDirectory(dir=existing, prefix="."):
            pass
    except OSError as error:
        raise OutputError(
            f"Nothing can be written in '{existing}' ({error.strerror}): choose another --output."
        ) from error
