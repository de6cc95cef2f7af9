"""Tile positions, against published ones and against the definition of the MGRS latitude bands."""

import pytest
from rasterio.warp import transform
from sample_archive.catalogue import PRODUCTS
from sample_archive.tiles import locate


@pytest.mark.parametrize(
    ("tile", "epsg", "ulx", "uly"),
    [
        ("33UWQ", 32633, 499980, 5500020),
        ("33UVR", 32633, 399960, 5600040),
        ("32UPU", 32632, 600000, 5400000),
        ("48PVS", 32648, 399960, 1200000),
        ("56HLH", 32756, 300000, 6300040),  # counted from the equator, or it would be 6300000
        ("31UFU", 32631, 600000, 5900040),
    ],
)
def test_positions_of_real_tiles(tile: str, epsg: int, ulx: int, uly: int) -> None:
    assert locate(tile) == (epsg, ulx, uly)


@pytest.mark.parametrize("tile", sorted({spec.tile for spec in PRODUCTS}))
def test_tile_lies_in_its_zone_and_latitude_band(tile: str) -> None:
    position = locate(tile)
    [longitude], [latitude] = transform(
        f"EPSG:{position.epsg}", "EPSG:4326", [position.ulx + 54_900], [position.uly - 54_900]
    )
    south = "CDEFGHJKLMNPQRSTUVWX".index(tile[2]) * 8 - 80
    west = int(tile[:2]) * 6 - 186
    # Half a tile may reach over the border.
    assert south - 0.5 <= latitude <= south + 8.5
    assert west - 0.8 <= longitude <= west + 6.8


@pytest.mark.parametrize("tile", ["33UAQ", "61UWQ", "33IWQ", "33UWW", "3UWQ", "33uwq"])
def test_impossible_tiles_are_refused(tile: str) -> None:
    with pytest.raises(ValueError, match="not a tile"):
        locate(tile)
