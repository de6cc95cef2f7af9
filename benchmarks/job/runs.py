"""One run of one method under mpirun, and whether two runs made the same pictures."""

import datetime
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TypedDict

import numpy as np
import rasterio
from eojob import report
from rasterio.windows import Window

from job import store
from job.network import Profile, shaped

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "files"
BANDS = ("B2", "B3", "B4")
RESOLUTION = 20
_ROWS = 512  # of a comparison at once


class Product(TypedDict):
    """What a method says of one product; times in s since 1970, sizes in bytes, None where it does not say."""

    product: str
    rank: int
    started: float
    ended: float
    seconds: dict[str, float]  # by phase
    bytes: int
    requests: int | None
    peak_memory: int | None    # of the rank, so far
    output_bytes: int


class Run(TypedDict):
    """One run of one method; `passed` is the proxy's account of it."""

    method: str
    wall: float        # s, of mpirun as a whole
    store_cpu: float   # s
    passed: dict[str, Any]
    products: list[Product]
    limit: dict[str, float]  # s of the decoder alone by product, around it; empty where not measured


class Task(NamedTuple):
    """What all methods do."""

    server: store.Server
    prefix: str
    products: int  # the first ones in the order of their names
    ranks: int


def tool(name: str) -> str:
    """The program beside this Python, or else on PATH. Raises RuntimeError when there is none."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise RuntimeError(f"{name} is not installed; install the development dependencies")
    return found


def mpirun(ranks: int) -> list[str]:
    """The start of the command, as templates/job.sbatch.j2 has it where nothing special is needed."""
    words = [tool("mpirun"), "-np", str(ranks)]
    if os.geteuid() == 0:
        words.append("--allow-run-as-root")
    if ranks > len(os.sched_getaffinity(0)):
        words.append("--oversubscribe")
    return words


def run(method: str, task: Task, profile: Profile, folder: Path) -> Run:
    """Run `method` ("exact", "wavelet" or "reference") into `folder`/out, which is made.

    Raises RuntimeError, with the end of what it said, when it fails.
    """
    output, scratch = folder / "out", folder / "scratch"
    output.mkdir(parents=True)
    scratch.mkdir()
    environment = {**os.environ, "GDAL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                   "PYTHONUNBUFFERED": "1", "OMPI_MCA_mpi_yield_when_idle": "1", "TMPDIR": str(folder),
                   "PYTHONPATH": os.pathsep.join(sys.path)}
    with shaped(profile, task.server.host, task.server.port) as network, (folder / "log").open("w+") as log:
        settings = _settings(method, task, profile, network.endpoint, output, scratch)
        (folder / "job.json").write_text(json.dumps(settings))
        what = ["-m", "job.reference"] if method == "reference" else [str(FILES / "image_processing.py")]
        cpu, started = store.cpu_seconds(task.server.pid), time.monotonic()
        code = _wait_for([*mpirun(task.ranks), sys.executable, *what, str(folder / "job.json")], log, environment)
        wall = time.monotonic() - started
        cpu = store.cpu_seconds(task.server.pid) - cpu
        log.seek(0)
        if code:
            raise RuntimeError(f"{method} ended with {code}:\n{log.read()[-3000:]}")
    products = _reference_products(output) if method == "reference" else _our_products(output)
    if len(products) != task.products:
        raise RuntimeError(f"{method} has done {len(products)} products of {task.products}")
    shutil.rmtree(scratch)
    _flush(output)  # now, and not while the next run is timed
    return {"method": method, "wall": wall, "store_cpu": cpu, "passed": network.passed, "products": products,
            "limit": {}}


def _flush(folder: Path) -> None:
    """Return when what was written below `folder` is on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _wait_for(command: list[str], log: IO[str], environment: dict[str, str]) -> int:
    """The command's exit code; it does not outlive this call."""
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()  # mpirun ends its ranks
            process.wait()


def _settings(method: str, task: Task, profile: Profile, endpoint: str, output: Path, scratch: Path) -> dict[str, Any]:
    job = {"endpoint_url": endpoint, "bucket": store.BUCKET, "prefix": task.prefix, "profile": store.PROFILE,
           "max_products": task.products, "resolution": RESOLUTION, "bands": list(BANDS), "output_dir": str(output),
           "scratch_dir": str(scratch)}
    if method == "reference":
        host = endpoint.rpartition("/")[2]
        # Written as one product does it; SNAP's GeoTIFF writer does not compress.
        return {"job": {**job, "compress": "none"},
                "s3cmd": [tool("s3cmd"), f"--config={task.server.s3cmd}", "--no-ssl", "--no-progress",
                          f"--host={host}", f"--host-bucket={host}", "--region=default"]}
    if profile.requests:
        job["max_connections"] = profile.requests
    if method != "exact":
        job["method"] = method
    return job


def _reference_products(output: Path) -> list[Product]:
    products: list[Product] = []
    for path in sorted(output.glob("rank-*.json")):
        products += json.loads(path.read_text())
    return products


def _our_products(output: Path) -> list[Product]:
    return [{"product": record["product"], "rank": record["rank"], "started": _epoch(record["started"]),
             "ended": _epoch(record["ended"]), "seconds": record["seconds"], "bytes": record["bytes"],
             "requests": record.get("requests"), "peak_memory": record.get("peak_memory"),
             "output_bytes": record["output_bytes"]} for record in report.report(str(output))["products"]]


def _epoch(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def difference(first: Path, second: Path, products: Sequence[str]) -> float:
    """The root mean square difference (DN) of two folders of results over all pixels; 0 when all are equal.

    Raises RuntimeError when a result is missing, or has another shape or place.
    """
    squares = count = 0
    for name in products:
        paths = [folder / f"{name}.tif" for folder in (first, second)]
        for path in paths:
            if not path.exists():
                raise RuntimeError(f"{path} is missing")
        with rasterio.open(paths[0]) as a, rasterio.open(paths[1]) as b:
            forms = [(each.shape, each.dtypes, each.transform, each.crs, each.descriptions) for each in (a, b)]
            if forms[0] != forms[1]:
                raise RuntimeError(f"{name}: the results differ in form: {forms[0]} and {forms[1]}")
            for top in range(0, a.height, _ROWS):
                window = Window(0, top, a.width, min(_ROWS, a.height - top))
                apart = a.read(window=window).astype(np.int64) - b.read(window=window)
                squares += int((apart * apart).sum())
                count += apart.size
    return float((squares / count) ** 0.5)
