"""The stand-in's jpy @JPY_VERSION@ for @PYTHON_TAG@: it "starts a JVM" by loading the engine below snap_home."""

import os
import sys

__version__ = "@JPY_VERSION@"
_PYTHON_TAG = "@PYTHON_TAG@"

if "cp{}{}".format(*sys.version_info[:2]) != _PYTHON_TAG:
    # The real one is a shared library that another Python does not find.
    raise ModuleNotFoundError("No module named 'jpy'")

type_callbacks = {}
_started = {}


def has_jvm():
    return bool(_started)


def create_jvm(options=()):
    """Start the engine of the SNAP that -Dsnap.home names. Raises RuntimeError as jpy does when the JVM refuses."""
    home = next((option[len("-Dsnap.home="):] for option in options if option.startswith("-Dsnap.home=")), None)
    folder = os.path.join(home or "", "snap", "modules", "ext", "standin")
    if not os.path.isdir(folder):
        raise RuntimeError(f"jpy: no SNAP engine on the class path: {folder}")
    keep = sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        from standin_engine import api, jvm
    finally:
        sys.dont_write_bytecode = keep
        sys.path.remove(folder)
    try:
        _started["jvm"] = jvm.Jvm(home, options, "python", sys.argv)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        raise RuntimeError("jpy: failed to create Java VM") from error
    _started["classes"] = api.classes(_started["jvm"])
    version = tuple(int(part) for part in __version__.split(".") if part.isdigit())
    _started["classes"]["java.util.HashMap"].jpy_version = version


def destroy_jvm():
    _started.clear()


def get_type(name, resolve=True):
    """A class of Java. Raises ValueError for one that is not there."""
    if not _started:
        raise RuntimeError("jpy: jpy_get_type: Java VM is not running")
    try:
        return _started["classes"][name]
    except KeyError:
        raise ValueError(f"Java class '{name}' not found") from None


def array(item_type, init):
    """A Java array, here a list: of `init` items, or of the items that `init` holds."""
    return [None] * init if isinstance(init, int) else list(init)
