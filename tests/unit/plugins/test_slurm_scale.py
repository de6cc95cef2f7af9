"""Who leaves a cluster that gets smaller, from what sinfo and squeue print."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

PATH = Path(__file__).resolve().parents[3] / "plugins/filter/slurm_scale.py"
SPEC = importlib.util.spec_from_file_location("slurm_scale", PATH)
scale = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scale)

OURS = "eocluster scale"
FOUR = ["w001", "w002", "w003", "w004"]
IDLE = [f"{name}|idle|none" for name in FOUR]


def plan(wanted, nodes=IDLE, jobs=(), workers=FOUR):
    return scale.slurm_scale(workers, wanted, nodes, jobs, OURS)


def leaving(*arguments, **named):
    return [node["name"] for node in plan(*arguments, **named)["remove"]]


@pytest.mark.parametrize("wanted", [4, 5, "9"])
def test_nobody_leaves_when_enough_are_wanted(wanted):
    assert plan(wanted) == {"remove": [], "drain": [], "resume": []}


def test_of_idle_ones_the_highest_number_leaves():
    assert plan(2) == {"remove": [{"name": name, "why": "idle", "jobs": []} for name in ("w004", "w003")],
                       "drain": ["w003", "w004"], "resume": []}


@pytest.mark.parametrize("state", ["down*", "down", "idle*", "drained", "unknown", "fail", "inval", "down~", "future"])
def test_one_that_can_run_nothing_leaves_before_an_idle_one(state):
    assert leaving(3, [IDLE[0], f"w002|{state}|Not responding", *IDLE[2:]]) == ["w002"]


def test_one_that_slurm_does_not_know_leaves_and_is_not_drained():
    told = plan(3, IDLE[1:])
    assert told["remove"] == [{"name": "w001", "why": "not in Slurm", "jobs": []}]
    assert told["drain"] == []


def test_without_slurm_the_highest_numbers_leave():
    assert leaving(1, []) == ["w004", "w003", "w002"]
    assert plan(1, [])["drain"] == []


@pytest.mark.parametrize("state", ["allocated", "mixed", "draining", "completing", "mixed-", "allocated+"])
def test_a_busy_one_leaves_after_an_idle_one(state):
    assert leaving(3, [*IDLE[:3], f"w004|{state}|none"]) == ["w003"]


def test_a_job_counts_before_the_state_knows_of_it():
    assert leaving(3, IDLE, ["7|eouser|10:00|w004|eojob"]) == ["w003"]


def test_of_busy_ones_those_leave_whose_last_job_ends_soonest():
    jobs = ["1|eouser|UNLIMITED|w004|a", "2|eouser|2:00:00|w003|b", "3|other|1-00:00:00|w[001,003]|c",
            "4|eouser|3:00:00|w002|d", "5|eouser|N/A||pending"]
    told = plan(1, [f"{name}|mixed|none" for name in FOUR], jobs)
    assert [node["name"] for node in told["remove"]] == ["w002", "w003", "w001"]
    assert told["remove"][0]["why"] == "busy, and free before the other busy ones, in 10800 s at the latest"
    assert told["remove"][1]["jobs"] == ["job 2 (eouser, b)", "job 3 (other, c)"]


def test_one_that_was_drained_for_this_leaves_first():
    nodes = [f"w001|drained|{OURS}", "w002|down*|Not responding", *IDLE[2:]]
    assert plan(3, nodes) == {
        "remove": [{"name": "w001", "why": "drained for this before", "jobs": []}], "drain": [], "resume": []}


def test_one_that_was_drained_for_this_and_stays_takes_jobs_again():
    nodes = [f"w001|drained|{OURS}", f"w002|draining|{OURS}", *IDLE[2:]]
    assert plan(4, nodes, ["7|eouser|10:00|w002|eojob"]) == {"remove": [], "drain": [], "resume": ["w001", "w002"]}


def test_a_job_that_started_between_look_and_drain_makes_another_leave():
    nodes = [*IDLE[:3], f"w004|draining|{OURS}"]
    assert plan(3, nodes, ["7|eouser|10:00|w004|eojob"]) == {
        "remove": [{"name": "w003", "why": "idle", "jobs": []}], "drain": ["w003"], "resume": ["w004"]}


def test_with_all_busy_the_choice_stands_once_drained():
    nodes = [f"{name}|allocated|none" for name in FOUR]
    jobs = [f"{number}|eouser|1:00|{name}|eojob" for number, name in enumerate(FOUR)]
    assert plan(3, nodes, jobs)["drain"] == ["w004"]
    nodes[1] = f"w002|draining|{OURS}"
    assert plan(3, nodes, jobs) == {"remove": [{"name": "w002", "jobs": ["job 1 (eouser, eojob)"], "why":
        "busy, and free before the other busy ones, in 60 s at the latest"}], "drain": [], "resume": []}


def test_what_somebody_else_drained_is_not_drained_again():
    told = plan(3, ["w001|drained|disk is broken", *IDLE[1:]])
    assert (told["remove"][0]["name"], told["drain"], told["resume"]) == ("w001", [], [])


def test_a_node_of_two_partitions_is_one_node():
    assert leaving(3, [*IDLE, *IDLE]) == ["w004"]


@pytest.mark.parametrize(("nodelist", "names"), [
    ("", []), ("a", ["a"]), ("a,b", ["a", "b"]), ("a[001-003,7]", ["a001", "a002", "a003", "a7"]),
    ("lab-worker[009-011],x", ["lab-worker009", "lab-worker010", "lab-worker011", "x"]),
    ("r[1-2]n[01-02]", ["r1n01", "r1n02", "r2n01", "r2n02"]),
])
def test_node_lists(nodelist, names):
    assert list(scale.expand(nodelist)) == names


@pytest.mark.parametrize(("time", "wanted"), [
    ("0:07", 7), ("1:02:03", 3723), ("2-00:00:01", 172801), ("UNLIMITED", scale.FOREVER), ("INVALID", scale.FOREVER)])
def test_times(time, wanted):
    assert scale.seconds(time) == wanted


@pytest.mark.parametrize(("nodes", "jobs", "said"), [
    (["w001 idle"], [], "sinfo says 'w001 idle'"), (IDLE, ["error: none"], "squeue says 'error: none'")])
def test_an_answer_of_another_form_is_an_error(nodes, jobs, said):
    with pytest.raises(AnsibleFilterError, match=said):
        plan(3, nodes, jobs)


def test_a_job_name_may_hold_the_separator():
    assert plan(3, [f"{name}|allocated|none" for name in FOUR], [f"1|u|1:00|{name}|a|b" for name in FOUR])[
        "remove"][0]["jobs"] == ["job 1 (u, a|b)"]
