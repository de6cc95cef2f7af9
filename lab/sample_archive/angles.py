"""Sun and viewing angles for the granule's metadata: plausible, smooth, and NaN where a detector sees nothing."""

import math
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sample_archive import swath
from sample_archive.bands import BANDS

_NODES = 23  # of the grid in each direction: every 5 km of a full tile
_VIEW_AZIMUTH = 103.2


class Angles(NamedTuple):
    """Zenith and azimuth in degrees."""

    zenith: float
    azimuth: float


class Grid(NamedTuple):
    """Zenith and azimuth at the grid's nodes: one line of text for each row."""

    zenith: list[str]
    azimuth: list[str]


class ViewingGrid(NamedTuple):
    """Where one detector sees the tile from, in one band."""

    band_id: int
    detector: int
    grid: Grid


def sun_angles(time: datetime, longitude: float, latitude: float) -> Angles:
    """Return where the sun stands at a UTC time, to about a degree (without the equation of time)."""
    day = time.timetuple().tm_yday
    declination = math.radians(-23.44 * math.cos(2 * math.pi * (day + 10) / 365))
    solar_hours = time.hour + time.minute / 60 + longitude / 15
    hour_angle = math.radians(15 * (solar_hours - 12))
    north = math.radians(latitude)
    up = math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(hour_angle)
    eastwards = -math.cos(declination) * math.sin(hour_angle)
    northwards = math.cos(north) * math.sin(declination) - math.sin(north) * math.cos(declination) * math.cos(
        hour_angle
    )
    return Angles(math.degrees(math.acos(up)), math.degrees(math.atan2(eastwards, northwards)) % 360)


def sun_grid(centre: Angles) -> Grid:
    """Return the sun's angles over the tile, given those at its centre."""
    y, x = np.mgrid[-0.5 : 0.5 : _NODES * 1j, -0.5 : 0.5 : _NODES * 1j]
    return Grid(_lines(centre.zenith - 0.8 * x + 0.6 * y), _lines(centre.azimuth + 0.9 * x - 0.5 * y))


def mean_view(band_id: int) -> Angles:
    """Return a band's mean viewing angles; the bands look in slightly different directions."""
    return Angles(5.9 + 0.035 * band_id, _VIEW_AZIMUTH + 0.04 * band_id)


def viewing_grids(edges: swath.Edges) -> list[ViewingGrid]:
    """Return the viewing angles of every band and every detector that sees a part of the tile."""
    y, x = np.mgrid[0 : 1 : _NODES * 1j, 0 : 1 : _NODES * 1j]
    across = x + swath.SLOPE * (y - 0.5)
    seen = np.where(swath.inside(edges, across), swath.detector(across), 0)
    grids = []
    for band in BANDS:
        mean = mean_view(band.band_id)
        zenith = mean.zenith + 4 * (across - 0.5)
        azimuth = mean.azimuth + 3 * (y - 0.5)
        for number in swath.DETECTORS:
            if (seen == number).any():
                grid = Grid(
                    _lines(np.where(seen == number, zenith, np.nan)), _lines(np.where(seen == number, azimuth, np.nan))
                )
                grids.append(ViewingGrid(band.band_id, number, grid))
    return grids


def _lines(values: NDArray[np.float64]) -> list[str]:
    """Format a grid as the metadata has it: "31.2643 NaN ..."."""
    return [" ".join("NaN" if math.isnan(value) else f"{value:.4f}" for value in row) for row in values]
