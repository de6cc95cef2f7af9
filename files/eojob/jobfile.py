"""The job file: what is processed, how, and where results go. JSON; needs nothing beyond the standard library.

A job file is checked as a whole, so that one run of the check names every fault.
"""

import hashlib
import json
import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import bands as band_table
from . import jobvalues
from .engines import ENGINES
from .errors import EojobError

DOWNSAMPLING = ("First", "Mean")
METHODS = ("exact", "wavelet")
COMPRESSION = ("deflate", "zstd", "lzw", "none")
FORMATS = ("geotiff", "cog")
WRITE_TO = ("output_dir", "scratch")
TRANSFERS = ("boto3", "s3cmd")


class Job(NamedTuple):
    """A checked job; the comments give units."""

    endpoint_url: str  # http(s)://host[:port]
    bucket: str
    prefix: str  # keys below it are listed; products are the NAME.SAFE/ directly under it
    profile: str  # profile in ~/.aws; "" for boto3's default credentials
    region: str
    page_size: int  # keys per page of a listing, 1 to 1000
    max_products: int  # 0 for all
    resolution: int  # m
    bands: Tuple[str, ...]  # SNAP's names, in the order of the output
    downsampling: str  # "First", "Mean", or both, "First,Mean"
    engine: str
    output_dir: str  # shared by all nodes
    scratch_dir: str  # local to each node
    overwrite: bool
    method: str  # "exact", or "wavelet": approximate pixels of the JPEG 2000's own lower resolution
    compress: str
    format: str  # "geotiff", or "cog" with overviews
    write_to: str  # "output_dir", or "scratch": written there and copied
    upload_url: str  # s3://BUCKET/FOLDER/ that results go to; "" to keep them in output_dir
    upload_endpoint_url: str  # "" for endpoint_url
    upload_profile: str  # "" for profile
    upload_region: str  # "" for region
    transfer: str  # what fetches objects: "boto3" (ranged requests) or "s3cmd"
    connections: int  # parallel requests of one rank
    max_connections: int  # parallel requests of the whole job; 0 for no limit
    node_connections: int  # parallel requests of all ranks of a node; 0 for no limit
    retries: int  # repeats of one request after 429, 5xx or a broken connection
    connect_timeout: float  # s
    read_timeout: float  # s
    snap_home: str  # where SNAP is; "" for where the installed esa_snappy or snappy says
    java_memory: str  # heap of one rank's JVM, such as "3G"; "" for its share of the node
    graph: str  # file of a SNAP graph to run on each product; "" for none
    graph_timeout: int  # s that gpt may take for a product; 0 for no limit


_REQUIRED = object()


class JobFileError(EojobError):
    """All the faults of a job file, one a line."""

    def __init__(self, path: str, faults: List[str]) -> None:
        plural = "" if len(faults) == 1 else "s"
        super().__init__(f"{path}: {len(faults)} fault{plural}\n" + "\n".join("  - " + fault for fault in faults))
        self.faults = faults


# key: (conversion, default)
_KEYS: Dict[str, Tuple[Callable[[Any], Any], Any]] = {
    "endpoint_url": (jobvalues.endpoint, _REQUIRED),
    "bucket": (jobvalues.bucket, _REQUIRED),
    "prefix": (jobvalues.prefix, _REQUIRED),
    "profile": (jobvalues.optional_text, ""),
    "region": (jobvalues.text, "default"),
    "page_size": (jobvalues.whole(1, 1000), 1000),
    "max_products": (jobvalues.whole(0, 10 ** 9), 0),
    "resolution": (jobvalues.resolution, 20),
    "bands": (jobvalues.bands, ["B2", "B3", "B4"]),
    "downsampling": (jobvalues.some_of(DOWNSAMPLING), "First"),
    "engine": (jobvalues.one_of(tuple(ENGINES)), "gdal"),
    "output_dir": (jobvalues.folder, _REQUIRED),
    "scratch_dir": (jobvalues.folder, None),
    "overwrite": (jobvalues.flag, False),
    "method": (jobvalues.one_of(METHODS), "exact"),
    "compress": (jobvalues.one_of(COMPRESSION), "zstd"),
    "format": (jobvalues.one_of(FORMATS), "geotiff"),
    "write_to": (jobvalues.one_of(WRITE_TO), "output_dir"),
    "upload_url": (jobvalues.s3_url, ""),
    "upload_endpoint_url": (jobvalues.optional_endpoint, ""),
    "upload_profile": (jobvalues.optional_text, ""),
    "upload_region": (jobvalues.optional_text, ""),
    "transfer": (jobvalues.one_of(TRANSFERS), "boto3"),
    "connections": (jobvalues.whole(1, 64), 4),
    "max_connections": (jobvalues.whole(0, 10 ** 6), 0),
    "node_connections": (jobvalues.whole(0, 10 ** 6), 0),
    "retries": (jobvalues.whole(0, 20), 5),
    "connect_timeout": (jobvalues.seconds, 10),
    "read_timeout": (jobvalues.seconds, 60),
    "snap_home": (jobvalues.snap_home, ""),
    "java_memory": (jobvalues.java_memory, ""),
    "graph": (jobvalues.optional_text, ""),
    "graph_timeout": (jobvalues.whole(0, 10 ** 6), 0),
}


