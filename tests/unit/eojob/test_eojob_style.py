"""What runs on nodes has to run on Ubuntu 18.04's Python 3.6."""

import subprocess
import sys
from pathlib import Path

from eojob_support import FILES


def test_python_3_6_is_enough():
    vermin = Path(sys.executable).parent / "vermin"
    done = subprocess.run([str(vermin), "-t=3.6-", "--no-tips", "--violations", str(FILES)], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_script_reads_at_a_glance():
    code = [line for line in (FILES / "image_processing.py").read_text().splitlines() if line.strip()]
    assert len(code) < 30
