"""A user's script stays short."""

from eojob_support import FILES


def test_script_reads_at_a_glance():
    code = [line for line in (FILES / "image_processing.py").read_text().splitlines() if line.strip()]
    assert len(code) < 30
