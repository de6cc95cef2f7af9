"""The layout of the JPEG 2000 files, read from the codestream's markers (ISO/IEC 15444-1, annex A)."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
from archive_kit import Archive
from sample_archive.jp2 import Image, write_jp2
from sample_archive.tiles import locate

SIZ, COD, QCD, PLT, SOT, SOD = 0xFF51, 0xFF52, 0xFF5C, 0xFF58, 0xFF90, 0xFF93


class Codestream(NamedTuple):
    """What the main header says, and the markers found before the first tile's data."""

    sides: tuple[int, int]
    tile: tuple[int, int]
    components: int
    bits: int
    progression: int
    layers: int
    decompositions: int
    codeblock: tuple[int, int]
    reversible: bool
    precincts: list[tuple[int, int]]
    markers: set[int]


def parse(path: Path) -> Codestream:
    """Read the main header and the first tile-part header."""
    data = path.read_bytes()
    position = data.index(b"jp2c\xff\x4f\xff\x51") + 6
    segments: dict[int, bytes] = {}
    while True:
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == SOD:
            break
        segments.setdefault(marker, data[position + 4 : position + 2 + length])
        position += 2 + length
    siz, cod = segments[SIZ], segments[COD]
    width, height, _, _, tile_width, tile_height = struct.unpack_from(">6I", siz, 2)
    style, progression, layers, _, decompositions, cb_width, cb_height, _, wavelet = struct.unpack_from(
        ">BBHBBBBBB", cod
    )
    assert style & 1, "precinct sizes are not given"
    return Codestream(
        sides=(width, height),
        tile=(tile_width, tile_height),
        components=struct.unpack_from(">H", siz, 34)[0],
        bits=siz[36] + 1,
        progression=progression,
        layers=layers,
        decompositions=decompositions,
        codeblock=(2 ** (cb_width + 2), 2 ** (cb_height + 2)),
        reversible=wavelet == 1,
        precincts=[(2 ** (size & 15), 2 ** (size >> 4)) for size in cod[10:]],
        markers=set(segments),
    )


@pytest.mark.parametrize(
    ("resolution", "tile", "codeblock", "precinct"), [(10, 1024, 64, 256), (20, 640, 8, 128), (60, 192, 4, 64)]
)
def test_layout_of_a_band(tmp_path: Path, resolution: int, tile: int, codeblock: int, precinct: int) -> None:
    side = 1100
    pixels = np.random.default_rng(7).integers(0, 2**15, (1, side, side), dtype=np.uint16)
    path = tmp_path / "band.jp2"
    write_jp2(path, Image(side, 1, 15, resolution, locate("33UWQ")), [(0, pixels)])

    found = parse(path)
    assert found.sides == (side, side)
    assert found.tile == (tile, tile)
    assert (found.components, found.bits) == (1, 15)
    assert (found.progression, found.layers, found.decompositions) == (0, 1, 4)  # 0 is LRCP
    assert found.codeblock == (codeblock, codeblock)
    assert found.reversible
    assert found.precincts == [(precinct, precinct)] * 5
    assert PLT in found.markers
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), pixels)
    assert [file.name for file in tmp_path.iterdir()] == ["band.jp2"]


def test_strips_not_given_are_zero(tmp_path: Path) -> None:
    path = tmp_path / "mask.jp2"
    strip = np.ones((8, 192, 500), np.uint8)
    write_jp2(path, Image(500, 8, 8, 60, locate("33UWQ")), [(192, strip)])
    with rasterio.open(path) as dataset:
        pixels = dataset.read()
    assert pixels[:, 192:384].all()
    assert not pixels[:, :192].any()
    assert not pixels[:, 384:].any()


def test_every_band_of_the_products(archive: Archive) -> None:
    for spec in archive.specs:
        images = archive.root / spec.folder / "GRANULE" / spec.granule_folder / "IMG_DATA"
        found = {path.stem[-3:]: parse(path) for path in images.glob("*.jp2")}
        assert len(found) == 14
        assert {name: stream.bits for name, stream in found.items()} == {
            name: 8 if name == "TCI" else 15 for name in found
        }
        assert {stream.sides[0] for stream in found.values()} == {archive.size // factor for factor in (1, 2, 6)}
