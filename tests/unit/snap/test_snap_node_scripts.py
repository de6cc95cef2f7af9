"""What runs on the nodes: look.py on folders as an installer leaves them, watched.py on commands that misbehave."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles/snap/files"


def run(script: str, *words: str) -> dict:
    """A script's answer, run as a task runs it: from standard input."""
    told = subprocess.run([sys.executable, "-", *words], input=(FILES / script).read_text(), capture_output=True,
                          text=True, timeout=60, check=True)
    return json.loads(told.stdout)


def installation(home: Path, look, reader: str = "opttbx/modules/eu-esa-opt-opttbx-s2msi-reader.jar") -> None:
    """Lay out what look.py looks for."""
    for part in (*look.PARTS, reader, ".install4j/x"):
        (home / part).parent.mkdir(parents=True, exist_ok=True)
        (home / part).touch()
    (home / "VERSION.txt").write_text("13.0.0\n")


def see(snap_dir: Path, python: str = sys.executable) -> dict:
    return run("look.py", str(snap_dir), "13.0.0", "esa_snappy", python)


def test_where_nothing_is_nothing_is_seen(tmp_path):
    seen = see(tmp_path / "not" / "there")
    assert seen["install"]["exists"] is False
    assert seen["marks"] == {} and seen["mark"] == {} and seen["current"] == ""
    assert seen["free_megabytes"] > 0
    assert seen["python"]["version"] == "{}.{}".format(*sys.version_info[:2])
    assert not (tmp_path / "not").exists()


def test_a_whole_installation_lacks_nothing(tmp_path, look):
    installation(tmp_path / "13.0.0", look)
    there = see(tmp_path)["install"]
    assert there["missing"] == [] and there["version"] == "13.0.0" and there["is_snap"] and there["sentinel_2"]


@pytest.mark.parametrize("part", ["bin/gpt", "bin/snappy-conf", "etc/snap.properties"])
def test_what_is_missing_is_named(tmp_path, look, part):
    installation(tmp_path / "13.0.0", look)
    (tmp_path / "13.0.0" / part).unlink()
    assert see(tmp_path)["install"]["missing"] == [part]


def test_the_reader_of_9_is_one_too_and_its_absence_is_seen(tmp_path, look):
    installation(tmp_path / "13.0.0", look, "s2tbx/modules/org-esa-s2tbx-s2tbx-s2msi-reader.jar")
    assert see(tmp_path)["install"]["sentinel_2"]
    (tmp_path / "13.0.0/s2tbx/modules/org-esa-s2tbx-s2tbx-s2msi-reader.jar").unlink()
    assert not see(tmp_path)["install"]["sentinel_2"]


def test_marks_are_read_also_when_one_was_cut_short(tmp_path):
    (tmp_path / ".13.0.0.json").write_text('{"state": "installing"')
    (tmp_path / ".11.0.0.json").write_text('{"state": "installed"}')
    seen = see(tmp_path)
    assert seen["mark"] == {} and seen["marks"] == {"11.0.0": {"state": "installed"}, "13.0.0": {}}


def test_a_configured_package_names_its_installation(tmp_path):
    package = tmp_path / "python-13.0.0/esa_snappy"
    package.mkdir(parents=True)
    (tmp_path / "13.0.0").mkdir()
    (package / "esa_snappy.ini").write_text(f"[DEFAULT]\nsnap_home = {tmp_path}/13.0.0/bin/..\njava_max_mem: 3G\n")
    (tmp_path / "13.0.0/bin").mkdir()
    seen = see(tmp_path)
    assert seen["folder"]["home"] == seen["install"]["path"]
    assert seen["folder"]["missing"] == ["__init__.py", "jpyconfig.py", "jpyconfig.properties"]


def watch(tmp_path: Path, command: str, *words: str) -> dict:
    return run("watched.py", "--log", str(tmp_path / "log"), *words, "--", "sh", "-c", command)


def test_an_end_by_itself_has_its_code_and_its_last_words(tmp_path):
    told = watch(tmp_path, "echo one; echo two >&2; exit 3", "--limit", "30")
    assert (told["ended"], told["code"], told["tail"]) == ("itself", 3, ["one", "two"])


def test_what_hangs_after_its_work_is_ended(tmp_path):
    told = watch(tmp_path, "echo 'Done. The interface is in x'; sleep 300", "--limit", "60", "--done-text", "^Done[.] ",
                 "--grace", "0.2")
    assert (told["ended"], told["code"]) == ("done", None)


def test_a_file_can_show_that_the_work_is_done(tmp_path):
    told = watch(tmp_path, f"touch {tmp_path}/a.jar; sleep 300", "--limit", "60", "--done-file", f"{tmp_path}/*.jar",
                 "--grace", "0.2")
    assert told["ended"] == "done"


def test_the_limit_ends_it_with_all_that_it_started(tmp_path):
    told = watch(tmp_path, f"sleep 300 & echo $! >{tmp_path}/pid; wait", "--limit", "1")
    assert told["ended"] == "limit"
    # Gone, or a zombie that nobody has collected yet.
    status = Path("/proc") / (tmp_path / "pid").read_text().strip() / "status"
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_it_has_no_input_to_wait_for(tmp_path):
    assert watch(tmp_path, "cat; echo over", "--limit", "30")["tail"] == ["over"]


def test_a_command_that_is_not_there_is_told(tmp_path):
    told = run("watched.py", "--log", str(tmp_path / "log"), "--limit", "5", "--", str(tmp_path / "missing"))
    assert told["ended"] == "never started" and "missing" in told["tail"][0]


def test_the_answer_is_left_for_those_who_do_not_wait(tmp_path):
    told = watch(tmp_path, "exit 0", "--limit", "30", "--result", str(tmp_path / "answer"))
    assert json.loads((tmp_path / "answer").read_text()) == told


def test_an_import_that_works_and_one_that_does_not(tmp_path):
    (tmp_path / "engine.py").write_text(
        "import configparser, os\nini = configparser.ConfigParser()\nini.read('engine.ini')\n"
        "options = ini.get('DEFAULT', 'java_options')\nfolder = os.getcwd()\n")
    words = ("20", "engine", sys.executable, str(tmp_path))
    told = run("try_import.py", *words, "import engine; print(engine.options); print(engine.folder)")
    option, folder = told["tail"]
    assert told["ok"] and option == f"-Dsnap.userdir={folder}/userdir" and not os.path.exists(folder)
    told = run("try_import.py", *words, "from engine import ProductIO")
    assert not told["ok"] and "cannot import name 'ProductIO'" in told["tail"][-1]


def test_an_import_that_hangs_is_ended(tmp_path):
    told = run("try_import.py", "0.5", "engine", sys.executable, "", "import time; time.sleep(300)")
    assert not told["ok"] and "did not end within" in told["tail"][-1]
