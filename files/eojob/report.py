"""What the ledger says, for people (table) and for programs (JSON)."""

import json
import os
import time
from typing import Any, Dict, List, Optional, Sequence

from . import atomic, figures, ledger
from .ledger import Record

_PHASES = ("fetch", "wait", "decode", "write", "quicklook", "total")
_COUNTED = ("product", "state", "bytes", "error")  # what status looks at; a hundred thousand records are large


def status(output_dir: str) -> Dict[str, Any]:
    """The latest run of `output_dir`, also while it works.

    Returns:
        run, state ("none", "starting", "running", "interrupted" or "finished"; a run whose ranks were killed stays
        "running"), total, done, failed, skipped (done by an earlier run), remaining, bytes_fetched, bytes_total,
        elapsed_seconds, mb_per_second, eta_seconds (None until something is done), slurm_job_id, exit_code,
        failures [{product, reason}].
    """
    names = ledger.runs(output_dir)
    return _status(output_dir, names[-1], _by_product(output_dir, names[-1], _COUNTED)) if names \
        else _status(output_dir, None, {})


def _status(output_dir: str, name: Optional[str], latest: Dict[str, Record]) -> Dict[str, Any]:
    run = (ledger.read_run(output_dir, name) if name else None) or {}
    states = [record["state"] for record in latest.values()]
    counts = {state: states.count(state) for state in ("done", "failed", "skipped")}
    total = int(run.get("total", 0))
    # The list of products is long, and only a run under way needs more of it than its sum.
    sizes = {}
    if name and ("bytes_total" not in run or 0 < len(latest) < total):
        sizes = ledger.product_bytes(output_dir, name)
    to_fetch = int(run.get("bytes_total", sum(sizes.values())))
    fetched = sum(int(record.get("bytes", 0)) for record in latest.values())
    elapsed = 0.0
    if run.get("started_epoch"):
        elapsed = max(0.0, (run.get("ended_epoch") or time.time()) - run["started_epoch"])
    passed = sum(sizes.get(name, 0) for name in latest)
    eta = None
    if run and total == len(latest):
        eta = 0.0
    elif passed and elapsed:
        eta = round(elapsed * (to_fetch - passed) / passed, 1)
    return {
        "run": name,
        "state": run.get("state", "starting") if name else "none",
        "total": total, **counts, "remaining": max(0, total - len(latest)),
        "bytes_fetched": fetched, "bytes_total": to_fetch,
        "elapsed_seconds": round(elapsed, 1),
        "mb_per_second": round(fetched / 1e6 / elapsed, 2) if elapsed else 0.0,
        "eta_seconds": eta,
        "slurm_job_id": run.get("slurm_job_id"), "exit_code": run.get("exit_code"),
        "failures": [{"product": record["product"], "reason": record.get("error", "")}
                     for record in sorted(latest.values(), key=lambda r: str(r["product"]))
                     if record["state"] == "failed"],
    }


def geotiffs(folder: str) -> List[str]:
    """The paths of all GeoTIFFs below `folder`, sorted, but for those of products that were fetched to there.

    Hidden ones are left out as well: they are still being written, or were left behind.
    """
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not (name.startswith(".") or name.endswith(".SAFE"))]
        found += [os.path.join(parent, name) for name in names
                  if name.lower().endswith((".tif", ".tiff")) and not name.startswith(".")]
    return sorted(found)


def _by_product(output_dir: str, run: str, keys: Sequence[str] = ()) -> Dict[str, Record]:
    return {record["product"]: record for record in ledger.records(output_dir, run, keys)}


def report(output_dir: str) -> Dict[str, Any]:
    """`status` with a list "products": each product of the latest run, with the record of the run that made it.

    Without any run, as of a script that knows nothing of eojob, "geotiffs" and "geotiff_bytes" say what there is.
    """
    names = ledger.runs(output_dir)
    if not names:
        sizes = [os.path.getsize(path) for path in geotiffs(output_dir)]
        return dict(status(output_dir), products=[], busy_share=None, geotiffs=len(sizes), geotiff_bytes=sum(sizes))
    latest = _by_product(output_dir, names[-1])
    content = _status(output_dir, names[-1], latest)
    earlier = ledger.last_done(output_dir) if content["skipped"] else {}
    products = []
    for name in sorted(latest):
        record = dict(earlier[name], state="skipped") if latest[name]["state"] == "skipped" and name in earlier \
            else latest[name]
        products.append({key: value for key, value in record.items() if key != "traceback"})
    run = ledger.read_run(output_dir, names[-1]) or {}
    busy = sum(record.get("seconds", {}).get("total", 0.0) for record in latest.values())
    capacity = run.get("ranks", 0) * content["elapsed_seconds"]
    return dict(content, products=products, ranks=run.get("ranks"),
                busy_share=round(busy / capacity, 3) if capacity else None,
                **figures.of(latest.values()), approximation=figures.errors(products))


def text(content: Dict[str, Any]) -> str:
    """`report` as a table."""
    if content["run"] is None:
        return (f"{content['geotiffs']} GeoTIFF(s), {content['geotiff_bytes'] / 1e6:.1f} MB; there is no ledger: the"
                " script keeps none, or the job has not come that far\n")
    approximate = content["approximation"] is not None
    rows = []
    for record in content["products"]:
        seconds = record.get("seconds", {})
        rows.append([record["product"], "done before" if record["state"] == "skipped" else record["state"],
                     f"{record.get('bytes', 0) / 1e6:.1f}",
                     *(f"{seconds[phase]:.1f}" if phase in seconds else "-" for phase in _PHASES),
                     f"{record.get('output_bytes', 0) / 1e6:.1f}", *(figures.cells(record) if approximate else ()),
                     f"{record.get('rank')}@{record.get('host')}", record.get("error", "")])
    header = ["product", "state", "MB in", *(f"{phase} s" for phase in _PHASES), "MB out",
              *(figures.COLUMNS if approximate else ()), "rank", "reason"]
    busy = "" if content["busy_share"] is None else f", ranks busy {content['busy_share']:.0%} of the time"
    summary = (f"{content['done']} done, {content['failed']} failed, {content['skipped']} done before,"
               f" {content['remaining']} to do, of {content['total']}; {content['bytes_fetched'] / 1e6:.1f} MB fetched"
               f" in {content['elapsed_seconds']:.1f} s ({content['mb_per_second']:.1f} MB/s){busy}")
    return "\n".join([table(header, rows), "", summary, *figures.lines(content)]) + "\n"


def write(output_dir: str) -> Dict[str, Any]:
    """Write report.json and report.txt into `output_dir`; the content. Raises OSError."""
    content = report(output_dir)
    atomic.write_text(os.path.join(output_dir, "report.json"), json.dumps(content, indent=1, sort_keys=True) + "\n")
    atomic.write_text(os.path.join(output_dir, "report.txt"), text(content))
    return content


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain-text columns as wide as their longest cell."""
    lines: List[Sequence[str]] = [header, *rows]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(header))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in lines)
