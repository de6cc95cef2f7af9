"""Is a JP2 file whole? A walk along its boxes and tile-parts that decodes nothing.

OpenJPEG before its strict mode (GDAL < 3.5) fills a truncated image with zeros and only warns, so the structure is
checked apart from the decoder. Source of the layout: ISO/IEC 15444-1, annexes A (codestream) and I (boxes).
"""

import os
import struct
from typing import Callable, List, Set, Tuple

from .errors import CorruptError

Read = Callable[[int, int], bytes]  # exactly `count` bytes from byte `first` on: read(first, count)

SOC, SIZ, COD, TLM, PLM, PLT, QCD, COM = 0xFF4F, 0xFF51, 0xFF52, 0xFF55, 0xFF57, 0xFF58, 0xFF5C, 0xFF64
SOT, SOD, EOC = 0xFF90, 0xFF93, 0xFFD9
_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"


def check(path: str) -> None:
    """Raise CorruptError unless the JP2 `path` holds every tile of its image and ends where it should."""
    name = os.path.basename(path)
    size = os.path.getsize(path)
    try:
        with open(path, "rb") as stream:
            def read(first: int, count: int) -> bytes:
                stream.seek(first)
                data = stream.read(count)
                if len(data) != count:
                    raise ValueError("the file ends early")
                return data
            _walk(read, *bounds(read, size))
    except (struct.error, ValueError) as error:
        raise CorruptError(f"{name} is not a whole JPEG 2000 file ({error}, {size} bytes)") from error


def bounds(read: Read, size: int) -> Tuple[int, int]:
    """Offsets of the first byte of the codestream in a JP2 of `size` bytes and of the byte after its last.

    Raises ValueError when there is none, or when a box does not fit.
    """
    if read(0, len(_SIGNATURE)) != _SIGNATURE:
        raise ValueError("no JP2 signature")
    offset = len(_SIGNATURE)
    while offset < size:
        length, kind = struct.unpack(">I4s", read(offset, 8))
        header = 8
        if length == 1:
            length, header = struct.unpack(">Q", read(offset + 8, 8))[0], 16
        elif length == 0:
            length = size - offset
        if length < header or offset + length > size:
            raise ValueError("the file ends early")
        if kind == b"jp2c":
            return offset + header, offset + length
        offset += length
    raise ValueError("no codestream")


def segments(read: Read, offset: int, last: int) -> Tuple[List[Tuple[int, bytes]], int]:
    """The marker segments from `offset` on, each with its marker and its content, and the offset of the marker `last`.

    Raises ValueError where there is no marker segment.
    """
    found: List[Tuple[int, bytes]] = []
    while True:
        marker, = struct.unpack(">H", read(offset, 2))
        if marker == last:
            return found, offset
        length, = struct.unpack(">H", read(offset + 2, 2))
        if not SOC < marker < SOT or length < 2:
            raise ValueError(f"no marker where one should be, at byte {offset}")
        found.append((marker, read(offset + 4, length - 2)))
        offset += 2 + length


def _walk(read: Read, start: int, end: int) -> None:
    """Follow the main header and all tile-parts from SOC to EOC. Raises ValueError."""
    if struct.unpack(">H", read(start, 2))[0] != SOC:
        raise ValueError("no start of codestream")
    main_header, offset = segments(read, start + 2, SOT)
    tiles = 0
    for marker, content in main_header:
        if marker == SIZ:
            _, x1, y1, _, _, width, height, x0, y0 = struct.unpack(">H8I", content[:34])
            if not width or not height:
                raise ValueError("no tile size")
            tiles = -(-(x1 - x0) // width) * -(-(y1 - y0) // height)
    seen: Set[int] = set()
    while offset + 2 <= end:
        marker, = struct.unpack(">H", read(offset, 2))
        if marker == EOC:
            break
        if marker != SOT:
            raise ValueError("a tile-part does not start where the one before it ends")
        _, tile, length = struct.unpack(">HHI", read(offset + 2, 8))
        seen.add(tile)
        offset = offset + length if length else end - 2  # 0: the last tile-part, up to EOC
        if offset > end:
            raise ValueError("the last tile-part is cut off")
    else:
        raise ValueError("no end of codestream")
    if seen != set(range(tiles)):
        raise ValueError(f"{len(seen)} of {tiles} tiles are there")
