"""Where a tile of the Sentinel-2 grid (MGRS 100 km squares) lies."""

import math
import re
from typing import NamedTuple

_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")  # by (zone - 1) % 3; each begins at 100 km easting
_ROWS = "ABCDEFGHJKLMNPQRSTUV"  # 100 km each, repeated every 2000 km; even zones begin with F
_LATITUDE_BANDS = "CDEFGHJKLMNPQRSTUVWX"  # 8° each from 80° S
_SQUARE = 100_000
_GRID = 60  # tile corners are multiples of the coarsest pixel
_FALSE_NORTHING = 10_000_000
_METRES_PER_DEGREE = 110_600  # of latitude; good enough to tell rows 2000 km apart from each other


class TilePosition(NamedTuple):
    """EPSG code of the UTM zone and the upper left corner of the tile in metres."""

    epsg: int
    ulx: int
    uly: int


def locate(tile: str) -> TilePosition:
    """Return the position of tile `tile`, such as "33UWQ".

    Raises ValueError when there is no such tile.
    """
    match = re.fullmatch(r"(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])", tile)
    if not match:
        raise ValueError(f"{tile!r} is not a tile of the Sentinel-2 grid")
    zone, band = int(match[1]), match[2]
    columns = _COLUMNS[(zone - 1) % 3]
    if not 1 <= zone <= 60 or match[3] not in columns:
        raise ValueError(f"{tile!r} is not a tile of the Sentinel-2 grid")

    south = band < "N"
    easting = (columns.index(match[3]) + 1) * _SQUARE
    top = _northing_from_equator(band, match[4], zone) + _SQUARE
    # Corners are snapped outwards (west and north) to the grid, which is counted from the equator.
    return TilePosition(
        epsg=(32700 if south else 32600) + zone,
        ulx=easting // _GRID * _GRID,
        uly=math.ceil(top / _GRID) * _GRID + (_FALSE_NORTHING if south else 0),
    )


def _northing_from_equator(band: str, row: str, zone: int) -> int:
    """Return the southern edge of a square in metres from the equator (negative in the south)."""
    within_cycle = (_ROWS.index(row) - (5 if zone % 2 == 0 else 0)) % len(_ROWS) * _SQUARE
    band_middle = (_LATITUDE_BANDS.index(band) * 8 - 80 + 4) * _METRES_PER_DEGREE
    cycle = len(_ROWS) * _SQUARE
    return within_cycle + round((band_middle - within_cycle) / cycle) * cycle
