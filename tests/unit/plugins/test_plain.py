"""The kit's output: what checks find and what `debug` tells comes as it was written."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TABLE = ["product" + 200 * " " + "state", "", "a: 'b'"]


@pytest.fixture
def play(tmp_path):
    """Runs tasks on localhost; what was printed."""
    def run(*tasks, verbose=False):
        book = tmp_path / "play.yml"
        book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", book]
        return subprocess.run([*command, "-v"] if verbose else command, cwd=ROOT, capture_output=True, text=True,
                              check=False).stdout
    return run


def debug(message, **more):
    return {"ansible.builtin.debug": {"msg": message}, **more}


def test_debug_is_told_as_it_was_written(play):
    told = play(debug("one line: 'this'"), debug(TABLE), debug("first\nsecond\n"))
    assert "ok: [localhost]: one line: 'this'\n" in told
    assert "ok: [localhost]:\n" + "\n".join(TABLE) + "\n" in told
    assert "ok: [localhost]:\nfirst\nsecond\n" in told


@pytest.mark.parametrize("task, words", [
    (debug({"a": 1}), "    msg:\n        a: 1\n"), (debug([]), "    msg: []\n"), (debug([1, 2]), "    - 1\n"),
    (debug("{{ item }}", loop=["x"]), "(item=x)"), (debug("is new", changed_when=True), "changed: [localhost] =>")])
def test_the_rest_is_told_as_ever(play, task, words):
    assert words in play(task)


def test_secrets_stay_secret(play):
    assert "hunter2" not in play(debug("hunter2", no_log=True))


def test_a_fault_is_told_once(play):
    message = "job_bands is B99; name bands of Sentinel-2"
    told = play({"ansible.builtin.fail": {"msg": message}})
    assert f"fatal: [localhost]: {message}\n" in told and told.count(message) == 1


def test_verbose_output_is_ansibles_own(play):
    assert "    - product" in play(debug(TABLE), verbose=True)
