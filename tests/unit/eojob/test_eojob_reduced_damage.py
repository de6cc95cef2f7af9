"""What cannot be had at a lower resolution says why; what is damaged or cut is an error, never an image."""

import struct

import numpy as np
import pytest
from eojob.errors import CorruptError, EojobError
from eojob.reduced import NotReducibleError
from eojob_jp2 import COD, EOC, SIZ, SOT, Fetched, Parts, decode, encode, pixels, segment, tile_part

POC, COC, UNKNOWN = 0xFF5F, 0xFF53, 0xFF6F


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A file of 3 x 3 tiles, with SOP and without PLT."""
    return encode(tmp_path_factory.mktemp("damage") / "sop.jp2", pixels(600, 700), 256)


@pytest.fixture
def parts(encoded):
    return Parts(encoded)


def refused(path, tmp_path, words, levels=1, error=NotReducibleError):
    with pytest.raises(error, match=words):
        Fetched(path, levels, tmp_path)


@pytest.mark.parametrize("options,words", [
    ({"QUALITY": "20,100"}, "order LRCP with 2 layers"), ({"PROGRESSION": "PCRL"}, "order PCRL with 1 layers"),
    ({"PROGRESSION": "CPRL"}, "order CPRL"), ({"REVERSIBLE": "NO", "QUALITY": "30"}, "not the reversible 5/3"),
    ({"RESOLUTIONS": 1}, "0 decomposition levels, and 1 are")])
def test_layouts_that_are_refused(options, words, tmp_path):
    source = encode(tmp_path / "sop.jp2", pixels(300, 300), 256, **options)
    refused(Parts(source).write(tmp_path / "band.jp2"), tmp_path, words)


def test_several_components_are_refused(tmp_path):
    values = pixels(300, 300)
    source = encode(tmp_path / "sop.jp2", np.stack([values] * 3), 256)
    refused(Parts(source).write(tmp_path / "band.jp2"), tmp_path, "3 components")


def test_sop_and_files_without_packet_lengths_are_refused(encoded, parts, tmp_path):
    refused(encoded, tmp_path, "SOP")
    path = parts.write(tmp_path / "band.jp2", parts=parts.tile_parts(plt=False))
    refused(path, tmp_path, r"tile 0 does not list its packets' lengths \(PLT\)")


def test_more_levels_than_there_are_and_tiles_that_do_not_divide(parts, tmp_path):
    refused(parts.write(tmp_path / "band.jp2"), tmp_path, "4 decomposition levels, and 5 are asked for", levels=5)
    source = encode(tmp_path / "odd.jp2", pixels(300, 300), 254)
    path = Parts(source).write(tmp_path / "band.jp2")
    assert decode(Fetched(path, 1, tmp_path).path).shape == (150, 150)
    refused(path, tmp_path, "a tile's side of 254 does not divide by 4", levels=2)


@pytest.mark.parametrize("index,value,words", [
    (0, 0x80, "extensions"), (13, 1, "origin"), (33, 1, "origin"), (37, 2, "subsampled")])
def test_images_that_are_not_at_the_origin_or_subsampled_are_refused(parts, index, value, words, tmp_path):
    parts.change(SIZ, index, value)
    refused(parts.write(tmp_path / "band.jp2"), tmp_path, words)


@pytest.mark.parametrize("tlm", [False, True])
def test_headers_that_change_the_coding_are_refused(parts, tlm, tmp_path):
    good = parts.tile_parts()
    for extra, words, error in ((segment(POC, b"1234567"), "header of tile 4 holds POC", NotReducibleError),
                                (segment(COD, parts.find(COD)), "header of tile 4 holds COD", NotReducibleError),
                                (segment(UNKNOWN, b"12"), "unknown marker ff6f", CorruptError)):
        changed = good[:4] + [tile_part(4, parts.tiles[4], extra=extra)] + good[5:]
        refused(parts.write(tmp_path / "band.jp2", tlm, changed), tmp_path, words, error=error)
    parts.main.append((COC, b"\0\0\0\0\0\0\0"))
    refused(parts.write(tmp_path / "band.jp2", tlm), tmp_path, "main header holds COC")


@pytest.mark.parametrize("tlm", [False, True])
def test_tiles_in_several_parts_are_refused(parts, tlm, tmp_path):
    packets = parts.tiles[0]
    halves = [tile_part(0, packets[:2], number=0, count=2), tile_part(0, packets[2:], number=1, count=2)]
    refused(parts.write(tmp_path / "band.jp2", tlm, halves + parts.tile_parts()[1:]), tmp_path, "in several parts")


@pytest.mark.parametrize("tlm", [False, True])
def test_tiles_that_are_missing_or_twice(parts, tlm, tmp_path):
    good = parts.tile_parts()
    for wrong, words in ((good[:4] + good[5:], "8 of 9 tiles"), (good[:-1], "8 of 9 tiles"),
                         (good[:4] + good[3:4] + good[5:], "tile 3 is there twice"),
                         (good[:8] + [tile_part(9, parts.tiles[8])], "a tile 9 in an image of 9")):
        refused(parts.write(tmp_path / "band.jp2", tlm, wrong), tmp_path, words, error=CorruptError)


@pytest.mark.parametrize("tlm", [False, True])
def test_lengths_that_do_not_add_up(parts, tlm, tmp_path):
    good = parts.tile_parts()
    short = tile_part(4, parts.tiles[4])[:-100]                       # bytes lost within the file
    fewer = tile_part(4, parts.tiles[4][:-1])                         # a packet lost with its length
    stated = good[4][:6] + struct.pack(">I", len(good[4]) + 100) + good[4][10:]
    for tile in (short, fewer, stated):
        refused(parts.write(tmp_path / "band.jp2", tlm, good[:4] + [tile] + good[5:]), tmp_path,
                "add up|does not start where|as long as TLM", error=CorruptError)


def test_tlm_that_is_wrong(parts, tmp_path):
    path = parts.write(tmp_path / "band.jp2", tlm=True)
    data = path.read_bytes()
    first, second = (part[4:10] for part in parts.tile_parts()[:2])
    at = data.index(first)
    longer = struct.pack(">HI", 0, struct.unpack(">HI", first)[1] + 7)
    less = struct.pack(">HI", 1, struct.unpack(">HI", second)[1] - 7)
    path.write_bytes(data[:at] + longer + data[at + 6:])
    refused(path, tmp_path, "TLM do not add up", error=CorruptError)
    path.write_bytes(data[:at] + longer + less + data[at + 12:])
    refused(path, tmp_path, "does not start where|as long as TLM", error=CorruptError)


@pytest.mark.parametrize("tlm", [False, True])
@pytest.mark.parametrize("keep", [10, 60, 300, 0.1, 0.5, 0.9, -2, -1])
def test_objects_that_are_cut(parts, tlm, keep, tmp_path):
    path = parts.write(tmp_path / "band.jp2", tlm)
    data = path.read_bytes()
    path.write_bytes(data[:int(keep * len(data)) if 0 < keep < 1 else keep])
    refused(path, tmp_path, "not made of a whole JPEG 2000 file", error=CorruptError)
    at = data.index(b"jp2c") - 4  # a box "up to the end of the file" hides the cut from the boxes
    path.write_bytes(data[:at] + bytes(4) + path.read_bytes()[at + 4:])
    refused(path, tmp_path, "not made of a whole JPEG 2000 file", error=CorruptError)


@pytest.mark.parametrize("tlm", [False, True])
def test_markers_that_are_flipped(parts, tlm, tmp_path):
    path = parts.write(tmp_path / "band.jp2", tlm)
    data = path.read_bytes()
    last_tile = data.rindex(struct.pack(">HHH", SOT, 10, 8))
    for at, words in ((4, "no JP2 signature"), (data.index(b"\xff\x4f\xff\x51"), "no start of codestream"),
                      (last_tile, "does not start where"), (data.rindex(EOC), "no end of codestream")):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        refused(path, tmp_path, words, error=CorruptError)


@pytest.mark.parametrize("tlm", [False, True])
def test_any_byte_of_the_headers_may_be_wrong(parts, tlm, tmp_path):
    """Every fault of the headers is one of the errors that callers know, or is the decoder's to find."""
    path = parts.write(tmp_path / "band.jp2", tlm)
    data = path.read_bytes()
    start, raised = data.index(b"\xff\x4f\xff\x51"), 0
    end = data.index(struct.pack(">HHH", SOT, 10, 1)) - len(b"".join(parts.tiles[0]))
    for at in range(start, end):
        for wrong in (data[at] ^ 0xFF, 0, 0xFF):
            path.write_bytes(data[:at] + bytes([wrong]) + data[at + 1:])
            try:
                Fetched(path, 1, tmp_path)
            except EojobError:
                raised += 1
    assert raised > end - start
