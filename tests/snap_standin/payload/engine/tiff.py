"""A GeoTIFF as SNAP writes it: big-endian, uncompressed, one strip per band, SNAP's XML header in tag 65000."""

import struct

_SHORT, _LONG, _RATIONAL, _DOUBLE, _ASCII = 3, 4, 5, 12, 2
_CODES = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}


def write(path, bands, shape, epsg, corner, resolution, name, header):
    """Write a file of uint16.

    Args:
        bands: one iterable per band of blocks of rows, arrays of (rows, columns), top to bottom.
        shape: (rows, columns).
        corner: x and y of the upper-left corner in m; resolution: m.
        header: SNAP's XML, as text.
    """
    rows, columns = shape
    count, length = len(bands), rows * columns * 2
    matrix = [resolution, 0, 0, corner[0], 0, -resolution, 0, corner[1], 0, 0, 0, 0, 0, 0, 0, 1]
    keys = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, epsg]
    entries = [
        (256, _LONG, [columns]), (257, _LONG, [rows]), (258, _SHORT, [16] * count), (259, _SHORT, [1]),
        (262, _SHORT, [1]), (270, _ASCII, name), (273, _LONG, [0] * count), (277, _SHORT, [count]),
        (278, _LONG, [rows]), (279, _LONG, [length] * count), (282, _RATIONAL, [1, 1]), (283, _RATIONAL, [1, 1]),
        (284, _SHORT, [2]), (296, _SHORT, [1]), (339, _SHORT, [1] * count), (34264, _DOUBLE, matrix),
        (34735, _SHORT, keys), (65000, _ASCII, header)]
    start = 8 + len(_directory(entries, 8))
    if start + count * length >= 2 ** 32:
        raise ValueError(f"{path} would be larger than 4 GB, which a GeoTIFF cannot be")
    entries[6] = (273, _LONG, [start + index * length for index in range(count)])
    with open(path, "wb") as out:
        out.write(struct.pack(">2sHI", b"MM", 42, 8) + _directory(entries, 8))
        for blocks in bands:
            for block in blocks:
                out.write(block.astype(">u2").tobytes())


def _directory(entries, offset):
    """The image file directory at `offset` with the values that do not fit into it behind it."""
    head, tail = struct.pack(">H", len(entries)), b""
    behind = offset + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        if kind == _ASCII:
            data = value.encode("ascii", "xmlcharrefreplace") + b"\0"
            count = len(data)
        elif kind == _RATIONAL:
            data, count = struct.pack(">2I", *value), 1
        else:
            data, count = struct.pack(f">{len(value)}{_CODES[kind]}", *value), len(value)
        if len(data) <= 4:
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack(">I", behind + len(tail))
            tail += data + b"\0" * (len(data) % 2)
        head += struct.pack(">HHI", tag, kind, count) + field
    return head + struct.pack(">I", 0) + tail
