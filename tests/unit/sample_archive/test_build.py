"""Building: the same bytes each time, nothing made twice, nothing lost, errors that help."""

import hashlib
import json
from collections import namedtuple
from pathlib import Path

import pytest
from archive_kit import Archive
from sample_archive.build import Made, build, check_size, estimate_bytes
from sample_archive.catalogue import PRODUCTS
from sample_archive.errors import SampleArchiveError

SMALL = 192


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(root: Path, sdist: Path, size: int = SMALL, count: int = 1) -> list[Made]:
    made: list[Made] = []
    build(PRODUCTS[:count], root, size, sdist, jobs=1, report=made.append)
    return made


def test_same_spec_gives_same_bytes(archive: Archive, sdist: Path, tmp_path: Path) -> None:
    spec = next(spec for spec in archive.specs if spec.tile == "33KXP")
    build([spec], tmp_path, archive.size, sdist, jobs=1, report=lambda made: None)
    first, second = hashes(archive.root / spec.folder), hashes(tmp_path / spec.folder)
    assert len(first) > 50
    assert first == second


def test_only_what_is_missing_is_made(sdist: Path, tmp_path: Path) -> None:
    assert [made.spec for made in run(tmp_path, sdist)] == [PRODUCTS[0]]
    assert run(tmp_path, sdist) == []
    assert [made.spec for made in run(tmp_path, sdist, count=2)] == [PRODUCTS[1]]


def test_another_size_or_generator_replaces_the_product(
    sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, sdist)
    before = hashes(tmp_path / PRODUCTS[0].folder)
    assert len(run(tmp_path, sdist, size=240)) == 1
    assert hashes(tmp_path / PRODUCTS[0].folder) != before
    sidecar = tmp_path / ".sample_archive" / f"{PRODUCTS[0].name}.json"
    recorded = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(recorded | {"digest": "of another generator"}))
    assert len(run(tmp_path, sdist, size=240)) == 1
    assert json.loads(sidecar.read_text()) == recorded


def test_a_stopped_run_can_go_on(sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    run(tmp_path, sdist)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.rename", crash)
        run(tmp_path, sdist, size=240)
    assert len(run(tmp_path, sdist)) == 0
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.rename", crash)
        run(tmp_path, sdist, count=2)
    assert len(run(tmp_path, sdist, count=2)) == 1
    assert {path.suffix for path in (tmp_path / ".sample_archive").iterdir()} == {".json"}


def test_what_others_made_is_left_alone(sdist: Path, tmp_path: Path) -> None:
    theirs = tmp_path / PRODUCTS[0].folder / "precious"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("data")
    with pytest.raises(SampleArchiveError, match="did not make it"):
        run(tmp_path, sdist)
    assert theirs.read_text() == "data"


@pytest.mark.parametrize(("size", "reason"), [(1000, "multiple of 6"), (96, "too small"), (0, "too small")])
def test_impossible_sizes(size: int, reason: str) -> None:
    with pytest.raises(SampleArchiveError, match=reason):
        check_size(size)


def test_too_little_disk(sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1_000_000))
    with pytest.raises(SampleArchiveError, match="too little disk space"):
        run(tmp_path, sdist)
    assert not (tmp_path / PRODUCTS[0].folder).exists()


def test_output_that_is_no_folder(sdist: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SampleArchiveError, match="cannot write to"):
        run(blocked, sdist)


def test_estimate_is_of_the_right_order(archive: Archive) -> None:
    for spec in archive.specs:
        actual = sum(path.stat().st_size for path in (archive.root / spec.folder).rglob("*") if path.is_file())
        assert actual == pytest.approx(estimate_bytes(spec, archive.size), rel=0.3)
