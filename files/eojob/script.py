"""The job's script before it runs: is it one of eojob's, is it Python, and is there what it imports?

A script that does not import eojob is a plain MPI script, which runs as it is (see `plain`). Needs the standard library
only, and runs nothing of the script.
"""

import ast
import importlib.util
import os
import sys
from typing import Any, Dict, Iterator, List, Set


def _parse(path: str) -> ast.Module:
    with open(path, "rb") as stream:  # bytes: Python itself then looks for the file's encoding
        return ast.parse(stream.read(), path)


def is_plain(path: str) -> bool:
    """Whether the script is Python and does not import eojob."""
    try:
        return "eojob" not in _imported(_parse(path), optional=True)
    except (OSError, SyntaxError, ValueError):
        return False


def syntax_faults(path: str) -> List[str]:
    """Why the script cannot be run by this Python; nothing when it can, or when there is no script to look at."""
    try:
        _parse(path)
    except OSError:
        return []  # whoever named it says so
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        version = "{}.{}".format(*sys.version_info[:2])
        return [f"script: {os.path.basename(path)}{where}: {error.msg}; correct it (Python {version} reads it)"]
    except ValueError as error:  # a null byte
        return [f"script: {os.path.basename(path)} is no text ({error}); name a Python script"]
    return []


def check(path: str) -> Dict[str, Any]:
    """A check as of `preflight`: whether this Python can read the script, and has what it imports."""
    message = "; ".join(syntax_faults(path)) or _missing(path)
    return {"name": "script", "ok": not message, "message": message or f"{os.path.basename(path)} can be started here"}


def _missing(path: str) -> str:
    """The sentence for modules that this Python lacks; "" when it has all. Nothing is imported."""
    names = sorted(_imported(_parse(path), optional=False))
    beside = os.path.dirname(os.path.abspath(path))
    missing = [name for name in names if not _is_there(name, beside)]
    if not missing:
        return ""
    remedy = f"install it there: {sys.executable} -m pip install {' '.join(missing)}"
    if {"snappy", "esa_snappy"} & set(missing):
        remedy = "set snap_version in group_vars/all.yml and run site.yml"
    return f"script: {os.path.basename(path)} imports {', '.join(missing)}, which {sys.executable} lacks; {remedy}"


def _is_there(name: str, beside: str) -> bool:
    if name in sys.builtin_module_names or name in sys.modules:
        return True
    if any(os.path.exists(os.path.join(beside, name + suffix)) for suffix in ("", ".py")):
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _imported(module: ast.Module, optional: bool) -> Set[str]:
    """The top-level names of all modules that are imported; with `optional`, inside try and functions, too.

    What stands inside try may have a fallback, and what stands inside a function may never be called.
    """
    names: Set[str] = set()
    for node in _statements(module, optional):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _statements(node: ast.AST, optional: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if optional or not isinstance(child, (ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield child
            yield from _statements(child, optional)
