"""The main header of a JPEG 2000 codestream: what it says of tiles and packets, and the same for a part of the image.

Only layouts are accepted in which dropping the upper resolutions of every tile is known to leave a legal codestream.
Source: ISO/IEC 15444-1, annexes A (markers) and B (tiles, resolutions, precincts, packets).
"""

import struct
from typing import Dict, List, NamedTuple, Tuple

from . import codestream
from .errors import EojobError

# In these orders all packets of a lower resolution precede those of a higher one; LRCP with one layer is RLCP.
_LRCP, _RLCP, _RPCL = 0, 1, 2
_ORDERS = {_LRCP: "LRCP", _RLCP: "RLCP", _RPCL: "RPCL", 3: "PCRL", 4: "CPRL"}
_REVERSIBLE = 1
_OTHER_MARKERS = {0xFF50: "CAP", 0xFF53: "COC", 0xFF56: "PRF", 0xFF59: "CPF", 0xFF5D: "QCC", 0xFF5E: "RGN",
                  0xFF5F: "POC", 0xFF60: "PPM", 0xFF61: "PPT", 0xFF63: "CRG", codestream.COD: "COD",
                  codestream.QCD: "QCD"}
_SIZ, _COD = ">H8IH3B", ">BBHBB4B"


class NotReducibleError(EojobError):
    """A layout from which no smaller codestream can be made; the whole object has to be fetched."""