def parse(data: Any, path: str = "job file") -> Job:
    """Check the content of a job file.

    Args:
        data: what `json.load` gave.
        path: named in the message of faults.
    Raises:
        JobFileError: with every fault, each naming key, value and remedy.
    """
    if not isinstance(data, dict):
        raise JobFileError(path, ["must hold one JSON object, { \"endpoint_url\": …, … }"])
    faults = [f"{key}: unknown key; the keys are {', '.join(_KEYS)}" for key in data if key not in _KEYS]
    values: Dict[str, Any] = {}
    for key, (convert, default) in _KEYS.items():
        if key in data:
            value = data[key]
        elif default is _REQUIRED:
            faults.append(f"{key}: is missing; give it a value")
            continue
        else:
            value = _default(key, default, data)
        try:
            values[key] = convert(value)
        except jobvalues.Fault as fault:
            faults.append(f"{key}: {json.dumps(value)} {fault}")
    faults.extend(_factor_faults(values))
    faults.extend(_engine_faults(values))
    if faults:
        raise JobFileError(path, faults)
    return Job(**values)


def _default(key: str, default: Any, data: Dict[str, Any]) -> Any:
    if key == "scratch_dir":
        return jobvalues.default_scratch()
    return "gpt" if key == "engine" and data.get("graph") else default


def _factor_faults(values: Dict[str, Any]) -> List[str]:
    """Bands whose native pixels do not fit the resolution a whole number of times."""
    resolution = values.get("resolution")
    if resolution is None:
        return []
    found = (band_table.factor_fault(band, band_table.NATIVE_RESOLUTION[band], resolution)
             for band in values.get("bands", ()))
    return [f"resolution: {resolution} does not fit: {fault}; use 10, 20 or a multiple of 60"
            for fault in found if fault]


def _engine_faults(values: Dict[str, Any]) -> List[str]:
    """What the engine named cannot do."""
    engine, faults = values.get("engine"), []
    if values.get("graph") and engine not in (None, "gpt"):
        faults.append(f"engine: \"{engine}\" runs no graphs; use gpt, or leave graph out")
    for key, value in (("method", "wavelet"), ("format", "cog"), ("downsampling", ",".join(DOWNSAMPLING))):
        if values.get(key) == value and engine not in (None, "gdal"):
            faults.append(f"{key}: \"{value}\" is for engine gdal, and engine is \"{engine}\"; use gdal, or leave"
                          f" {key} out")
    if values.get("format") == "cog" and values.get("compress") == "none":
        faults.append('compress: "none" does not go with format "cog", whose layout GDAL then leaves out; use zstd')
    if values.get("method") == "wavelet" and {"resolution", "bands"} <= set(values):
        native = {band: band_table.NATIVE_RESOLUTION[band] for band in values["bands"]}
        if not any(band_table.wavelet_levels(side, values["resolution"]) for side in native.values()):
            faults.append("method: \"wavelet\" halves a band's pixels one to four times, which for none of"
                          f" {', '.join(native)} gives {values['resolution']} m; use exact, or another resolution")
    return faults


def load(path: str) -> Job:
    """Read and check the job file `path`. Raises JobFileError."""
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except OSError as error:
        raise JobFileError(path, [f"cannot be read ({error.strerror}); give the path of a job file"]) from error
    except ValueError as error:
        raise JobFileError(path, [f"is not valid JSON ({error}); mend it there"]) from error
    return parse(data, path)


def parameters_hash(job: Job, script: Optional[str]) -> str:
    """A short hash of all that decides the pixels and the form of a result: same hash, same result.

    Args:
        script: path of the script that holds `process`, hashed by content, as the graph is; None when there is none.
    """
    deciding = [job.resolution, list(job.bands), job.downsampling, job.engine, job.compress]
    if (job.method, job.format, job.upload_url) != ("exact", "geotiff", ""):  # older results keep their hash
        deciding += [job.method, job.format, job.upload_url]
    digest = hashlib.sha256(json.dumps(deciding).encode())
    for path in (script, job.graph):
        if path and os.path.isfile(path):
            with open(path, "rb") as stream:
                digest.update(stream.read())
    return digest.hexdigest()[:16]
