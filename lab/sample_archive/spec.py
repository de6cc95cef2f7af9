"""What describes one sample product, and all names and identifiers that follow from it."""

import fnmatch
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sample_archive.tiles import TilePosition, locate

FULL_SWATH = (-1.0, 2.0)


@dataclass(frozen=True)
class Datatake:
    """One continuous acquisition of a satellite; its tiles share orbit, times and baseline.

    `baseline` is the processing baseline as in the names ("0400"), `centre` the four letters of the processing
    centre, `sensing_start` and `datastrip_start` are UTC, `generated` is the time of processing.
    """

    satellite: str
    sensing_start: datetime
    datastrip_start: datetime
    generated: datetime
    absolute_orbit: int
    relative_orbit: int
    baseline: str
    centre: str

    @property
    def has_offset(self) -> bool:
        """Whether digital numbers carry the radiometric offset, which came with baseline 04.00."""
        return self.baseline >= "0400"

    @property
    def dotted_baseline(self) -> str:
        """Baseline as in the metadata: 04.00."""
        return f"{self.baseline[:2]}.{self.baseline[2:]}"

    @property
    def identifier(self) -> str:
        """Datatake identifier, such as GS2A_20221001T084801_037999_N04.00."""
        return f"G{self.satellite}_{stamp(self.sensing_start)}_{self.absolute_orbit:06d}_N{self.dotted_baseline}"

    @property
    def datastrip_identifier(self) -> str:
        """Datastrip identifier, as the metadata has it."""
        times = f"{stamp(self.generated)}_S{stamp(self.datastrip_start)}"
        return f"{self.satellite}_OPER_MSI_L1C_DS_{self.centre}_{times}_N{self.dotted_baseline}"

    @property
    def datastrip_folder(self) -> str:
        """Name of the folder under DATASTRIP/."""
        return f"DS_{self.centre}_{stamp(self.generated)}_S{stamp(self.datastrip_start)}"


@dataclass(frozen=True)
class ProductSpec:
    """One product: a tile seen by a datatake.

    `swath` says where the swath's western and eastern edges cross the middle row of the tile, as fractions of
    the tile's width; what lies outside is nodata. (-1, 2) covers the whole tile.
    """

    datatake: Datatake
    tile: str
    swath: tuple[float, float] = FULL_SWATH

    @property
    def name(self) -> str:
        """Name of the product's folder, with .SAFE."""
        take = self.datatake
        return (
            f"{take.satellite}_MSIL1C_{stamp(take.sensing_start)}_N{take.baseline}_R{take.relative_orbit:03d}"
            f"_T{self.tile}_{stamp(take.generated)}.SAFE"
        )

    @property
    def folder(self) -> str:
        """Path of the product under the archive's root, as in EODATA."""
        return f"Sentinel-2/MSI/L1C/{self.datatake.sensing_start:%Y/%m/%d}/{self.name}"

    @property
    def granule_folder(self) -> str:
        """Name of the folder under GRANULE/."""
        take = self.datatake
        return f"L1C_T{self.tile}_A{take.absolute_orbit:06d}_{stamp(take.datastrip_start)}"

    @property
    def granule_identifier(self) -> str:
        """Granule (tile) identifier, as the metadata has it."""
        take = self.datatake
        tile = f"A{take.absolute_orbit:06d}_T{self.tile}_N{take.dotted_baseline}"
        return f"{take.satellite}_OPER_MSI_L1C_TL_{take.centre}_{stamp(take.generated)}_{tile}"

    @property
    def image_prefix(self) -> str:
        """Start of the image files' names: T33UWQ_20220929T095031."""
        return f"T{self.tile}_{stamp(self.datatake.sensing_start)}"

    @property
    def position(self) -> TilePosition:
        """Where the tile lies."""
        return locate(self.tile)

    @property
    def variation(self) -> bytes:
        """32 bytes that depend on the product's name only; they choose how its pixels differ from others'."""
        return hashlib.sha256(self.name.encode()).digest()

    @property
    def brightness(self) -> int:
        """Per-mille factor on the source's reflectance, 940 to 1060, the same for all products of a day."""
        day = hashlib.sha256(f"{self.datatake.sensing_start:%Y%m%d}".encode()).digest()
        return 940 + int.from_bytes(day[:2], "big") % 121


def stamp(time: datetime) -> str:
    """Return a time as the product names have it: 20221001T084801."""
    return f"{time:%Y%m%dT%H%M%S}"


def select(specs: Iterable[ProductSpec], count: int | None = None, pattern: str | None = None) -> list[ProductSpec]:
    """Return the first `count` specs whose name matches the shell-style `pattern` (with or without .SAFE)."""
    wanted = [
        spec
        for spec in specs
        if pattern is None
        or fnmatch.fnmatchcase(spec.name, pattern)
        or fnmatch.fnmatchcase(spec.name.removesuffix(".SAFE"), pattern)
    ]
    return wanted[:count]
