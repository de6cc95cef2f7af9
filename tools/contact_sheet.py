#!/usr/bin/env python3
"""Lay the quicklooks of a job out on one sheet, and show it where there is a screen.

    contact_sheet.py FOLDER    writes FOLDER/contact-sheet.png and prints its path
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

NAME = "contact-sheet.png"
CELL, GAP, CAPTION = 360, 12, 44  # pixels
PAPER, INK = (20, 22, 26), (225, 228, 232)


def caption(stem: str) -> str:
    """`S2A_MSIL1C_20221001T084801_N0400_R107_T33KWP_…` as two lines: tile, then satellite and time of sensing."""
    parts = stem.split("_")
    if len(parts) < 6:
        return stem
    when = parts[2]
    return f"{parts[5]}\n{parts[0]}  {when[:4]}-{when[4:6]}-{when[6:8]} {when[9:11]}:{when[11:13]}"


def sheet(pictures: list[Path]) -> Image.Image:
    """One RGB image with all `pictures`, as square as they allow, each with its caption below."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    page = Image.new("RGB", (GAP + columns * (CELL + GAP), GAP + rows * (CELL + CAPTION + GAP)), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for index, path in enumerate(pictures):
        left = GAP + index % columns * (CELL + GAP)
        top = GAP + index // columns * (CELL + CAPTION + GAP)
        with Image.open(path) as file:
            picture = file.convert("RGBA")
            picture.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
            page.paste(picture, (left, top), picture)
        pen.multiline_text((left, top + CELL + 4), caption(path.stem), fill=INK, font=font)
    return page


def main() -> int:
    """Write the sheet of the folder that the command line names."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    pictures = sorted(path for path in folder.glob("*.png") if path.name != NAME)
    if not pictures:
        print(f"There are no quicklooks in {folder}. Remedy: make run-job, then make results.", file=sys.stderr)
        return 2
    target = folder / NAME
    partial = folder / f".{NAME}"
    sheet(pictures).save(partial, format="PNG")
    partial.replace(target)
    print(f"{len(pictures)} quicklooks: {target}")
    viewer = shutil.which("xdg-open")
    if viewer and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        subprocess.Popen([viewer, str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
