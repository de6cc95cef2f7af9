"""A band at a lower resolution by ranges: equal to GDAL's overview of the whole file, from a part of its bytes."""

import numpy as np
import pytest
from eojob_jp2 import PLT, TLM, Fetched, Parts, decode, encode, pixels, segment

# name: image, tile, code-block, precinct. The first is a 10 m band in small; in the second, as at 20 m, the tiles do
# not begin where precincts do; no side is a multiple of a tile's, and some are odd.
LAYOUTS = {"10 m": ((1500, 1301), 512, 64, 256), "20 m": ((1001, 870), 448, 16, 128)}
TILES = {"10 m": 9, "20 m": 6}
# Of the bytes, by levels; the whole tile of the sample is an eighth and a quarter of them here.
SHARE = {"10 m": {1: 0.45, 2: 0.33}, "20 m": {1: 0.65, 2: 0.6}}


@pytest.fixture(scope="module", params=sorted(LAYOUTS))
def band(request, tmp_path_factory):
    """Name of the layout, pixels, file without TLM, file with TLM."""
    folder = tmp_path_factory.mktemp("band")
    shape, tile, codeblock, precinct = LAYOUTS[request.param]
    values = pixels(*shape)
    parts = Parts(encode(folder / "sop.jp2", values, tile, codeblock, precinct))
    assert len(parts.tiles) == TILES[request.param]
    return request.param, values, parts.write(folder / "band.jp2"), parts.write(folder / "tlm.jp2", tlm=True)


@pytest.mark.parametrize("tlm", [False, True])
@pytest.mark.parametrize("levels", [1, 2])
def test_equals_the_overview_from_a_part_of_the_bytes(band, levels, tlm, tmp_path):
    name, values, path = band[0], band[1], band[3 if tlm else 2]
    fetched = Fetched(path, levels, tmp_path)
    image = decode(fetched.path)
    assert image.dtype == np.uint16 and image.max() > 3000
    assert image.shape == tuple(-(-side // 2 ** levels) for side in values.shape)
    assert np.array_equal(image, decode(path, overview_level=levels - 1))
    assert fetched.result.requests == len(fetched.ranges) <= 1.5 * TILES[name] + 3
    assert fetched.result.bytes_fetched == sum(count for _, count in fetched.ranges)
    assert fetched.result.bytes_fetched < SHARE[name][levels] * fetched.size


def test_files_put_together_decode_to_what_was_encoded(band):
    assert np.array_equal(decode(band[2]), band[1]) and np.array_equal(decode(band[3]), band[1])


def test_sample_is_one_whole_tile(band, tmp_path):
    name, values, path, _ = band
    result = Fetched(path, 1, tmp_path).result
    (height, width), side = LAYOUTS[name][:2]
    row, column = divmod(result.sample_index, -(-width // side))
    assert (row, column) != (0, 0)
    tile = values[row * side:(row + 1) * side, column * side:(column + 1) * side]
    assert np.array_equal(decode(result.sample), tile) and tile.any()


def test_one_worker_is_enough(band, tmp_path):
    for path in band[2:]:
        fetched = Fetched(path, 1, tmp_path, workers=1)
        assert np.array_equal(decode(fetched.path), decode(path, overview_level=0))


def test_files_as_this_gdal_writes_them(tmp_path):
    values = pixels(700, 600)
    plain = encode(tmp_path / "plt.jp2", values, 256, 64, 256, SOP="NO", PLT="YES")
    listed = encode(tmp_path / "tlm.jp2", values, 256, 64, 256, SOP="NO", PLT="YES", TLM="YES")
    if segment(PLT, b"")[:2] not in plain.read_bytes() or segment(TLM, b"")[:2] not in listed.read_bytes()[:1000]:
        pytest.skip("this GDAL's OpenJPEG (before 2.5) writes no PLT or TLM")
    for path in (plain, listed):
        for levels in (1, 2):
            fetched = Fetched(path, levels, tmp_path)
            assert np.array_equal(decode(fetched.path), decode(path, overview_level=levels - 1))


@pytest.mark.parametrize("tlm", [False, True])
def test_empty_tiles_share_requests_and_are_no_samples(tlm, tmp_path):
    values = np.zeros((2048, 2048), "uint16")
    values[512:768, 256:1024] = pixels(256, 768)
    path = Parts(encode(tmp_path / "sop.jp2", values, 256)).write(tmp_path / "band.jp2", tlm=tlm)
    fetched = Fetched(path, 1, tmp_path)
    assert np.array_equal(decode(fetched.path), decode(path, overview_level=0))
    assert fetched.result.requests <= 12  # of 64 tiles, three hold data
    assert fetched.result.sample_index in (2 * 8 + 1, 2 * 8 + 2, 2 * 8 + 3)


def test_image_without_data_has_no_sample(tmp_path):
    path = Parts(encode(tmp_path / "sop.jp2", np.zeros((600, 600), "uint16"), 256)).write(tmp_path / "band.jp2")
    fetched = Fetched(path, 1, tmp_path)
    assert (fetched.result.sample, fetched.result.sample_index) == (None, -1)
    assert not decode(fetched.path).any() and fetched.result.requests <= 3


@pytest.mark.parametrize("options", [
    {"PROGRESSION": "RLCP"}, {"PROGRESSION": "RPCL"}, {"PROGRESSION": "RLCP", "QUALITY": "20,50,100"},
    {"PROGRESSION": "RPCL", "QUALITY": "20,50,100"}, {"PRECINCTS": "{32768,32768}"}])
def test_other_orders_and_default_precincts(options, tmp_path):
    path = Parts(encode(tmp_path / "sop.jp2", pixels(520, 620), 256, 64, 128, **options)).write(tmp_path / "band.jp2")
    for levels in (1, 2, 4):
        fetched = Fetched(path, levels, tmp_path)
        expected = decode(path, overview_level=levels - 1) if levels < 3 else None
        assert expected is None or np.array_equal(decode(fetched.path), expected)
        assert decode(fetched.path).shape == (-(-520 // 2 ** levels), -(-620 // 2 ** levels))
