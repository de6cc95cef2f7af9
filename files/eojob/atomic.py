"""Files that appear whole or not at all: written under a name of our own in the same folder, then renamed.

The temporary names hold host and process, so what a killed run left can be told from what a live one writes.
"""

import contextlib
import os
import re
import shutil
import socket
import tempfile
import time
from typing import Iterator

_ABANDONED = 3600  # s; a live writer touches its file every few seconds
_PARTIAL = re.compile(r"^\..+\.(?P<host>[^.]+)\.(?P<pid>\d+)\.partial\.\w+(\.aux\.xml)?$")
_SCRATCH = re.compile(r"^eojob-(?P<host>[^.]+)-(?P<pid>\d+)-\w+$")


def host() -> str:
    """This machine's short name."""
    return socket.gethostname().split(".")[0]


def partial_path(path: str) -> str:
    """The temporary name, in the same folder and with the same extension, under which `path` is written."""
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    return os.path.join(folder, f".{stem}.{host()}.{os.getpid()}.partial{extension}")


def publish(partial: str, path: str) -> None:
    """Give a finished file its name; it is on disk, name included, when this returns."""
    _sync(partial, os.O_RDWR)
    os.replace(partial, path)
    _sync(os.path.dirname(path), os.O_RDONLY)


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partial(*paths: str) -> None:
    """Remove what this process has written towards `paths`, and the files that GDAL puts beside it."""
    for path in paths:
        partial = partial_path(path)
        for name in (partial, partial + ".aux.xml"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(name)


def write_text(path: str, text: str) -> None:
    """Write a small text file whole or not at all."""
    partial = partial_path(path)
    try:
        with open(partial, "w", encoding="utf-8") as stream:
            stream.write(text)
        publish(partial, path)
    finally:
        remove_partial(path)


@contextlib.contextmanager
def scratch_folder(root: str) -> Iterator[str]:
    """A folder of this process under `root`, removed with all its content at the end."""
    folder = tempfile.mkdtemp(prefix=f"eojob-{host()}-{os.getpid()}-", dir=root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean_results(folder: str) -> None:
    """Remove temporary results that killed runs left in `folder`: of dead processes of this host, or an hour old."""
    for name in os.listdir(folder):
        match = _PARTIAL.match(name)
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):
            if match and (_is_dead(match) or time.time() - os.stat(path).st_mtime > _ABANDONED):
                os.remove(path)


def clean_scratch(root: str) -> None:
    """Remove scratch folders of ours whose process on this host is dead."""
    for name in os.listdir(root):
        match = _SCRATCH.match(name)
        path = os.path.join(root, name)
        with contextlib.suppress(FileNotFoundError):
            if match and _is_dead(match) and os.stat(path).st_uid == os.getuid():
                shutil.rmtree(path, ignore_errors=True)


def _is_dead(match: "re.Match[str]") -> bool:
    if match.group("host") != host():
        return False
    try:
        os.kill(int(match.group("pid")), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
