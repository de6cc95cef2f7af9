"""Is a JP2 file whole? A walk along its boxes and tile-parts that decodes nothing.

OpenJPEG before its strict mode (GDAL < 3.5) fills a truncated image with zeros and only warns, so the structure is
checked apart from the decoder. Source of the layout: ISO/IEC 15444-1, annexes A (codestream) and I (boxes).
"""

import os
import struct
from typing import BinaryIO, Set, Tuple

from .errors import CorruptError

_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_SOC, _SIZ, _SOT, _EOC = b"\xff\x4f", b"\xff\x51", b"\xff\x90", b"\xff\xd9"


def check(path: str) -> None:
    """Raise CorruptError unless the JP2 `path` holds every tile of its image and ends where it should."""
    name = os.path.basename(path)
    size = os.path.getsize(path)
    try:
        with open(path, "rb") as stream:
            start, end = _codestream(stream, size)
            _walk(stream, start, end)
    except (struct.error, ValueError) as error:
        raise CorruptError(f"{name} is not a whole JPEG 2000 file ({error}, {size} bytes)") from error


def _read(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ValueError("the file ends early")
    return data


def _codestream(stream: BinaryIO, size: int) -> Tuple[int, int]:
    """Offsets of the first byte of the codestream box's content and of the byte after its last."""
    if stream.read(len(_SIGNATURE)) != _SIGNATURE:
        raise ValueError("no JP2 signature")
    offset = len(_SIGNATURE)
    while offset < size:
        stream.seek(offset)
        length, kind = struct.unpack(">I4s", _read(stream, 8))
        header = 8
        if length == 1:
            length, header = struct.unpack(">Q", _read(stream, 8))[0], 16
        elif length == 0:
            length = size - offset
        if length < header or offset + length > size:
            raise ValueError("the file ends early")
        if kind == b"jp2c":
            return offset + header, offset + length
        offset += length
    raise ValueError("no codestream")


def _walk(stream: BinaryIO, start: int, end: int) -> None:
    """Follow the main header and all tile-parts from SOC to EOC. Raises ValueError."""
    stream.seek(start)
    if _read(stream, 2) != _SOC:
        raise ValueError("no start of codestream")
    offset, tiles = start + 2, 0
    while True:  # main header: marker segments up to the first tile-part
        stream.seek(offset)
        marker, length = struct.unpack(">2sH", _read(stream, 4))
        if marker == _SOT:
            break
        if marker == _SIZ:
            _, x1, y1, _, _, width, height, x0, y0 = struct.unpack(">H8I", _read(stream, 34))
            if not width or not height:
                raise ValueError("no tile size")
            tiles = -(-(x1 - x0) // width) * -(-(y1 - y0) // height)
        offset += 2 + length
    seen: Set[int] = set()
    while offset + 2 <= end:
        stream.seek(offset)
        marker = _read(stream, 2)
        if marker == _EOC:
            break
        if marker != _SOT:
            raise ValueError("a tile-part does not start where the one before it ends")
        _, tile, length = struct.unpack(">HHI", _read(stream, 8))
        seen.add(tile)
        offset = offset + length if length else end - 2  # 0: the last tile-part, up to EOC
        if offset > end:
            raise ValueError("the last tile-part is cut off")
    else:
        raise ValueError("no end of codestream")
    if seen != set(range(tiles)):
        raise ValueError(f"{len(seen)} of {tiles} tiles are there")
