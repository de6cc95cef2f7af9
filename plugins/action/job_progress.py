"""Follows a job of Slurm's to its end, with a line of progress that lives while it runs.

A module cannot do that: it speaks only once, when it ends.
"""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

DOCUMENTATION = """
module: job_progress
short_description: follow a Slurm job of eojob to its end
description:
  - Asks the master every O(interval) seconds for the job's state and for what its ledger says.
  - The job goes on when this task is interrupted.
options:
  job_id: {description: Slurm's number of the job., type: str, required: true}
  folder: {description: The job's folder on the master; holds its log and C(output)., type: path, required: true}
  job_python: {description: The Python of the job's environment., type: path, required: true}
  live: {description: Rewrite one line of a terminal instead of printing new ones., type: bool, default: false}
  interval: {description: Seconds between two questions., type: float, default: 2}
  tail: {description: Lines of the log to return., type: int, default: 25}
"""
EXAMPLES = """
- name: Watch job 17
  job_progress: {job_id: "17", folder: /home/eouser/eocluster/jobs/a, job_python: /home/eouser/env/bin/python3}
"""
RETURN = """
state: {description: Slurm's word for how the job ended., type: str, returned: always, sample: COMPLETED}
exit_code: {description: The job's exit code where Slurm still knows it., type: str, returned: always, sample: "1:0"}
progress: {description: What the ledger said last; see python3 -m eojob status., type: dict, returned: always}
log: {description: The end of the job's log., type: str, returned: always}
"""

# States in which a job is still to come to an end; everything else is one (man squeue, JOB STATE CODES).
UNFINISHED = frozenset({"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "REQUEUED",
                        "REQUEUE_HOLD", "REQUEUE_FED", "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT"})
REMEMBERED = 3  # answers without any state, after which Slurm has forgotten the job
ENDING = "\r\033[K"


def describe(state: str, reason: str, progress: dict[str, Any]) -> str:
    """The line of progress, for example `RUNNING  5/8 products  34.1 MB/s  12 s left`."""
    words = [state if not reason else f"{state} ({reason})"]
    total = progress.get("total")
    if total:
        words.append(f"{progress.get('done', 0) + progress.get('skipped', 0)}/{total} products")
        if progress.get("failed"):
            words.append(f"{progress['failed']} failed")
        if progress.get("mb_per_second"):
            words.append(f"{progress['mb_per_second']:.1f} MB/s")
        if progress.get("eta_seconds"):
            words.append(f"{progress['eta_seconds']:.0f} s left")
    return "  ".join(words)


class ActionModule(ActionBase):
    """See DOCUMENTATION."""

    _VALID_ARGS = frozenset({"job_id", "folder", "job_python", "live", "interval", "tail"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask until the job has ended; the result is RETURN's."""
        super().run(tmp, task_vars)
        arguments = self._task.args
        job_id = str(arguments["job_id"])
        if not job_id.isdigit():
            raise AnsibleActionFail(f"job_id is '{job_id}'; give Slurm's number of a job, as squeue shows it")
        live, said, forgotten, ended = bool(arguments.get("live")), "", 0, {"state": ""}
        while True:
            seen = self._ask(job_id)
            line = f"job {job_id}  " + describe(seen["state"] or "?", seen["reason"], seen["progress"])
            if live:
                Display().display(ENDING + line, newline=False)
            elif line != said:
                Display().display(line)
            said = line
            if seen["state"] and seen["state"] not in UNFINISHED:
                ended = seen
                break
            forgotten = 0 if seen["state"] else forgotten + 1
            if forgotten >= REMEMBERED:
                raise AnsibleActionFail(f"Slurm does not know job {job_id}; look at sacct -j {job_id} on the master")
            time.sleep(float(arguments.get("interval", 2)))
        if live:
            Display().display("")
        log = self._remote(f"tail -n {int(arguments.get('tail', 25))} {self._path(f'slurm-{job_id}.log')} 2>/dev/null")
        return {"changed": False, "state": ended["state"], "exit_code": ended["exit_code"],
                "progress": ended["progress"], "log": log}

    def _path(self, name: str) -> str:
        return shlex.quote(f"{self._task.args['folder']}/{name}")

    def _remote(self, command: str) -> str:
        """The output of a shell command on the master; nothing when it failed."""
        return str(self._low_level_execute_command(command).get("stdout", "")).strip()

    def _ask(self, job_id: str) -> dict[str, Any]:
        """One round trip: what Slurm says of the job, then what its ledger says."""
        python = shlex.quote(self._task.args["job_python"])
        # scontrol knows a job for some minutes after its end, also where there is no accounting
        answer = self._remote(
            f"cd {self._path('')} && scontrol show job {job_id} --oneliner 2>/dev/null;"
            f" echo ; {python} -m eojob status output 2>/dev/null")
        fields, _, ledger = answer.partition("\n")
        job = dict(field.split("=", 1) for field in fields.split() if "=" in field)
        try:
            progress = json.loads(ledger)
        except ValueError:
            progress = {}
        if str(progress.get("slurm_job_id")) != job_id:
            progress = {}  # what an earlier run left; this one has not started to write
        state = job.get("JobState", "") or self._remote(
            f"sacct --noheader --parsable2 --allocations --jobs {job_id} --format State").split(" ")[0]
        reason = job.get("Reason", "None") if state == "PENDING" else ""
        return {"state": state, "reason": "" if reason == "None" else reason, "exit_code": job.get("ExitCode", ""),
                "progress": progress}
