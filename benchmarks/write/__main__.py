"""Writes one full-size result with every profile that the job offers, and reports to benchmarks/write.md.

    PYTHONPATH=benchmarks:lab:files python -m write [--rounds 5]

Uses the largest product of the archive of `python -m job` (.cache/sample_archive), at 20 m, three bands.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from eojob import geotiff
from eojob.engines import gdal
from job import session
from job.bench import ARCHIVE, PREFIX
from job.local import band_file
from job.results import table
from job.runs import BANDS, RESOLUTION, ROOT

REPORT = ROOT / "benchmarks" / "write.md"
PROFILES = [*itertools.product(("geotiff", "cog"), ("none", "zstd", "lzw", "deflate"))]


def pixels(archive: Path) -> list[np.ndarray]:
    """The bands of the product with the most bytes, as First gives them; (rows, columns) uint16 each."""
    largest = max(archive.glob("*.SAFE"), key=lambda folder: band_file(folder, "B2").stat().st_size, default=None)
    if largest is None:
        raise RuntimeError(f"there are no products in {archive}; python -m job says how to make them")
    planes = []
    with geotiff.environment(os.cpu_count() or 1):
        for band in BANDS:
            with rasterio.open(band_file(largest, band)) as dataset:
                planes.append(np.concatenate(list(gdal.first(iter([dataset.read(1)]), RESOLUTION // 10))))
    return planes


def write(planes: list[np.ndarray], folder: Path, file_format: str, compress: str) -> tuple[float, int]:
    """CPU seconds and bytes of the result, written as the engine `gdal` does."""
    plain, path, started = folder / "plain.tif", folder / "result.tif", time.process_time()
    with geotiff.environment():
        first = path if file_format == "geotiff" else plain
        writer = geotiff.Writer(str(first), planes[0].shape, list(BANDS), 32632, (600000.0, 5300040.0), RESOLUTION,
                                compress, {})
        for index, plane in enumerate(planes):
            for top in range(0, len(plane), geotiff.BLOCK):
                writer.write(index, top, plane[top:top + geotiff.BLOCK])
        writer.close()
        if file_format == "cog":
            geotiff.to_cog(str(plain), str(path), compress)
    return time.process_time() - started, path.stat().st_size


def main() -> int:
    """Measure and report; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m write", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=10980, help="side in pixels at 10 m (%(default)s)")
    options = parser.parse_args()
    try:
        planes = pixels(ARCHIVE / str(options.size) / PREFIX)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found: dict[tuple[str, str], list[tuple[float, int]]] = {}
    with tempfile.TemporaryDirectory(prefix="write-", dir=session.CACHE) as name:
        for _, profile in itertools.product(range(options.rounds), PROFILES):
            found.setdefault(profile, []).append(write(planes, Path(name), *profile))
    rows = [[*profile, f"{statistics.median(seconds for seconds, _ in runs):.2f}", f"{runs[0][1] / 1e6:.1f}"]
            for profile, runs in found.items()]
    command = " ".join(["python -m write", *sys.argv[1:]])
    REPORT.write_text(f"""# Profiles of a result

Written on {time.strftime('%Y-%m-%d')} by `{command}` ([benchmarks/write](write)):
{session.machine()}; GDAL {rasterio.__gdal_version__}.

{len(BANDS)} bands of {planes[0].shape[0]} x {planes[0].shape[1]} pixels of uint16, by `eojob.geotiff` on one core, to a
disk's cache; CPU seconds, medians of {options.rounds} rounds. The default is the quickest that compresses. A COG is
written as a GeoTIFF first, then once more with its overviews; both are in its seconds.

{table(["format", "compress", "CPU seconds", "MB"], rows)}
""", encoding="utf-8")
    print(f"written to {REPORT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
