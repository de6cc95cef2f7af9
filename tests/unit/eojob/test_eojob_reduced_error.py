"""How far a band at a lower resolution is from First and Mean, against numpy on the whole image."""

from pathlib import Path

import numpy as np
import pytest
from eojob import reduced
from eojob.errors import CorruptError
from eojob_jp2 import Fetched, Parts, decode, encode, pixels


def expected(approximate, exact):
    """The measures over all pixels that hold data in either."""
    difference = [float(a) - float(b) for a, b in zip(approximate.ravel(), exact.ravel()) if a or b]
    return {"rmse": np.sqrt(np.mean(np.square(difference))), "bias": np.mean(difference),
            "largest": np.max(np.abs(difference)), "pixels": len(difference)}


def mean_with_data(values, factor):
    """The mean of each whole cell over its pixels with data, rounded down."""
    rows, columns = (side // factor for side in values.shape)
    result = np.zeros((rows, columns))
    for row, column in np.ndindex(rows, columns):
        cell = values[row * factor:(row + 1) * factor, column * factor:(column + 1) * factor]
        if cell.any():
            result[row, column] = cell[cell > 0].astype(int).sum() // (cell > 0).sum()
    return result


@pytest.mark.parametrize("shape,side", [((600, 700), 256), ((301, 255), 512)])
@pytest.mark.parametrize("levels", [1, 2])
def test_error_over_the_sample(shape, side, levels, tmp_path):
    values, factor = pixels(*shape), 2 ** levels
    path = Parts(encode(tmp_path / "sop.jp2", values, side)).write(tmp_path / "band.jp2")
    fetched = Fetched(path, levels, tmp_path)
    found = reduced.error(fetched.path, fetched.result.sample, fetched.result.sample_index, levels)

    row, column = divmod(fetched.result.sample_index, -(-shape[1] // side))
    tile = values[row * side:(row + 1) * side, column * side:(column + 1) * side]
    step = side // factor
    half = decode(fetched.path)[row * step:(row + 1) * step, column * step:(column + 1) * step]
    mean = mean_with_data(tile, factor)
    assert found["first"] == pytest.approx(expected(half, tile[::factor, ::factor]))
    assert found["mean"] == pytest.approx(expected(half[:mean.shape[0], :mean.shape[1]], mean))
    assert found["first"]["rmse"] > 1 and found["mean"]["rmse"] > 1


def test_files_that_cannot_be_decoded(tmp_path):
    path = Parts(encode(tmp_path / "sop.jp2", pixels(300, 300), 256)).write(tmp_path / "band.jp2")
    fetched = Fetched(path, 1, tmp_path)
    (tmp_path / "broken.j2k").write_bytes(Path(fetched.result.sample).read_bytes()[:100])
    with pytest.raises(CorruptError, match="broken.j2k cannot be"):
        reduced.error(fetched.path, str(tmp_path / "broken.j2k"), 0, 1)
