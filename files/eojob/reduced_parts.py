"""The tile-parts of a JPEG 2000 codestream in an object store, each with the packets of its lower resolutions.

How many bytes those packets take is said in the tile-part itself (PLT), so every read is a guess from the tiles seen so
far, and what it missed is read again. Where the tile-parts start is listed in the main header (TLM: read in parallel),
or told by the one before (read one after the other).
"""

import struct
from collections import deque
from concurrent.futures import Executor, Future
from typing import Deque, Dict, Iterator, List, NamedTuple, Tuple

from . import codestream
from .reduced_header import Header, NotReducibleError, refused

# Bytes that are cheaper to read than to leave out: at 40 MB/s they take 0.8 ms, and a request 20 ms.
SLACK = 32 * 1024
_LARGEST = 1024 * 1024  # bytes of a request for several small tiles
_AHEAD = 8              # requests made before the tiles are asked for; bounds the memory
_TILE_HEADER = 1024     # bytes read on when a tile-part's header is cut off
_SOT_BYTES, _SOD_BYTES = 12, 2
_LIKELY_SHARE = 0.3     # of a tile's bytes, for each level; before a tile has been seen


class TilePart(NamedTuple):
    """One tile of the codestream; offsets in the object, sizes in bytes."""

    tile: int
    offset: int
    length: int
    data: int      # offset of the first packet
    kept: bytes    # the packets of the lower resolutions

    def used(self) -> int:
        """Bytes from the start of the tile-part to the end of the kept packets."""
        return self.data + len(self.kept) - self.offset


class Ranges:
    """Ranges of one object, read on a pool and counted."""

    def __init__(self, read: codestream.Read, size: int, pool: Executor) -> None:
        self._read, self.size, self._pool = read, size, pool
        self.bytes_fetched = self.requests = 0

    def submit(self, first: int, count: int) -> "Future[bytes]":
        """Ask for a range, cut where the object ends."""
        count = min(count, self.size - first)
        if first < 0 or count <= 0:
            raise ValueError("the file ends early")
        self.bytes_fetched += count
        self.requests += 1
        return self._pool.submit(self._read, first, count)


class Span:
    """Bytes of an object from `first` on, held in memory and read on where more is asked for."""

    def __init__(self, ranges: Ranges, first: int, data: bytes) -> None:
        self._ranges, self._first, self._data = ranges, first, data

    def get(self, first: int, count: int, ahead: int = 0) -> bytes:
        """`count` bytes; when they are not all held, `ahead` more are read at the same time."""
        missing = first + count - self._first - len(self._data)
        if missing > 0:
            self._data += self._ranges.submit(self._first + len(self._data), missing + ahead).result()
        data = self._data[first - self._first:first - self._first + count]
        if first < self._first or len(data) != count:
            raise ValueError("the file ends early")
        return data

    def header(self, first: int, count: int) -> bytes:
        """`get`, for walking along markers without a request for each."""
        return self.get(first, count, _TILE_HEADER)

    def moved(self, first: int, count: int) -> "Span":
        """A span of `count` bytes from `first` on, or of the whole tile-part there if that is held already."""
        held = self._data[first - self._first:]
        needed = count
        if len(held) >= _SOT_BYTES:
            needed = min(count, struct.unpack(">I", held[6:10])[0] or count)
        if len(held) < needed:
            held += self._ranges.submit(first + len(held), max(needed - len(held), SLACK)).result()
        return Span(self._ranges, first, held)


def tile_parts(ranges: Ranges, head: Span, header: Header, end: int, levels: int) -> Iterator[TilePart]:
    """All tile-parts in the order of the codestream, whose EOC is at `end`; `head` holds the object's first bytes.

    Raises NotReducibleError, and ValueError, LookupError or struct.error for what is broken.
    """
    return (_listed if header.lengths else _followed)(ranges, head, header, end, levels)


