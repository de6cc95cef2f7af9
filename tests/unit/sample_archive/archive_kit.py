"""What the sample archive's tests share beside fixtures."""

from pathlib import Path
from typing import NamedTuple

from sample_archive.spec import ProductSpec

REPOSITORY = Path(__file__).parents[3]


class Archive(NamedTuple):
    """A built archive: its root, its products and their size in pixels at 10 m."""

    root: Path
    specs: list[ProductSpec]
    size: int
