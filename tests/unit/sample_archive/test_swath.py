"""Polygons of the swath, against the pixels they stand for."""

import numpy as np
import pytest
from sample_archive import swath

SWATHS = [(-1.0, 2.0), (-1.0, 0.6), (0.4, 2.0), (0.3, 0.7), (0.0, 1.0), (-1.0, 0.05), (0.97, 2.0)]


@pytest.mark.parametrize("edges", SWATHS)
def test_polygon_covers_as_much_as_the_pixels(edges: swath.Edges) -> None:
    across = swath.cross_track(np.arange(400), 400)
    assert swath.covered_fraction(edges) == pytest.approx(swath.inside(edges, across).mean(), abs=0.005)


def test_whole_tile_has_four_corners_clockwise() -> None:
    assert swath.polygon((-1.0, 2.0)) == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]


@pytest.mark.parametrize("edges", SWATHS)
def test_detectors_share_the_swath(edges: swath.Edges) -> None:
    stripes = [swath.detector_edges(number, edges) for number in swath.DETECTORS]
    total = sum(swath.covered_fraction(stripe) for stripe in stripes if stripe)
    assert total == pytest.approx(swath.covered_fraction(edges))


def test_nothing_is_left_outside_the_tile() -> None:
    assert swath.polygon((1.5, 2.0)) == []
    assert swath.detector_edges(3, (0.5, 2.0)) is None
