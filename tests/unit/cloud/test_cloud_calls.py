"""What cloud_calls decides without a cloud: which resource is meant, what is repeated, what is told."""

from __future__ import annotations

import time

import pytest
from ansible.module_utils import cloud_calls
from ansible.module_utils.cloud_errors import Problem
from cloud_support import api_error, resource

ID = "507afcf1-a718-453c-b980-3bddc8441d4e"


@pytest.mark.parametrize("wanted, number", [("worker001", 1), ("id-2", 2)])
def test_choose_by_name_or_id(wanted, number):
    servers = [resource("worker001", 1), resource("worker002", 2)]
    assert cloud_calls.choose("server", wanted, servers).id == f"id-{number}"


def test_choose_prefers_the_id():
    assert cloud_calls.choose("server", "id-1", [resource("id-1", 2), resource("a", 1)]).id == "id-1"


def test_choose_lists_namesakes():
    with pytest.raises(Problem, match=r"2 networks are named 'a': a \(id-1\), a \(id-2\)\. Remedy: give the ID"):
        cloud_calls.choose("network", "a", [resource("a", 1), resource("a", 2), resource("b", 3)])


def test_choose_lists_the_most_similar_first():
    names = [resource(f"other{number}", number) for number in range(12)] + [resource("eodata_00341_3", 99)]
    with pytest.raises(Problem, match=r"There is: eodata_00341_3 \(id-99\), other.* and 3 more\."):
        cloud_calls.choose("network", "eodata_341", names)


def test_choose_from_nothing():
    with pytest.raises(Problem, match="right project and region"):
        cloud_calls.choose("server", "a", [])


def test_choose_among_ports_without_names():
    with pytest.raises(Problem, match=r"without a name \(id-1\)"):
        cloud_calls.choose("port", "a", [resource("", 1)])


@pytest.mark.parametrize("text, expected", [(ID, True), (ID.upper(), True), ("worker001", False), (ID[:-1], False),
                                            (ID.replace("-", ""), False)])
def test_is_uuid(text, expected):
    assert cloud_calls.is_uuid(text) is expected


class Module(cloud_calls.CloudModule):
    """A module without a cloud."""

    def __init__(self, seconds=60):
        self.deadline = time.monotonic() + seconds
        self.failures = {}


def answers(*queue):
    """A request that gives these answers, one after the other; errors are raised."""
    left = list(queue)

    def request():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return request


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(cloud_calls.random, "uniform", lambda *_: 0)


BUSY = api_error(409, "Cannot 'delete' instance 7538 while it is in task_state spawning")


def test_faults_that_pass_are_repeated():
    assert Module().repeat(answers(api_error(503, "oops"), api_error(429, "slow down"), "done")) == "done"


def test_faults_that_stay_are_raised_soon():
    failure = api_error(503, "oops")
    with pytest.raises(type(failure)) as raised:
        Module().repeat(answers(*[failure] * (cloud_calls.REPEATS + 1), "not asked for"))
    assert raised.value is failure


def test_faults_that_never_pass_are_raised_at_once():
    failure = api_error(403, "no")
    with pytest.raises(type(failure)) as raised:
        Module().repeat(answers(failure, "not asked for"))
    assert raised.value is failure


def test_a_busy_server_is_waited_for():
    assert Module().repeat(answers(*[BUSY] * 3 * cloud_calls.REPEATS, "done")) == "done"


def test_nothing_is_repeated_after_the_time():
    with pytest.raises(type(BUSY)):
        Module(seconds=0).repeat(answers(BUSY, "too late"))


def test_what_was_done_is_not_repeated():
    assert Module().repeat(answers(api_error(504, "lost")), done_already=lambda: "it is there") == "it is there"


def test_a_name_is_asked_for_and_candidates_only_where_they_are_told():
    questions = []

    def lister(**query):
        questions.append(query)
        return [one for one in (resource("a", 1), resource("b", 2)) if query.get("name", one.name) == one.name]

    assert Module().find("network", "b", lister).id == "id-2" and questions == [{"name": "b"}]
    with pytest.raises(Problem, match=r"a \(id-1\)"):
        Module().find("network", "c", lister)
    assert questions[1:] == [{"name": "c"}, {}]


def test_an_id_is_asked_for_as_an_id():
    assert Module().find("network", ID, lambda id: [resource("a") if id == ID else None]).name == "a"


def test_all_questions_that_fail_are_told_at_once():
    with pytest.raises(Problem, match=r"^HTTP 401: no\. The credentials [^|]*expired\. one other$"):
        Module().together(answers(api_error(401, "no")), answers("good"), answers(api_error(401, "no")),
                          answers(Problem("one other")))


def test_answers_come_in_the_order_of_the_questions():
    assert Module().together(lambda: 1, lambda: None, lambda: 3) == [1, None, 3]


def test_one_failure_leaves_the_others_alone():
    module, good, bad = Module(), resource("good"), resource("bad")

    def work(thing):
        if thing is bad:
            raise api_error(409, "Instance 7538 is locked")

    assert module.in_parallel(work, [bad, good]) == [(good, None)]
    assert list(module.failures) == ["bad"] and "openstack server unlock bad" in module.failures["bad"]
