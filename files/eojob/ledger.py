"""The ledger: the truth about what is done. One JSON record per product, one file per rank and run.

`OUTPUT_DIR/ledger/RUN/run.json` says what the run set out to do, `rank-NNNN.jsonl` beside it what came of it. Each rank
has a file of its own because appends from several NFS clients to one file may overwrite each other.
"""

import glob
import json
import os
import re
from typing import Any, Dict, Iterator, List, Optional

from . import atomic

FOLDER = "ledger"

Record = Dict[str, Any]
"""product, state (done, failed or skipped), run, rank, host, slurm_job_id, parameters, started, ended, seconds by
phase, bytes, verified, output, output_bytes, quicklook, error, traceback."""


class Ledger:
    """The file of one rank in one run."""

    def __init__(self, output_dir: str, run: str, rank: int) -> None:
        self.folder = run_folder(output_dir, run)
        os.makedirs(self.folder, exist_ok=True)
        self._path = os.path.join(self.folder, f"rank-{rank:04d}.jsonl")

    def record(self, record: Record) -> None:
        """Append a record; it is on disk when this returns."""
        with open(self._path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def run_folder(output_dir: str, run: str) -> str:
    return os.path.join(output_dir, FOLDER, run)


def write_run(output_dir: str, run: Dict[str, Any]) -> None:
    """Write or replace run.json of `run["run"]`."""
    path = os.path.join(run_folder(output_dir, run["run"]), "run.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    atomic.write_text(path, json.dumps(run, indent=1, sort_keys=True) + "\n")


def runs(output_dir: str) -> List[str]:
    """The names of all runs, oldest first (a name starts with its time)."""
    found = glob.glob(os.path.join(glob.escape(output_dir), FOLDER, "*", ""))
    return sorted(os.path.basename(os.path.dirname(path)) for path in found)


def read_run(output_dir: str, run: str) -> Optional[Dict[str, Any]]:
    """run.json, or None when the run was ended before it was written."""
    try:
        with open(os.path.join(run_folder(output_dir, run), "run.json"), encoding="utf-8") as stream:
            content: Dict[str, Any] = json.load(stream)
            return content
    except (OSError, ValueError):
        return None


def records(output_dir: str, run: str) -> Iterator[Record]:
    """The records of a run by rank; a last line that was torn when its rank was killed is passed over."""
    for path in sorted(glob.glob(os.path.join(glob.escape(run_folder(output_dir, run)), "rank-*.jsonl"))):
        with open(path, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict) and re.match("^(done|failed|skipped)$", str(record.get("state"))):
                    yield record


def last_done(output_dir: str) -> Dict[str, Record]:
    """The latest record "done" of each product, over all runs."""
    latest: Dict[str, Record] = {}
    for run in runs(output_dir):
        for record in records(output_dir, run):
            if record["state"] == "done" and record["ended"] >= latest.get(record["product"], record)["ended"]:
                latest[record["product"]] = record
    return latest


def still_good(record: Record, output_dir: str, parameters: str) -> bool:
    """Whether a "done" was made with the same parameters and its result is there as it was written."""
    try:
        size = os.path.getsize(os.path.join(output_dir, str(record["output"])))
    except (OSError, KeyError):
        return False
    return bool(record.get("parameters") == parameters and size == record.get("output_bytes"))
