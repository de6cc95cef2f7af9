"""The ledger: the truth about what is done. One JSON record per product, one file per rank and run.

`OUTPUT_DIR/ledger/RUN/run.json` says what the run set out to do, `products.jsonl` beside it with which products, and
`rank-NNNN.jsonl` what came of it. Each rank has a file of its own because appends from several NFS clients to one file
may overwrite each other.
"""

import glob
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from . import atomic

FOLDER = "ledger"
IDENTITY = ("product", "state", "run", "parameters", "ended", "output", "output_bytes")
"""The keys of a record that say whether a product is done, and where."""

_THREADS = 32  # files looked at or read at a time; each costs a round trip to the NFS server
_DONE = re.compile(r'"state":\s*"done"')

Record = Dict[str, Any]
"""product, state (done, failed or skipped), run, rank, host, slurm_job_id, parameters, started, ended, seconds by
phase, bytes, requests, verified, method (exact or wavelet), peak_memory (bytes of the rank so far), output (a file in
OUTPUT_DIR, or an s3:// URL), output_bytes, quicklook, error, traceback; of wavelet also approximation: {"first":
{"rmse", "bias", "largest"}, "mean": the same, "pixels"} in DN, or {"bands": {band: such a dictionary}}."""


class Ledger:
    """The file of one rank in one run."""

    def __init__(self, output_dir: str, run: str, rank: int) -> None:
        self.folder = run_folder(output_dir, run)
        os.makedirs(self.folder, exist_ok=True)
        self._path = os.path.join(self.folder, f"rank-{rank:04d}.jsonl")

    def record(self, *records: Record) -> None:
        """Append records; they are on disk when this returns. Many at once cost hardly more than one."""
        with open(self._path, "a", encoding="utf-8") as stream:
            stream.writelines(_line(record) for record in records)
            stream.flush()
            os.fsync(stream.fileno())


def _line(content: Any) -> str:
    return json.dumps(content, sort_keys=True) + "\n"


def run_folder(output_dir: str, run: str) -> str:
    return os.path.join(output_dir, FOLDER, run)


def write_run(output_dir: str, run: Dict[str, Any]) -> None:
    """Write or replace run.json of `run["run"]`.

    The list `run["products"]` of {product, bytes}, when there is one, goes into products.jsonl, and their sum into
    "bytes_total"; a run that is closed without the list keeps both.
    """
    folder = run_folder(output_dir, run["run"])
    os.makedirs(folder, exist_ok=True)
    content = {key: value for key, value in run.items() if key != "products"}
    if "products" in run:
        atomic.write_text(os.path.join(folder, "products.jsonl"), "".join(_line(item) for item in run["products"]))
        content["bytes_total"] = sum(int(item["bytes"]) for item in run["products"])
    atomic.write_text(os.path.join(folder, "run.json"), json.dumps(content, indent=1, sort_keys=True) + "\n")


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


def product_bytes(output_dir: str, run: str) -> Dict[str, int]:
    """The bytes that a run set out to fetch, by product."""
    try:
        with open(os.path.join(run_folder(output_dir, run), "products.jsonl"), encoding="utf-8") as stream:
            items = [json.loads(line) for line in stream]
    except FileNotFoundError:
        items = (read_run(output_dir, run) or {}).get("products", [])  # as the first version of the ledger had it
    return {item["product"]: int(item["bytes"]) for item in items}


def records(output_dir: str, run: str, keys: Sequence[str] = (),
            wanted: Callable[[str], Any] = bool) -> Iterator[Record]:
    """The records of a run by rank; a last line that was torn when its rank was killed is passed over.

    Args:
        keys: of the records, to save memory; all when there are none.
        wanted: whether a line is worth reading.
    """
    for line in _lines(sorted(glob.glob(os.path.join(glob.escape(run_folder(output_dir, run)), "rank-*.jsonl")))):
        if not wanted(line):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("state") in ("done", "failed", "skipped"):
            yield _only(record, keys) if keys else record


def _only(record: Record, keys: Iterable[str]) -> Record:
    # What all records of a run have in common is kept once.
    return {key: sys.intern(record[key]) if key in ("state", "run", "parameters") and isinstance(record[key], str)
            else record[key] for key in keys if key in record}


def _lines(paths: List[str]) -> Iterator[str]:
    """The lines of many small files, of which a few are read ahead."""
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        for first in range(0, len(paths), _THREADS):
            for content in pool.map(_read, paths[first:first + _THREADS]):
                yield from content.split("\n")


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def last_done(output_dir: str, keys: Sequence[str] = ()) -> Dict[str, Record]:
    """The latest record "done" of each product, over all runs; of it only `keys`, when there are any.

    `keys`: see `IDENTITY`, which is all that `good` looks at.
    """
    latest: Dict[str, Record] = {}
    for run in runs(output_dir):
        for record in records(output_dir, run, keys, _DONE.search):
            if record["state"] == "done" and record["ended"] >= latest.get(record["product"], record)["ended"]:
                latest[record["product"]] = record
    return latest


def still_good(record: Record, output_dir: str, parameters: str) -> bool:
    """Whether a "done" was made with the same parameters and its result is there as it was written."""
    return bool(good({str(record.get("product")): record}, output_dir, parameters))


def good(done: Dict[str, Record], output_dir: str, parameters: str,
         exists: Optional[Callable[[str], Optional[int]]] = None) -> Dict[str, Record]:
    """Those of `last_done` that were made with the same parameters and whose results are there as they were written.

    The folder is listed once, and no file is looked at that it does not hold.

    Args:
        exists: the bytes of the object at an s3:// URL, None when there is none; without it such results count as
            lost. Called in several threads.
    """
    same = [(name, record) for name, record in done.items()
            if record.get("parameters") == parameters and record.get("output")]
    present = set(os.listdir(output_dir)) if len(same) > 1 and os.path.isdir(output_dir) else None

    def is_there(item: Tuple[str, Record]) -> bool:
        output = str(item[1]["output"])
        if output.startswith("s3://"):
            size = exists(output) if exists else None
        elif present is not None and os.sep not in output and output not in present:
            size = None
        else:
            size = _size(os.path.join(output_dir, output))
        return size is not None and size == item[1].get("output_bytes")

    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        return {name: record for (name, record), there in zip(same, pool.map(is_there, same)) if there}


def _size(path: str) -> Optional[int]:
    try:
        return os.path.getsize(path)
    except OSError:
        return None
