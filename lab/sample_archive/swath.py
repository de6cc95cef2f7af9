"""The geometry of the swath on a tile: slanted edges, and the detectors' stripes between them.

Positions are fractions of the tile's side: x eastwards and y southwards from the upper left corner, so that the
same swath can be had in any size. A swath edge that crosses the middle row at `a` runs along x = a - SLOPE (y - ½).
"""

import numpy as np
from numpy.typing import NDArray

SLOPE = 0.22  # of a descending ground track: it goes west as it goes south
_STRIPE = 0.25  # width of a detector's stripe: about 25 km of a 110 km tile
_FIRST_DETECTOR = 4  # the one whose stripe begins at x = 0 in the middle row
DETECTORS = range(3, 9)  # those that can see a part of the tile

Edges = tuple[float, float]


def cross_track(rows: NDArray[np.intp], side: int) -> NDArray[np.float64]:
    """Return where pixels lie across the swath, shape (len(rows), side), for an image of `side` x `side` pixels."""
    x = (np.arange(side) + 0.5) / side
    y = (rows + 0.5) / side
    return x[np.newaxis, :] + SLOPE * (y[:, np.newaxis] - 0.5)


def inside(swath: Edges, across: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which positions across the track lie in the swath."""
    return (across >= swath[0]) & (across < swath[1])


def detector(across: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the number of the detector that sees each position across the track."""
    return (_FIRST_DETECTOR + np.floor(across / _STRIPE)).astype(np.uint8)


def detector_edges(number: int, swath: Edges) -> Edges | None:
    """Return the edges of a detector's stripe within the swath, or None when the swath leaves nothing of it."""
    west = max((number - _FIRST_DETECTOR) * _STRIPE, swath[0])
    east = min((number - _FIRST_DETECTOR + 1) * _STRIPE, swath[1])
    return (west, east) if west < east else None


def polygon(edges: Edges) -> list[tuple[float, float]]:
    """Return the part of the tile between two edges as a closed clockwise ring of (x, y); [] when there is none."""
    west, east = edges
    top = max(0.0, 0.5 + (west - 1) / SLOPE)
    bottom = min(1.0, 0.5 + east / SLOPE)
    if top >= bottom:
        return []
    # The outline bends where an edge meets a side of the tile.
    bends = (0.5 + (edge - side) / SLOPE for edge in edges for side in (0, 1))
    levels = sorted({top, bottom, *(bend for bend in bends if top < bend < bottom)})
    left = [(_clamp(west - SLOPE * (y - 0.5)), y) for y in levels]
    right = [(_clamp(east - SLOPE * (y - 0.5)), y) for y in levels]
    ring = [left[0], *right, *reversed(left)]
    corners = [point for point, previous in zip(ring[1:], ring[:-1], strict=True) if point != previous]
    return [ring[0], *_without_straight_points(corners)]


def covered_fraction(swath: Edges) -> float:
    """Return the part of the tile's area (0 to 1) that the swath covers."""
    ring = polygon(swath)
    doubled = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring[:-1], ring[1:], strict=True))
    return abs(doubled) / 2


def _clamp(x: float) -> float:
    return min(1.0, max(0.0, x))


def _without_straight_points(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Drop the points in the middle of a vertical side of the tile."""
    kept = [
        point
        for before, point, after in zip(points[:-2], points[1:-1], points[2:], strict=True)
        if not before[0] == point[0] == after[0]
    ]
    return [points[0], *kept, points[-1]]
