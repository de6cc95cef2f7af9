"""What the values of a job file may be: each function checks one and gives it in the form that the job uses.

A value that cannot be is a Fault: what is wrong with it and what to do, without the key, which the caller adds.
"""

import os
import re
from typing import Any, Callable, Tuple

from . import bands as band_table


class Fault(Exception):
    """What is wrong with one value, and what to do; the caller adds the key and the value."""


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Fault("must be a text that is not empty")
    return value.strip()


def optional_text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Fault("must be a text; leave the key out for the default")
    return value.strip()


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Fault("must be true or false")
    return value


def whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, str) and re.match(r"^\d+$", value.strip()):
            value = int(value)  # Ansible's templates may hand numbers over as text
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Fault(f"must be a whole number from {least} to {most}")
        return value
    return convert


def seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 3600:
        raise Fault("must be a number of seconds above 0, at most 3600")
    return float(value)


def one_of(choices: Tuple[str, ...]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        for choice in choices:
            if isinstance(value, str) and value.strip().lower() == choice.lower():
                return choice
        raise Fault("must be one of " + ", ".join(choices))
    return convert


def some_of(choices: Tuple[str, ...]) -> Callable[[Any], str]:
    """One or several of `choices`, in their order; "Mean, First" becomes "First,Mean"."""
    def convert(value: Any) -> str:
        asked = [text(name).lower() for name in (value.split(",") if isinstance(value, str) else value or [])]
        found = [choice for choice in choices if choice.lower() in asked]
        if not found or len(found) != len(asked):
            raise Fault("must be " + ", ".join(choices) + " or several of them, each once, with commas between")
        return ",".join(found)
    return convert


def endpoint(value: Any) -> str:
    given = text(value)
    if not re.match(r"^https?://[^/\s@]+/?$", given):
        raise Fault("must be http://HOST[:PORT] or https://HOST[:PORT], without user, path or spaces,"
                     " for example http://data.cloudferro.com")
    return given.rstrip("/")


def bucket(value: Any) -> str:
    given = text(value)
    if "/" in given:
        raise Fault("must be the bucket's name alone, for example DIAS; put the folders into prefix")
    return given


def prefix(value: Any) -> str:
    given = text(value)
    if given.startswith("/") or "://" in given:
        raise Fault("must be a key prefix inside the bucket, without leading / or s3://,"
                     " for example Sentinel-2/MSI/L1C/2022/10/01/")
    return given


def resolution(value: Any) -> int:
    metres = whole(10, 1000)(value)
    if metres % 10:
        raise Fault("must be a multiple of 10 (m)")
    if band_table.TILE_METRES % metres:
        fitting = ", ".join(map(str, band_table.sides_that_fit()))
        raise Fault(f"does not divide a tile of {band_table.TILE_METRES} m into whole pixels; use one of {fitting}")
    return metres


def bands(value: Any) -> Tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise Fault('must be a list such as ["B2", "B3", "B4"]')
    found = [band_table.normalise(name) for name in names]
    unknown = [name for name, band in zip(names, found) if band is None]
    if unknown:
        raise Fault(f"unknown band {', '.join(unknown)}; the bands are {', '.join(band_table.BANDS)}")
    if len(set(found)) != len(found):
        raise Fault("names a band twice; name each once")
    return tuple(band for band in found if band is not None)


def folder(value: Any) -> str:
    given = os.path.expanduser(text(value))
    if not os.path.isabs(given):
        raise Fault("must be an absolute path, or one that starts with ~")
    if os.path.normpath(given) == "/":
        raise Fault("must not be the root folder; name a folder of the job's own")
    return os.path.normpath(given)


def snap_home(value: Any) -> str:
    given = os.path.expanduser(optional_text(value))  # ~name of a user whom only the nodes know stays as it is
    if given and not given.startswith(("/", "~")):
        raise Fault("must be an absolute path, or one that starts with ~; leave it out for the installed one")
    return given


def java_memory(value: Any) -> str:
    given = optional_text(value)
    if given and not re.match(r"^[1-9][0-9]*[MmGg]$", given):
        raise Fault("must be a size such as 3G or 800M; leave it out for this rank's share of the node")
    return given


def default_scratch() -> str:
    return os.environ.get("TMPDIR") or "/tmp"


def s3_url(value: Any) -> str:
    given = optional_text(value)
    if given and not re.match(r"^s3://[^/\s]+(/[^\s]*)?$", given):
        raise Fault("must be s3://BUCKET or s3://BUCKET/FOLDER/; leave it out to keep results in output_dir")
    return given and given.rstrip("/") + "/"


def optional_endpoint(value: Any) -> str:
    return endpoint(value) if optional_text(value) else ""
