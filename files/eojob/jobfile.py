"""The job file: what is processed, how, and where results go. JSON; needs nothing beyond the standard library.

A job file is checked as a whole, so that one run of the check names every fault.
"""

import hashlib
import json
import os
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import bands as band_table
from .engines import ENGINES
from .errors import EojobError

DOWNSAMPLING = ("First", "Mean")
COMPRESSION = ("deflate", "zstd", "lzw", "none")


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
    downsampling: str
    engine: str
    output_dir: str  # shared by all nodes
    scratch_dir: str  # local to each node
    overwrite: bool
    compress: str
    connections: int  # parallel requests of one rank
    max_connections: int  # parallel requests of the whole job; 0 for no limit
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


class _Fault(Exception):
    """What is wrong with one value, and what to do; the caller adds the key and the value."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Fault("must be a text that is not empty")
    return value.strip()


def _optional_text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Fault("must be a text; leave the key out for the default")
    return value.strip()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Fault("must be true or false")
    return value


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, str) and re.match(r"^\d+$", value.strip()):
            value = int(value)  # Ansible's templates may hand numbers over as text
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _Fault(f"must be a whole number from {least} to {most}")
        return value
    return convert


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 3600:
        raise _Fault("must be a number of seconds above 0, at most 3600")
    return float(value)


def _one_of(choices: Tuple[str, ...]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        for choice in choices:
            if isinstance(value, str) and value.strip().lower() == choice.lower():
                return choice
        raise _Fault("must be one of " + ", ".join(choices))
    return convert


def _endpoint(value: Any) -> str:
    text = _text(value)
    if not re.match(r"^https?://[^/\s@]+/?$", text):
        raise _Fault("must be http://HOST[:PORT] or https://HOST[:PORT], without user, path or spaces,"
                     " for example http://data.cloudferro.com")
    return text.rstrip("/")


def _bucket(value: Any) -> str:
    text = _text(value)
    if "/" in text:
        raise _Fault("must be the bucket's name alone, for example DIAS; put the folders into prefix")
    return text


def _prefix(value: Any) -> str:
    text = _text(value)
    if text.startswith("/") or "://" in text:
        raise _Fault("must be a key prefix inside the bucket, without leading / or s3://,"
                     " for example Sentinel-2/MSI/L1C/2022/10/01/")
    return text


def _resolution(value: Any) -> int:
    metres = _whole(10, 1000)(value)
    if metres % 10:
        raise _Fault("must be a multiple of 10 (m)")
    if band_table.TILE_METRES % metres:
        fitting = ", ".join(map(str, band_table.sides_that_fit()))
        raise _Fault(f"does not divide a tile of {band_table.TILE_METRES} m into whole pixels; use one of {fitting}")
    return metres


def _bands(value: Any) -> Tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise _Fault('must be a list such as ["B2", "B3", "B4"]')
    found = [band_table.normalise(name) for name in names]
    unknown = [name for name, band in zip(names, found) if band is None]
    if unknown:
        raise _Fault(f"unknown band {', '.join(unknown)}; the bands are {', '.join(band_table.BANDS)}")
    if len(set(found)) != len(found):
        raise _Fault("names a band twice; name each once")
    return tuple(band for band in found if band is not None)


def _folder(value: Any) -> str:
    text = os.path.expanduser(_text(value))
    if not os.path.isabs(text):
        raise _Fault("must be an absolute path, or one that starts with ~")
    if os.path.normpath(text) == "/":
        raise _Fault("must not be the root folder; name a folder of the job's own")
    return os.path.normpath(text)


def _snap_home(value: Any) -> str:
    text = os.path.expanduser(_optional_text(value))  # ~name of a user whom only the nodes know stays as it is
    if text and not text.startswith(("/", "~")):
        raise _Fault("must be an absolute path, or one that starts with ~; leave it out for the installed one")
    return text


def _java_memory(value: Any) -> str:
    text = _optional_text(value)
    if text and not re.match(r"^[1-9][0-9]*[MmGg]$", text):
        raise _Fault("must be a size such as 3G or 800M; leave it out for this rank's share of the node")
    return text


def _default_scratch() -> str:
    return os.environ.get("TMPDIR") or "/tmp"


# key: (conversion, default)
_KEYS: Dict[str, Tuple[Callable[[Any], Any], Any]] = {
    "endpoint_url": (_endpoint, _REQUIRED),
    "bucket": (_bucket, _REQUIRED),
    "prefix": (_prefix, _REQUIRED),
    "profile": (_optional_text, ""),
    "region": (_text, "default"),
    "page_size": (_whole(1, 1000), 1000),
    "max_products": (_whole(0, 10 ** 9), 0),
    "resolution": (_resolution, 20),
    "bands": (_bands, ["B2", "B3", "B4"]),
    "downsampling": (_one_of(DOWNSAMPLING), "First"),
    "engine": (_one_of(tuple(ENGINES)), "gdal"),
    "output_dir": (_folder, _REQUIRED),
    "scratch_dir": (_folder, None),
    "overwrite": (_flag, False),
    "compress": (_one_of(COMPRESSION), "deflate"),
    "connections": (_whole(1, 64), 4),
    "max_connections": (_whole(0, 10 ** 6), 0),
    "retries": (_whole(0, 20), 5),
    "connect_timeout": (_seconds, 10),
    "read_timeout": (_seconds, 60),
    "snap_home": (_snap_home, ""),
    "java_memory": (_java_memory, ""),
    "graph": (_optional_text, ""),
    "graph_timeout": (_whole(0, 10 ** 6), 0),
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
        except _Fault as fault:
            faults.append(f"{key}: {json.dumps(value)} {fault}")
    faults.extend(_factor_faults(values))
    if values.get("graph") and values.get("engine") not in (None, "gpt"):
        faults.append(f"engine: \"{values['engine']}\" runs no graphs; use gpt, or leave graph out")
    if faults:
        raise JobFileError(path, faults)
    return Job(**values)


def _default(key: str, default: Any, data: Dict[str, Any]) -> Any:
    if key == "scratch_dir":
        return _default_scratch()
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
    digest = hashlib.sha256(json.dumps(deciding).encode())
    for path in (script, job.graph):
        if path and os.path.isfile(path):
            with open(path, "rb") as stream:
                digest.update(stream.read())
    return digest.hexdigest()[:16]