class Header(NamedTuple):
    """A main header with one component, its image and its tiles at the origin, sides in pixels."""

    bits: int                  # Ssiz
    width: int
    height: int
    tile_width: int
    tile_height: int
    cod: bytes                 # content of COD
    qcd: bytes                 # content of QCD
    decompositions: int
    layers: int
    precincts: Tuple[int, ...]  # by resolution, lowest first: log2 of the height << 4 | log2 of the width
    lengths: Tuple[int, ...]   # bytes of the tile-parts in their order, as TLM says; none without TLM
    first: int                 # offset of the first tile-part

    def columns(self) -> int:
        """Tiles side by side."""
        return -(-self.width // self.tile_width)

    def tiles(self) -> int:
        """Tiles of the image."""
        return self.columns() * -(-self.height // self.tile_height)

    def box(self, tile: int, levels: int = 0) -> Tuple[int, int, int, int]:
        """x0, y0, x1, y1 of a tile in pixels of the image halved `levels` times."""
        row, column = divmod(tile, self.columns())
        corners = (column * self.tile_width, row * self.tile_height,
                   min((column + 1) * self.tile_width, self.width), min((row + 1) * self.tile_height, self.height))
        x0, y0, x1, y1 = (-(-corner >> levels) for corner in corners)
        return x0, y0, x1, y1

    def pixels(self, tile: int) -> int:
        """Pixels of a tile at full resolution."""
        x0, y0, x1, y1 = self.box(tile)
        return (x1 - x0) * (y1 - y0)

    def packets(self, tile: int, levels: int = 0) -> int:
        """Packets of a tile in all resolutions but the upper `levels`."""
        count = 0
        for resolution in range(self.decompositions - levels + 1):
            x0, y0, x1, y1 = self.box(tile, self.decompositions - resolution)
            log_height, log_width = divmod(self.precincts[resolution], 16)
            if x1 > x0 and y1 > y0:
                count += (-(-x1 >> log_width) - (x0 >> log_width)) * (-(-y1 >> log_height) - (y0 >> log_height))
        return count * self.layers

    def reduced(self, levels: int) -> bytes:
        """The main header of the image halved `levels` times."""
        left = self.decompositions - levels
        cod = self.cod[:5] + bytes([left]) + self.cod[6:10] + self.cod[10:10 + left + 1]
        siz = (-(-self.width >> levels), -(-self.height >> levels), 0, 0,
               -(-self.tile_width >> levels), -(-self.tile_height >> levels), 0, 0)
        return self._write(siz, cod, self.qcd[:1 + 3 * left + 1])

    def alone(self, tile: int) -> bytes:
        """The main header of an image that is one tile of this one, in its place: so no precinct moves."""
        x0, y0, x1, y1 = self.box(tile)
        return self._write((x1, y1, x0, y0, self.tile_width, self.tile_height, x0, y0), self.cod, self.qcd)

    def _write(self, siz: Tuple[int, ...], cod: bytes, qcd: bytes) -> bytes:
        parts = [struct.pack(">H", codestream.SOC)]
        for marker, content in ((codestream.SIZ, struct.pack(_SIZ, 0, *siz, 1, self.bits, 1, 1)),
                                (codestream.COD, cod), (codestream.QCD, qcd)):
            parts.append(struct.pack(">HH", marker, len(content) + 2) + content)
        return b"".join(parts)


def refused(marker: int, where: str) -> Exception:
    """What to raise for a marker segment that this module knows no use of, in `where`."""
    if marker in _OTHER_MARKERS:
        return NotReducibleError(f"{where} holds {_OTHER_MARKERS[marker]}")
    return ValueError(f"{where} holds the unknown marker {marker:04x}")


def parse(read: codestream.Read, start: int, end: int, levels: int) -> Header:
    """The main header of the codestream from `start` to `end` in an object, to be halved `levels` times.

    Raises NotReducibleError where the layout does not allow it, and ValueError, LookupError or struct.error where it
    is broken.
    """
    if struct.unpack(">H", read(start, 2))[0] != codestream.SOC:
        raise ValueError("no start of codestream")
    found: Dict[int, bytes] = {}
    tlm: List[bytes] = []
    segments, first = codestream.segments(read, start + 2, codestream.SOT)
    for marker, content in segments:
        if marker == codestream.TLM:
            tlm.append(content)
        elif marker in (codestream.SIZ, codestream.COD, codestream.QCD):
            if marker in found:
                raise ValueError(f"the main header holds the marker {marker:04x} twice")
            found[marker] = content
        elif marker not in (codestream.COM, codestream.PLM):
            raise refused(marker, "the main header")
    if len(found) != 3:
        raise ValueError("the main header lacks SIZ, COD or QCD")
    siz, cod, qcd = (found[marker] for marker in (codestream.SIZ, codestream.COD, codestream.QCD))
    width, height, tile_width, tile_height, bits = _size(siz, levels)
    layers, decompositions = _coding(cod, qcd, levels)
    header = Header(bits, width, height, tile_width, tile_height, cod, qcd, decompositions, layers,
                    tuple(cod[10:]) or (0xFF,) * (decompositions + 1), _lengths(tlm), first)
    if header.lengths:
        if len(header.lengths) > header.tiles():
            raise NotReducibleError("tiles are in several parts")
        if len(header.lengths) != header.tiles():
            raise ValueError(f"TLM lists {len(header.lengths)} of {header.tiles()} tiles")
        if first + sum(header.lengths) != end - 2:
            raise ValueError("the lengths in TLM do not add up to that of the codestream")
    return header


def _size(siz: bytes, levels: int) -> Tuple[int, int, int, int, int]:
    """Width, height, tile width, tile height and Ssiz, when the image can be halved."""
    capabilities, x1, y1, x0, y0, tile_width, tile_height, tile_x0, tile_y0, components = struct.unpack(
        ">H8IH", siz[:36])
    if components != 1:
        raise NotReducibleError(f"it has {components} components")
    *_, bits, step_x, step_y = struct.unpack(_SIZ, siz)
    if capabilities & 0xC000:
        raise NotReducibleError("it uses extensions of JPEG 2000 (Part 2 or 15)")
    if (x0, y0, tile_x0, tile_y0) != (0, 0, 0, 0):
        raise NotReducibleError("its image or its tiles do not start at the origin")
    if (step_x, step_y) != (1, 1):
        raise NotReducibleError("its component is subsampled")
    if not (x1 and y1 and tile_width and tile_height):
        raise ValueError("no image or tile size")
    for side, tile in ((x1, tile_width), (y1, tile_height)):
        if tile % (1 << levels) and tile < side:
            raise NotReducibleError(f"a tile's side of {tile} does not divide by {1 << levels}")
    return x1, y1, tile_width, tile_height, bits


def _coding(cod: bytes, qcd: bytes, levels: int) -> Tuple[int, int]:
    """Layers and decomposition levels, when the upper resolutions can be dropped."""
    style, order, layers, _, decompositions, _, _, _, transform = struct.unpack(_COD, cod[:10])
    if decompositions > 32 or not layers or len(cod) != 10 + (style & 1) * (decompositions + 1):
        raise ValueError("COD is broken")
    if style & 2:
        raise NotReducibleError("its packets carry SOP markers")
    if transform != _REVERSIBLE or qcd[0] & 0x1F:
        raise NotReducibleError("its wavelet is not the reversible 5/3")
    if len(qcd) != 2 + 3 * decompositions:
        raise ValueError("QCD is broken")
    if not (order in (_RLCP, _RPCL) or order == _LRCP and layers == 1):
        raise NotReducibleError(f"its packets are in the order {_ORDERS.get(order, order)} with {layers} layers")
    if decompositions < levels:
        raise NotReducibleError(f"it has {decompositions} decomposition levels, and {levels} are asked for")
    return layers, decompositions


def _lengths(tlm: List[bytes]) -> Tuple[int, ...]:
    """The lengths of the tile-parts in the order of the codestream."""
    lengths: List[int] = []
    for content in sorted(tlm, key=lambda content: content[0]):
        entry = ">" + ("", "B", "H")[content[1] >> 4 & 3] + ("I" if content[1] & 0x40 else "H")
        lengths += [fields[-1] for fields in struct.iter_unpack(entry, content[2:])]
    return tuple(lengths)