def _followed(ranges: Ranges, head: Span, header: Header, end: int, levels: int) -> Iterator[TilePart]:
    """Without TLM: from one tile-part to the next."""
    shares: Dict[int, float] = {}  # of the tiles seen: bytes used per pixel
    span, offset, tile = head, header.first, 0
    while offset < end:
        tile = min(tile, header.tiles() - 1)
        # The tiles to the left and above resemble this one; the margin saves most second requests.
        share = 1.06 * max(shares.get(tile - 1, 0), shares.get(tile - header.columns(), 0))
        span = span.moved(offset, min(max(SLACK, int(share * header.pixels(tile))), end - offset))
        part = _tile_part(span, offset, end, header, levels)
        yield part
        shares[part.tile] = part.used() / header.pixels(part.tile)
        tile, offset = part.tile + 1, offset + part.length


def _listed(ranges: Ranges, head: Span, header: Header, end: int, levels: int) -> Iterator[TilePart]:
    """With TLM: several requests at the same time, each for one tile-part or for several small ones."""
    offsets: List[int] = [header.first]
    for length in header.lengths:
        offsets.append(offsets[-1] + length)
    likely, seen = _LIKELY_SHARE ** levels, 0.0  # shares of a tile-part's bytes that are used
    asked: Deque[Tuple[List[int], int, Future[bytes]]] = deque()
    following = 0
    while True:
        while following < len(header.lengths) and len(asked) < _AHEAD:
            group, share = [following], seen or likely
            first = offsets[following]
            count = _guess(header.lengths[following], share)
            following += 1
            while following < len(header.lengths):
                reach = offsets[following] - first + _guess(header.lengths[following], share)
                if offsets[following] - first - count > SLACK or reach > _LARGEST:
                    break
                group.append(following)
                count, following = reach, following + 1
            asked.append((group, first, ranges.submit(first, count)))
        if not asked:
            return
        group, first, future = asked.popleft()
        span = Span(ranges, first, future.result())
        for number in group:
            part = _tile_part(span, offsets[number], end, header, levels)
            if part.length != header.lengths[number]:
                raise ValueError("a tile-part is not as long as TLM says")
            yield part
            if part.length > SLACK:
                seen = max(part.used() / part.length, 0.99 * seen)  # a maximum that forgets slowly


def _guess(length: int, share: float) -> int:
    """Bytes to read of a tile-part."""
    return min(length, max(int(1.02 * share * length), _TILE_HEADER))


def _tile_part(span: Span, offset: int, end: int, header: Header, levels: int) -> TilePart:
    """The tile-part at `offset`, with its lengths checked against each other."""
    marker, size, tile, length, number, count = struct.unpack(">HHHIBB", span.header(offset, _SOT_BYTES))
    if marker != codestream.SOT or size != _SOT_BYTES - 2:
        raise ValueError("a tile-part does not start where the one before it ends")
    length = length or end - offset  # 0: the last tile-part, up to EOC
    if offset + length > end:
        raise ValueError("the last tile-part is cut off")
    if tile >= header.tiles():
        raise ValueError(f"there is a tile {tile} in an image of {header.tiles()}")
    if number or count > 1:
        raise NotReducibleError(f"tile {tile} is in several parts")
    listed: List[bytes] = []
    segments, data = codestream.segments(span.header, offset + _SOT_BYTES, codestream.SOD)
    for marker, content in segments:
        if marker == codestream.PLT:
            listed.append(content)
        elif marker != codestream.COM:
            raise refused(marker, f"the header of tile {tile}")
    data += _SOD_BYTES
    if not listed:
        raise NotReducibleError(f"tile {tile} does not list its packets' lengths (PLT)")
    lengths = _packet_lengths(listed)
    if len(lengths) != header.packets(tile) or sum(lengths) != offset + length - data:
        raise ValueError(f"the packets of tile {tile} do not add up to its length")
    return TilePart(tile, offset, length, data, span.get(data, sum(lengths[:header.packets(tile, levels)])))


def _packet_lengths(listed: List[bytes]) -> List[int]:
    """The packets' lengths from the contents of PLT: seven bits a byte, of which the last has the eighth bit clear."""
    lengths: List[int] = []
    length = 0
    for content in sorted(listed, key=lambda content: content[0]):
        for byte in content[1:]:
            length = length << 7 | byte & 0x7F
            if not byte & 0x80:
                lengths.append(length)
                length = 0
    return lengths
