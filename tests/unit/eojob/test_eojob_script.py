"""Scripts before they run, and plain MPI scripts, which run as they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from eojob import report, script
from eojob_support import FILES, PIPES, python
from rasterio.transform import Affine

TUTORIAL = """import boto3
import os
import numpy as np
from mpi4py import MPI
import snappy
from snappy import ProductIO
"""


def write(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("text, plain", [
    (TUTORIAL, True), ("print(1)", True), ("from eojob import run", False), ("import eojob.facade as f", False),
    ("def main():\n    import eojob", False), ("import eojobs", True), ("(", False),
])
def test_which_scripts_are_plain(tmp_path, text, plain):
    assert script.is_plain(str(write(tmp_path, text))) == plain


def test_the_kits_own_scripts_are_not_plain():
    for name in ("image_processing.py", "graph_processing.py"):
        assert not script.is_plain(str(FILES / name)) and script.check(str(FILES / name))["ok"]


@pytest.mark.parametrize("text, words", [
    ("x = (\n", "script: mine.py, line "),
    ("print 'old'\n", "script: mine.py, line 1: Missing parentheses"),
    ("import os\0", "script: mine.py"),
    ("import no_such_thing.part, os\nfrom another_one import x\n",
     f"imports another_one, no_such_thing, which {sys.executable} lacks; install it there: {sys.executable} -m pip"),
])
def test_faults_of_a_script(tmp_path, text, words):
    check = script.check(str(write(tmp_path, text)))
    assert not check["ok"] and words in check["message"]


def test_what_may_have_a_fallback_is_no_fault(tmp_path):
    write(tmp_path, "", "beside.py")
    text = "import beside\ntry:\n    import no_such\nexcept ImportError:\n    no_such = None\n"
    text += "def f():\n    import neither\nfrom . import x\n"
    assert script.check(str(write(tmp_path, text)))["ok"]


def test_snappy_has_a_remedy_of_its_own(tmp_path, monkeypatch):
    path = write(tmp_path, "import snappy")
    monkeypatch.setattr(script, "_is_there", lambda name, beside: False)
    assert "set snap_version in group_vars/all.yml and run site.yml" in script.check(str(path))["message"]


def test_check_of_a_plain_script_needs_no_job_file(tmp_path):
    path, job = write(tmp_path, TUTORIAL), write(tmp_path, "{}", "job.json")
    done = python("-m", "eojob", "check", "--json", "--script", path, job)
    assert done.returncode == 0 and json.loads(done.stdout) == {"ok": True, "faults": [], "plain": True}
    done = python("-m", "eojob", "check", "--json", "--script", path, "--graph", "g.xml", job)
    assert "does not import eojob, so no graph is run" in json.loads(done.stdout)["faults"][0]
    done = python("-m", "eojob", "check", "--json", "--script", FILES / "image_processing.py", job)
    told = json.loads(done.stdout)
    assert done.returncode == 2 and not told["plain"] and len(told["faults"]) == 4


def test_check_tells_faults_of_all_three_at_once(tmp_path):
    path, job = write(tmp_path, "import eojob\nx = ("), write(tmp_path, "{}", "job.json")
    done = python("-m", "eojob", "check", "--json", "--script", path, "--graph", tmp_path / "g.xml", job)
    faults = json.loads(done.stdout)["faults"]
    assert faults[0].startswith("script: mine.py, line 2") and faults[1].startswith("graph: ") and len(faults) == 6


def test_preflight_looks_at_the_script(tmp_path, archive, settings):
    job = write(tmp_path, json.dumps(settings), "job.json")
    path = write(tmp_path, "import eojob, no_such_thing")
    checks = json.loads(python("-m", "eojob", "preflight", "--json", "--script", path, job).stdout)["checks"]
    assert checks[0]["name"] == "script" and "no_such_thing" in checks[0]["message"]
    done = python("-m", "eojob", "script", path)
    assert done.returncode == 2 and done.stdout.startswith("FAIL  script: mine.py imports no_such_thing")


def run_plain(folder, text, *launcher):
    """Run a script as the batch script does, in a job's folder with the library beside it."""
    shutil.copytree(FILES / "eojob", folder / "eojob", ignore=shutil.ignore_patterns("__pycache__"))
    path = write(folder, text)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment.update(HOME=str(folder / "home"), EOJOB_SCRATCH=str(folder / "scratch"))
    environment.pop("JAVA_TOOL_OPTIONS", None)
    return subprocess.run([*launcher, sys.executable, "-m", "eojob.plain", path.name], **PIPES,
                          cwd=folder, env=environment, timeout=120)


