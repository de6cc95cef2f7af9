"""What the kit's modules for OpenStack share: names become resources, requests are repeated and sent in parallel, and
all failures are told at once."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from typing import Any, TypeVar

from ansible.module_utils.cloud_errors import API_ERRORS, FAILURES, Problem, Remedies, explain, is_busy, passes
from ansible_collections.openstack.cloud.plugins.module_utils.openstack import OpenStackModule

PARALLEL = 10       # requests at a time; the connection pool below openstacksdk has as many
CANDIDATES_SHOWN = 10
REPEATS = 5         # of a request whose failure may pass, so that a failure that stays is told soon
LONGEST_PAUSE = 8.0  # seconds between two repeats

T = TypeVar("T")
R = TypeVar("R")


def is_uuid(text: str) -> bool:
    """Whether it can be an ID."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def listed(resources: Sequence[Any]) -> str:
    """Names and IDs, of the first few."""
    text = ", ".join(f"{one.name or 'without a name'} ({one.id})" for one in resources[:CANDIDATES_SHOWN])
    more = len(resources) - CANDIDATES_SHOWN
    return f"{text} and {more} more" if more > 0 else text


def choose(kind: str, wanted: str, resources: Iterable[Any]) -> Any:
    """The one resource with this ID or name; Problem, with the candidates, where there is none or more than one."""
    everything = list(resources)
    found = [one for one in everything if one.id == wanted] or [one for one in everything if one.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"{len(found)} {kind}s are named '{wanted}': {listed(found)}. Remedy: give the ID.")
    if not everything:
        raise Problem(f"There is no {kind} '{wanted}', and no other that these credentials can see. Remedy: check that"
                      " cloud or auth names the right project and region.")
    everything.sort(key=lambda one: SequenceMatcher(None, one.name or "", wanted).ratio(), reverse=True)
    raise Problem(f"There is no {kind} '{wanted}' that these credentials can see. There is: {listed(everything)}."
                  " Remedy: give one of these, or credentials of another project.")


def oldest_first(resources: Iterable[Any]) -> list[Any]:
    """The same order in every run that looks at the same things, which is how two runs agree on the one that stays."""
    return sorted(resources, key=lambda one: (one.created_at or "", one.id))


class CloudModule(OpenStackModule):
    """A module's class; it has argument_spec, module_kwargs and work()."""

    remedies: Remedies = ()  # for errors that only this module meets

    def work(self) -> dict[str, Any]:
        """What the module does, and its result. Problem and API errors may be raised; what concerns one server of
        many goes into self.failures, beside a result."""
        raise NotImplementedError

    def subject(self) -> str:
        """What fills {name} in the remedy of an error that no single server is to blame for."""
        return "NAME"

    def run(self) -> dict[str, Any]:
        """Work within the time; tell all that failed."""
        self.deadline = time.monotonic() + self.params["timeout"]
        self.failures: dict[str, str] = {}  # by name
        try:
            result = self.work()
        except FAILURES as error:
            self.fail_json(msg=explain(error, self.subject(), self.remedies))
        if self.failures:
            self.fail_json(msg=" ".join(f"{name}: {text}" for name, text in self.failures.items()),
                           failures=self.failures, **result)
        return result

    def list_all(self, lister: Callable[..., Iterable[Any]], **query: Any) -> list[Any]:
        """All that a call of openstacksdk's lists; it asks only while it is iterated."""
        return list(self.repeat(lambda: list(lister(**query))))

    def find(self, kind: str, wanted: str, lister: Callable[..., Iterable[Any]], **query: Any) -> Any:
        """The resource of this name or ID. Everything is listed only where the candidates have to be named."""
        key = "id" if is_uuid(wanted) else "name"
        found = self.list_all(lister, **{key: wanted}, **query)
        return found[0] if len(found) == 1 else choose(kind, wanted, self.list_all(lister, **query))

    def together(self, *questions: Callable[[], Any]) -> list[Any]:
        """The answers to questions that are asked at the same time; one Problem with all that is wrong."""
        wrong: dict[str, None] = {}  # as a set that keeps the order: two questions may meet the same trouble

        def guarded(question: Callable[[], Any]) -> Any:
            try:
                return question()
            except FAILURES as error:
                return error

        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(guarded, questions))
        for answer in answers:
            if isinstance(answer, FAILURES):
                wrong[explain(answer, self.subject(), self.remedies)] = None
        if wrong:
            raise Problem(" ".join(wrong))
        return answers

    def in_parallel(self, work: Callable[[T], R], things: Iterable[T]) -> list[tuple[T, R]]:
        """Each of the named things with what work returned. Where it failed, self.failures has the name instead."""
        def guarded(thing: Any) -> tuple[bool, Any]:
            try:
                return True, work(thing)
            except FAILURES as error:
                self.failures[thing.name] = explain(error, thing.name, self.remedies)
                return False, None

        everything = list(things)
        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(guarded, everything))
        return [(thing, answer) for thing, (good, answer) in zip(everything, answers, strict=True) if good]

    def repeat(self, request: Callable[[], Any], done_already: Callable[[], Any] = lambda: None) -> Any:
        """The request's answer. Before it is sent again, `done_already` is asked for one."""
        for number, _ in enumerate(self.pauses()):
            try:
                return (done_already() if number else None) or request()
            except API_ERRORS as error:
                failure = error
                if not passes(error, self.remedies) or (number >= REPEATS and not is_busy(error)):
                    raise
        raise failure

    def pauses(self, longest: float = LONGEST_PAUSE) -> Iterator[None]:
        """At once, then after pauses that double, until the time is up; out of step with the other threads."""
        yield
        pause = 0.25
        while time.monotonic() + pause < self.deadline:
            time.sleep(pause * random.uniform(0.5, 1))
            yield
            pause = min(2 * pause, longest)
