"""JPEG 2000 files in ESA's layout, taken apart into packets and put together as a test wants them."""

import os
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import rasterio
from eojob import reduced
from rasterio.errors import NotGeoreferencedWarning

warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

SIZ, COD, TLM, PLT, SOT, SOD, SOP, EOC = 0xFF51, 0xFF52, 0xFF55, 0xFF58, 0xFF90, 0xFF93, b"\xff\x91", b"\xff\xd9"


def pixels(height, width, seed=0):
    """Textured DN of 15 bits; the upper-left corner holds no data."""
    rows, columns = np.indices((height, width))
    values = 4000 + 1500 * np.sin(columns / 37) * np.cos(rows / 23)
    values = (values + np.random.RandomState(seed).normal(0, 60, values.shape)).astype("uint16")
    values[rows + columns < (height + width) // 3] = 0
    return values


def encode(path, values, tile=512, codeblock=64, precinct=256, **options):
    """Write `values` (rows, columns) or (bands, rows, columns) as ESA does, but with SOP and without PLT and TLM."""
    values = values if values.ndim == 3 else values[None]
    settings = {"QUALITY": "100", "REVERSIBLE": "YES", "PROGRESSION": "LRCP", "SOP": "YES", "YCBCR420": "NO",
                "RESOLUTIONS": 5, "NBITS": 15, "CODEBLOCK_WIDTH": codeblock, "CODEBLOCK_HEIGHT": codeblock,
                "PRECINCTS": ",".join([f"{{{precinct},{precinct}}}"] * 5)}
    settings.update(options)
    with rasterio.open(str(path), "w", driver="JP2OpenJPEG", height=values.shape[1], width=values.shape[2],
                       count=len(values), dtype="uint16", tiled=True, BLOCKXSIZE=tile, BLOCKYSIZE=tile,
                       **settings) as dataset:
        dataset.write(values)
    return path


class Parts:
    """A JP2 of `encode` in parts that may be changed: `main`, marker segments; `tiles`, the packets of each tile."""

    def __init__(self, path):
        data = path.read_bytes()
        start = data.index(b"\xff\x4f\xff\x51")
        self.boxes = data[:start - 8]  # all before the box of the codestream, which is the last
        self.main, self.tiles, offset = [], [], start + 2
        while data[offset:offset + 2] != EOC:
            marker, length = struct.unpack(">HH", data[offset:offset + 4])
            if marker == SOT:
                length, = struct.unpack(">I", data[offset + 6:offset + 10])
                body = data[offset + 14:offset + length]
                assert data[offset + 12:offset + 14] == struct.pack(">H", SOD) and body.startswith(SOP)
                # SOP cannot occur within a packet; what it brings is 4 bytes more.
                self.tiles.append([packet[4:] for packet in body.split(SOP)[1:]])
                offset += length
                continue
            self.main.append((marker, data[offset + 4:offset + 2 + length]))
            offset += 2 + length
        self.change(COD, 0, self.find(COD)[0] & ~2)

    def find(self, marker):
        return next(content for found, content in self.main if found == marker)

    def change(self, marker, index, value):
        """Set one byte of a main marker segment's content."""
        self.main = [(found, content[:index] + bytes([value]) + content[index + 1:] if found == marker else content)
                     for found, content in self.main]

    def tile_parts(self, **options):
        return [tile_part(index, packets, **options) for index, packets in enumerate(self.tiles)]

    def write(self, path, tlm=False, parts=None):
        """Write the file with these tile-parts, by default all of them with PLT; its path."""
        parts = self.tile_parts() if parts is None else parts
        main = list(self.main)
        if tlm:  # in two segments
            half = len(parts) // 2
            main += [(TLM, bytes([index, 0x60]) + b"".join(part[4:10] for part in chosen))
                     for index, chosen in ((0, parts[:half]), (1, parts[half:]))]
        stream = b"\xff\x4f" + b"".join(segment(*each) for each in main) + b"".join(parts) + EOC
        path.write_bytes(self.boxes + struct.pack(">I4s", len(stream) + 8, b"jp2c") + stream)
        return path


def segment(marker, content):
    return struct.pack(">HH", marker, len(content) + 2) + content


def tile_part(index, packets, plt=True, extra=b"", number=0, count=1):
    """A tile-part with `packets`, their lengths in several PLT, and `extra` in its header."""
    header = extra
    for first in range(0, len(packets) if plt else 0, 20):
        lengths = b"".join(_variable(len(packet)) for packet in packets[first:first + 20])
        header += segment(PLT, bytes([first // 20]) + lengths)
    body = header + struct.pack(">H", SOD) + b"".join(packets)
    return struct.pack(">HHHIBB", SOT, 10, index, 12 + len(body), number, count) + body


def _variable(number):
    """A number as PLT has it: seven bits a byte, the eighth set in all but the last."""
    groups = [number & 0x7F]
    while number > 0x7F:
        number >>= 7
        groups.insert(0, number & 0x7F | 0x80)
    return bytes(groups)


class Fetched:
    """What `reduced.fetch` makes of a file, and what it read for it."""

    def __init__(self, source, levels, folder, workers=4, size=None):
        self.ranges, self.path, self.size = [], str(folder / "reduced.j2k"), os.path.getsize(str(source))
        descriptor = os.open(str(source), os.O_RDONLY)

        def read(first, count):
            data = os.pread(descriptor, count, first)
            assert len(data) == count > 0, "a range that the object does not have"
            self.ranges.append((first, count))
            return data
        pool = ThreadPoolExecutor(max_workers=workers)
        try:
            self.result = reduced.fetch(read, self.size if size is None else size, levels, self.path, pool)
        finally:
            pool.shutdown()
            os.close(descriptor)


def decode(path, **options):
    with rasterio.open(str(path), **options) as dataset:
        return dataset.read(1)
