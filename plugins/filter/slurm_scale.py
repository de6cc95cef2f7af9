"""Which workers leave a Slurm cluster when it gets smaller: decided from what Slurm says, never by chance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: slurm_scale
short_description: choose the workers that leave a Slurm cluster
description:
  - Those that were drained for this before and are free go first, then those that can run no job, then idle ones, and
    only then busy ones, those first whose jobs end soonest. Within a class the highest name goes first.
options:
  _input: {description: Names of the workers that the cluster has., type: list, elements: str, required: true}
  wanted: {description: How many of them stay., type: int, required: true}
  nodes:
    description: The lines of C(sinfo --noheader --Node --format='%N|%T|%E'). Empty where there is no Slurm yet.
    type: list
    elements: str
    required: true
  jobs:
    description: The lines of C(squeue --noheader --format='%i|%u|%L|%N|%j') for jobs that hold nodes.
    type: list
    elements: str
    required: true
  reason: {description: The reason with which nodes are drained for this., type: str, required: true}
"""
EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ groups['slurm_worker'] | slurm_scale(3, sinfo.stdout_lines, squeue.stdout_lines, 'eocluster scale') }}"
"""
RETURN = """
_value:
  description: What to do.
  type: dict
  contains:
    remove: {description: "Those that leave: C(name), C(why), and C(jobs), which are still on them.", type: list}
    drain: {description: Names of those that have to be drained for it., type: list}
    resume: {description: Names of those that were drained for this before and stay., type: list}
"""

FLAGS = "*~#!%$@+^-"  # what sinfo hangs on a state (man sinfo, NODE STATE CODES); * is: does not respond
FREE = frozenset({"idle", "planned", "reserved", "maint"})  # can run jobs, and does not
BUSY = frozenset({"allocated", "mixed", "draining", "completing", "blocked"})
FOREVER = 10**9  # s
_FIRST, _DOWN, _IDLE, _BUSY = range(4)


class Job(NamedTuple):
    """A job that holds nodes: its number, owner, name, and seconds to its time limit."""

    number: str
    user: str
    name: str
    left: int
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        return f"job {self.number} ({self.user}, {self.name})"


class Node(NamedTuple):
    """A worker as Slurm sees it."""

    name: str
    state: str
    reason: str
    jobs: tuple[Job, ...]

    def busy(self) -> bool:
        """Whether something runs on it, or is about to."""
        return bool(self.jobs) or self.state.rstrip(FLAGS) in BUSY

    def left(self) -> int:
        """Seconds until it is free, at the latest."""
        if self.state.rstrip(FLAGS) == "completing":
            return 0
        return max((job.left for job in self.jobs), default=FOREVER)

    def turn(self, reason: str) -> tuple[int, int, bool]:
        """The smaller, the sooner it goes."""
        ours = self.reason == reason
        if self.busy():
            return _BUSY, self.left(), not ours
        if ours:
            return _FIRST, 0, False
        able = self.state.rstrip(FLAGS) in FREE and "*" not in self.state
        return (_IDLE if able else _DOWN), 0, False

    def why(self, reason: str) -> str:
        """The turn in words."""
        kind, left, _ = self.turn(reason)
        if kind == _BUSY:
            end = "at a time that Slurm does not know" if left >= FOREVER else f"in {left} s at the latest"
            return f"busy, and free before the other busy ones, {end}"
        return {_FIRST: "drained for this before", _DOWN: self.state or "not in Slurm", _IDLE: self.state}[kind]


def seconds(time: str) -> int:
    """Slurm's D-HH:MM:SS, HH:MM:SS or MM:SS in seconds; what is no time (UNLIMITED, NOT_SET, INVALID) is for ever."""
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", time.strip())
    if not found:
        return FOREVER
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def expand(nodelist: str) -> Iterator[str]:
    """The names in a node list of Slurm's, for example a[001-002,7],b."""
    for part in re.findall(r"(?:\[[^]]*\]|[^,\[])+", nodelist):
        head, bracket, rest = part.partition("[")
        if not bracket:
            yield part
            continue
        ranges, _, tail = rest.partition("]")
        for bounds in ranges.split(","):
            low, _, high = bounds.partition("-")
            for number in range(int(low), int(high or low) + 1):
                yield from expand(f"{head}{number:0{len(low)}d}{tail}")


def read_jobs(lines: Iterable[str]) -> list[Job]:
    """What squeue says; jobs without nodes hold none."""
    jobs = []
    for line in filter(None, lines):
        fields = line.split("|", 4)
        if len(fields) != 5:
            raise AnsibleFilterError(f"squeue says '{line}'; expected number|user|time left|nodes|name")
        number, user, left, nodes, name = fields
        jobs.append(Job(number, user, name, seconds(left), tuple(expand(nodes))))
    return jobs


def read_nodes(names: Sequence[str], lines: Iterable[str], jobs: Sequence[Job]) -> list[Node]:
    """What sinfo says of these workers; one that it does not know has no state."""
    seen = {}
    for line in filter(None, lines):
        fields = line.split("|", 2)
        if len(fields) != 3:
            raise AnsibleFilterError(f"sinfo says '{line}'; expected name|state|reason")
        seen[fields[0]] = (fields[1], fields[2])
    return [Node(name, *seen.get(name, ("", "")), jobs=tuple(job for job in jobs if name in job.nodes))
            for name in names]


def slurm_scale(workers: Sequence[str], wanted: int, nodes: Iterable[str], jobs: Iterable[str], reason: str
                ) -> dict[str, list[Any]]:
    """See DOCUMENTATION."""
    seen = read_nodes(sorted(workers, reverse=True), nodes, read_jobs(jobs))
    seen.sort(key=lambda node: node.turn(reason))  # stable: the highest name first within a class
    leaving = seen[:max(len(seen) - int(wanted), 0)]
    return {
        "remove": [{"name": node.name, "why": node.why(reason), "jobs": [str(job) for job in node.jobs]}
                   for node in leaving],
        # What somebody else drained stays as it is, so that nothing of it has to be undone.
        "drain": sorted(node.name for node in leaving
                        if node.state and node.reason != reason and not node.state.startswith("drain")),
        "resume": sorted(node.name for node in seen if node not in leaving and node.reason == reason),
    }


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        """Name and function."""
        return {"slurm_scale": slurm_scale}
