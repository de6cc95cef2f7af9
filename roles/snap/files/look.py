"""What is on this node of SNAP, told as JSON. Changes nothing; kept to Python 3.6, as all that runs on nodes.

Run as `python - SNAP_DIR FULL_VERSION MODULE PYTHON`: the folder of all versions, the version in question, the name of
its Python package, and the Python that is to import it.
"""
import glob
import json
import os
import platform
import shutil
import subprocess
import sys

# What a whole installation has, whatever its toolboxes (snap-installer, snap.install4j, mount points and launchers).
PARTS = ("bin/gpt", "bin/snap", "bin/snappy-conf", "etc/snap.conf", "etc/snap.properties", "VERSION.txt")
ASK = ("import json, sys, sysconfig; print(json.dumps({'version': '%d.%d' % sys.version_info[:2],"
       " 'packages': sysconfig.get_path('purelib')}))")


def text(path):
    """A file's text, stripped; empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def record(path):
    """What a mark of ours holds; an empty dict when there is none, or it was cut short."""
    try:
        held = json.loads(text(path))
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}


def installation(home):
    """An installation: whether its folder is there and empty, its version, what is missing, its Sentinel-2 reader."""
    names = os.listdir(home) if os.path.isdir(home) else []
    return {"exists": os.path.lexists(home), "empty": not names, "path": os.path.realpath(home),
            "version": (text(os.path.join(home, "VERSION.txt")).splitlines() or [""])[0].strip(),
            "is_snap": all(os.path.exists(os.path.join(home, part)) for part in ("bin/gpt", ".install4j")),
            "missing": [part for part in PARTS if not os.path.isfile(os.path.join(home, part))],
            "sentinel_2": bool(glob.glob(os.path.join(home, "*", "modules", "*s2msi-reader*.jar")))}


def interpreter(python):
    """The Python: its path, version and folder of packages; while it is not made yet, what it would be made of."""
    for path in (python, shutil.which("python3")):
        if path and os.path.exists(path):
            try:
                said = subprocess.check_output([path, "-c", ASK], stderr=subprocess.DEVNULL, timeout=60)
                told = json.loads(said.decode())
            except (OSError, ValueError, subprocess.SubprocessError):
                continue
            return dict(told, path=path)
    return {"path": "", "version": "", "packages": ""}


def bridge(package, module):
    """A Python package of SNAP's: the installation that its .ini names, and whether snappy-conf has done its work."""
    home = ""
    for line in text(os.path.join(package, module + ".ini")).splitlines():
        if line.replace(":", "=").split("=")[0].strip() == "snap_home":
            home = line.split("=" if "=" in line else ":", 1)[1].strip()
    done = ("__init__.py", "jpyconfig.py", "jpyconfig.properties", module + ".ini")
    return {"exists": os.path.isdir(package), "home": os.path.realpath(home) if home else "",
            "missing": [name for name in done if not os.path.isfile(os.path.join(package, name))]}


def free_megabytes(folder):
    """Room for an unprivileged user on the disk where `folder` is, or is going to be."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize // 2 ** 20


def look(snap_dir, full, module, python):
    """All of the above."""
    marks = sorted(glob.glob(os.path.join(snap_dir, ".[0-9]*.json")))
    found = interpreter(python)
    link = os.path.join(snap_dir, "current")
    return {"folder_path": os.path.realpath(snap_dir), "machine": platform.machine(),
            "free_megabytes": free_megabytes(snap_dir), "python": found,
            "install": installation(os.path.join(snap_dir, full)),
            "mark": record(os.path.join(snap_dir, "." + full + ".json")),
            "marks": {os.path.basename(path)[1:-5]: record(path) for path in marks},
            "current": os.readlink(link) if os.path.islink(link) else "",
            "folder": bridge(os.path.join(snap_dir, "python-" + full, module), module),
            "pip": bridge(os.path.join(found["packages"], "esa_snappy"), "esa_snappy")}


if __name__ == "__main__":
    print(json.dumps(look(*sys.argv[1:])))
