"""Carry what a folder of homes holds over to the volume that is to be mounted there; each path is told.

usage: carry_over.py DEVICE FOLDER [--dry-run]

The volume may hold the homes of an earlier cluster. What it has, it keeps; only keys that open this machine are added
to its authorized_keys. Homes that would shut their users out are told, and then nothing is carried. It is started in a
mount namespace of its own: however it ends, the volume is mounted nowhere afterwards.
"""

import os
import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager
from typing import Iterator

PART = ".eocluster-part"  # what is not whole yet; a run that was killed leaves one
KEYS = (".ssh/authorized_keys", ".ssh/authorized_keys2")
LEAVE = {"lost+found", ".ansible", ".cache"}  # what programs make again
ASIDE = "/run/eocluster-volume"


@contextmanager
def acting_as(owner: os.stat_result) -> Iterator[None]:
    """Write as the owner of a home, whose symbolic links then lead nowhere that the owner could not write to."""
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def is_folder(path: str) -> bool:
    """Whether a real folder is there, and not a link to one."""
    return os.path.isdir(path) and not os.path.islink(path)


def faults(folder: str, volume: str) -> Iterator[str]:
    """Why users that have a home in both could not log in after the volume is mounted."""
    for name in sorted(set(os.listdir(folder)) - LEAVE):
        own, theirs = os.path.join(folder, name), os.path.join(volume, name)
        if not is_folder(own) or not os.path.lexists(theirs):
            continue
        if not is_folder(theirs):
            yield f"{own} is a folder here, and none on the volume"
            continue
        uid, other = os.stat(own).st_uid, os.stat(theirs).st_uid
        if uid != other:
            yield f"{own} belongs to user number {uid} here, and to {other} on the volume"
        elif any(os.path.exists(os.path.join(own, keys)) for keys in KEYS):
            for part in ("", ".ssh", *KEYS):  # sshd ignores keys that others could have written
                path, named = os.path.join(theirs, part), os.path.join(own, part).rstrip("/")
                if os.path.islink(path):
                    yield f"{named} is a symbolic link on the volume"
                elif os.path.exists(path) and (os.stat(path).st_mode & 0o022 or os.stat(path).st_uid not in (0, uid)):
                    yield f"{named} on the volume may be written by others than its user"


def carry(folder: str, volume: str, dry: bool = False) -> Iterator[str]:
    """Carry everything over that the volume has not, and give the paths."""
    part = os.path.join(volume, PART)
    if not dry and os.path.lexists(part):
        shutil.rmtree(part) if is_folder(part) else os.unlink(part)
    if not dry and not set(os.listdir(volume)) - LEAVE:
        shutil.copystat(folder, volume)  # a new volume
    for name in sorted(set(os.listdir(folder)) - LEAVE):
        own, theirs = os.path.join(folder, name), os.path.join(volume, name)
        if not os.path.lexists(theirs):
            yield own
            if not dry:
                subprocess.run(["cp", "--archive", "--one-file-system", own, part], check=True)
                os.rename(part, theirs)
        elif is_folder(own):
            yield from merge(own, theirs, dry)


def merge(own: str, theirs: str, dry: bool) -> Iterator[str]:
    """Carry over what a home on the volume has not."""
    owner = os.stat(theirs)
    for top, folders, files in os.walk(own):
        below = os.path.relpath(top, own)
        if below == ".":
            folders[:] = [folder for folder in folders if folder not in LEAVE]
        for name in sorted(folders + files):
            path, target = os.path.join(top, name), os.path.normpath(os.path.join(theirs, below, name))
            with acting_as(owner):
                there = os.path.lexists(target)
                if there and name in folders and not is_folder(target):
                    folders.remove(name)  # the volume's stays, and links on it are not followed
            if there and os.path.relpath(path, own) in KEYS:
                lacking = add_keys(path, target, owner, dry)
                if lacking:
                    yield f"{path} ({lacking} keys)"
            elif not there and any(test(os.lstat(path).st_mode) for test in (stat.S_ISDIR, stat.S_ISLNK, stat.S_ISREG)):
                yield path
                if not dry:
                    add(path, target, owner)


def add(path: str, target: str, owner: os.stat_result) -> None:
    """Make a folder, link or file as it is at `path`; a file appears whole or not at all, and replaces none."""
    mode = os.lstat(path)
    if stat.S_ISDIR(mode.st_mode):
        with acting_as(owner):
            os.mkdir(target, stat.S_IMODE(mode.st_mode))
    elif stat.S_ISLNK(mode.st_mode):
        with acting_as(owner):
            os.symlink(os.readlink(path), target)
    else:
        part = os.path.join(os.path.dirname(target), PART)
        with open(path, "rb") as source, acting_as(owner):
            if os.path.lexists(part):
                os.unlink(part)
            with open(part, "xb") as copy:
                os.fchmod(copy.fileno(), stat.S_IMODE(mode.st_mode) & 0o1777)
                shutil.copyfileobj(source, copy)
            os.utime(part, ns=(mode.st_atime_ns, mode.st_mtime_ns))
            os.link(part, target)
            os.unlink(part)


def add_keys(path: str, target: str, owner: os.stat_result, dry: bool) -> int:
    """Append the lines that the volume's authorized_keys lacks; how many they are."""
    with open(path, "rb") as source:
        wanted = source.read().splitlines()
    with acting_as(owner):
        with open(target, "rb") as present:
            text = present.read()
        lacking = [line for line in wanted
                   if line.strip() and not line.startswith(b"#") and line not in text.splitlines()]
        if lacking and not dry:
            with open(target, "ab", buffering=0) as keys:
                keys.write((b"" if text.endswith(b"\n") or not text else b"\n") + b"\n".join(lacking) + b"\n")
    return len(lacking)


def main(device: str, folder: str, *options: str) -> int:
    """Mount the volume aside, and carry over."""
    dry = "--dry-run" in options
    os.setgroups([])
    os.umask(0)
    os.makedirs(ASIDE, exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", "ro,noload" if dry else "rw,nosuid,nodev", device, ASIDE], check=True)
    try:
        wrong = list(faults(folder, ASIDE))
        for line in wrong or carry(folder, ASIDE, dry):
            print(line)
    finally:
        subprocess.run(["umount", ASIDE], check=True)
        os.rmdir(ASIDE)
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
