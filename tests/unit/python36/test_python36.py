"""Ubuntu 18.04's Python 3.6: what runs on nodes is written for it, and the job's own tests pass under a real one."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "roles/job_env/files/requirements.txt"
# The last for Python 3.6, as roles/job_env has it.
PIP, PYTEST = "pip==21.3.1", ("pytest==7.0.1", "pytest-timeout==2.1.0", "s3cmd==2.4.0")
TESTS = ROOT / "tests/unit/eojob"
# What is copied to nodes, or runs there; and the tests that have to run beside it. The modules of plugins/ run on the
# controller only.
ON_NODES = ("files", "roles/*/files", "tests/snap_standin/payload", "tests/unit/eojob")


def python_sources() -> list:
    """Every Python file of ON_NODES, also those that have no ending and say so in their first line."""
    files = [path for pattern in ON_NODES for folder in ROOT.glob(pattern) for path in sorted(folder.rglob("*"))
             if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in files if path.suffix == ".py"
            or not path.suffix and b"python" in path.read_bytes().split(b"\n", 1)[0][:80]]


def find_python36() -> str:
    """A Python 3.6 that can make virtual environments, or ''."""
    candidates = [shutil.which("python3.6") or "", *map(str, Path.home().glob(".pyenv/versions/3.6*/bin/python3.6"))]
    for candidate in filter(None, candidates):
        asked = subprocess.run([candidate, "-c", "import ensurepip, ssl, sys, venv; print(sys.version_info[:2])"],
                               capture_output=True, text=True)
        if asked.returncode == 0 and asked.stdout.strip() == "(3, 6)":  # a shim of pyenv answers otherwise
            return candidate
    return ""


def environment(python: str) -> Path:
    """The Python of a virtual environment with the nodes' list; made once, and anew when the list changes."""
    wanted = "\n".join((REQUIREMENTS.read_text(), PIP, *PYTEST, os.path.realpath(python)))
    folder = ROOT / ".cache/python36" / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    made = folder / "bin/python3"
    if (folder / "ready").exists():
        return made
    shutil.rmtree(folder.parent, ignore_errors=True)
    for command in ((python, "-m", "venv", folder),
                    (made, "-m", "pip", "install", "--quiet", PIP),
                    (made, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS, *PYTEST)):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    (folder / "ready").touch()
    return made


def test_what_runs_on_nodes_is_written_for_python_3_6():
    sources = python_sources()
    assert {path.relative_to(ROOT).parts[0] for path in sources} >= {"files", "roles", "tests"}
    vermin = Path(sys.executable).parent / "vermin"
    done = subprocess.run([str(vermin), "-t=3.6-", "--no-tips", "--violations", *map(str, sources)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(900)
def test_job_under_python_3_6():
    """tests/unit/eojob on the versions that the nodes get, against the S3 server of this virtual environment."""
    python = find_python36()
    if not python:
        pytest.skip("there is no Python 3.6 with venv on this machine: neither python3.6 nor ~/.pyenv/versions/3.6*")
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    variables.update(PYTHONPATH=f"{ROOT / 'files'}:{TESTS}", PYTHONDONTWRITEBYTECODE="1",
                     PATH=f"{Path(sys.executable).parent}:{variables['PATH']}")
    done = subprocess.run(
        [str(environment(python)), "-m", "pytest", "-c", os.devnull, f"--rootdir={ROOT}", "--import-mode=importlib",
         "-p", "no:cacheprovider", "-q", "--timeout=120", "--tb=short", "-W", "ignore", str(TESTS)],
        capture_output=True, text=True, env=variables, cwd=ROOT)
    assert done.returncode == 0, f"{done.stdout[-12000:]}\n{done.stderr[-2000:]}"
    assert " passed" in done.stdout.splitlines()[-1]
