"""The workflow of the tutorial, written anew: what the job is measured against.

    mpirun -n 2 python -m job.reference settings.json

Rank 0 lists, np.array_split and scatter share the products out; each rank then takes one product after the other:
`s3cmd get --recursive` of the whole SAFE, read, Resample, Subset, and a plain GeoTIFF without compression, as SNAP's
writer makes it. It decodes by eojob's engine `gdal`, so that both sides decode alike, where the tutorial uses SNAP. The
SAFE is removed afterwards, because full-size products would fill the disk; the tutorial leaves it.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.config import Config
from eojob import engines, jobfile
from eojob.jobfile import Job

from job.local import LocalProduct
from job.runs import Product


def listing(job: Job) -> list[str]:
    """The prefixes of the first products. MaxKeys, as the tutorial has it, would count the folder's own key as well."""
    client: Any = boto3.Session(profile_name=job.profile).client(
        "s3", endpoint_url=job.endpoint_url, region_name=job.region, config=Config(s3={"addressing_style": "path"}))
    found = client.list_objects(Delimiter="/", Bucket=job.bucket, Prefix=job.prefix)
    return [entry["Prefix"] for entry in found["CommonPrefixes"]][:job.max_products]


def fetch(job: Job, s3cmd: list[str], prefix: str) -> Path:
    """Bring the whole SAFE to scratch; its folder. Raises RuntimeError with the end of what s3cmd says."""
    folder = Path(job.scratch_dir, prefix.rstrip("/").rpartition("/")[2])
    folder.mkdir()
    done = subprocess.run([*s3cmd, "get", "--recursive", f"s3://{job.bucket}/{prefix}", f"{folder}/"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"s3cmd ended with {done.returncode} on {prefix}: {done.stderr[-1000:]}")
    return folder


def process(job: Job, product: Path) -> dict[str, float]:
    """Read, Resample, Subset, write; seconds by phase."""
    engine = engines.load(job)
    engine.check()
    engine.start(job.scratch_dir)
    source = engine.read_product(LocalProduct(product, job.bands))
    resampled = engine.create_product("Resample", {"targetResolution": job.resolution,
                                                   "downsampling": job.downsampling}, source)
    subset = engine.create_product("Subset", {"sourceBands": ",".join(job.bands), "copyMetadata": "true"}, resampled)
    engine.write_product(subset, str(Path(job.output_dir, product.stem + ".tif")), "GeoTIFF")
    engine.close_product(source)
    engine.stop()
    return dict(engine.seconds)


def one_product(job: Job, s3cmd: list[str], prefix: str, rank: int) -> Product:
    """Fetch and process a product; what it took."""
    started = time.time()
    folder = fetch(job, s3cmd, prefix)
    fetched = time.time()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    seconds = process(job, folder)
    processed = time.time()
    shutil.rmtree(folder)
    ended = time.time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"product": folder.stem, "rank": rank, "started": started, "ended": ended, "bytes": size,
            "peak_memory": peak, "requests": None,
            "seconds": {**seconds, "fetch": fetched - started, "wait": fetched - started,
                        "finish": ended - processed, "total": ended - started},
            "output_bytes": Path(job.output_dir, folder.stem + ".tif").stat().st_size}


def main() -> None:
    """Do this rank's share of the products; their records go beside the results."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    job, s3cmd = jobfile.parse(settings["job"]), settings["s3cmd"]
    from mpi4py import MPI  # importing it starts it
    comm = MPI.COMM_WORLD
    chunks = []
    if comm.rank == 0:
        chunks = np.array_split(np.array(listing(job)), comm.size)
    chunk = comm.scatter(chunks, root=0)
    products = [one_product(job, s3cmd, str(prefix), comm.rank) for prefix in chunk]
    Path(job.output_dir, f"rank-{comm.rank}.json").write_text(json.dumps(products))


if __name__ == "__main__":
    main()