SEE = """import json, os, subprocess, sys
open("by-name", "w").close()
assert os.path.samefile(os.path.expanduser("~/by-name"), "by-name")
shell = subprocess.run("cd; pwd", shell=True, stdout=subprocess.PIPE).stdout.decode().strip()
java = dict(option[2:].split("=") for option in os.environ["JAVA_TOOL_OPTIONS"].split())
assert all(os.path.isdir(folder) for folder in java.values())
print(json.dumps({"cwd": os.getcwd(), "shell": shell, "argv": sys.argv, "name": __name__, "file": __file__,
                  "path": sys.path[0], "java": java,
                  "env": {key: os.environ[key] for key in (
                      "S3CMD_CONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "PYTHONUSERBASE")}}))
"""


def test_a_plain_scripts_home_is_output(tmp_path):
    done = run_plain(tmp_path, SEE)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    output, home = str(tmp_path / "output"), str(tmp_path / "home")
    assert seen["cwd"] == seen["shell"] == output and seen["name"] == "__main__"
    assert seen["argv"] == [str(tmp_path / "mine.py")] and seen["path"] == str(tmp_path)
    assert seen["env"] == {"S3CMD_CONFIG": f"{home}/.s3cfg", "AWS_CONFIG_FILE": f"{home}/.aws/config",
                           "AWS_SHARED_CREDENTIALS_FILE": f"{home}/.aws/credentials",
                           "PYTHONUSERBASE": f"{home}/.local"}
    assert set(seen["java"]) == {"snap.userdir", "java.io.tmpdir"}
    assert all(folder.startswith(str(tmp_path / "scratch/eojob-")) for folder in seen["java"].values())
    assert list((tmp_path / "scratch").iterdir()) == [], "the rank's folders are gone"


@pytest.mark.parametrize("text, code, words", [
    ("raise ValueError('my own')", 1, "ValueError: my own"),
    ("import sys; sys.exit(7)", 7, ""),
    ("import sys; sys.exit('not today')", 1, "not today"),
    ("import sys; sys.exit()", 0, ""),
])
def test_how_a_plain_script_ends(tmp_path, text, code, words):
    done = run_plain(tmp_path, text)
    assert done.returncode == code and done.stderr.count(words) >= 1
    assert list((tmp_path / "scratch").iterdir()) == []


def write_tif(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", height=4, width=5, count=3, dtype="uint16", crs="EPSG:32633",
                       transform=Affine(10, 0, 0, 0, -10, 0)) as dataset:
        dataset.write(np.arange(60, dtype="uint16").reshape(3, 4, 5))


def test_report_and_quicklooks_without_a_ledger(tmp_path):
    for name in ("a.tif", "deep/b.tif", ".hidden.tif", "P.SAFE/c.tif"):
        write_tif(tmp_path / name)
    (tmp_path / "broken.tif").write_bytes(b"II*")
    done = python("-m", "eojob", "report", tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("3 GeoTIFF(s), ") and "there is no ledger" in done.stdout
    done = python("-m", "eojob", "quicklooks", tmp_path)
    assert done.returncode == 0 and "broken.tif: the result cannot be read" in done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "a.png"), str(tmp_path / "deep/b.png")]
    assert python("-m", "eojob", "quicklooks", tmp_path).stdout == "", "they are there"
    assert report.status(str(tmp_path))["state"] == "none"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
