"""Runs a plain MPI script, one that knows nothing of eojob, unchanged: `python3 -m eojob.plain SCRIPT.py`.

Such a script, the tutorial's for one, runs in the user's home: it downloads to ~/NAME and reads NAME. Here it runs in
`output`, and takes that for its home, so both are the same place again while the real home stays clean. The real home's
settings of s3cmd and of boto3, and what pip has installed there, are pointed to.

SNAP, which asks passwd and not $HOME, gets a userdir and a temporary folder on the node's own disk (JAVA_TOOL_OPTIONS):
in a home that all ranks share, they would wait for each other's locks.
"""

import os
import runpy
import sys
import traceback
from typing import Any, Dict, List

from . import atomic, jvm

OUTPUT = "output"
_NO_SCRIPT = 2


def environment(home: str, output: str, folders: jvm.Folders) -> Dict[str, str]:
    """The variables that the script sees other than as they are; what the user has set is left alone."""
    kept = {
        "S3CMD_CONFIG": os.path.join(home, ".s3cfg"),
        "AWS_CONFIG_FILE": os.path.join(home, ".aws", "config"),
        "AWS_SHARED_CREDENTIALS_FILE": os.path.join(home, ".aws", "credentials"),
        "PYTHONUSERBASE": os.path.join(home, ".local"),
    }
    found = {key: os.environ.get(key, value) for key, value in kept.items()}
    java = f"-Dsnap.userdir={folders.userdir} -Djava.io.tmpdir={folders.temporary}"
    found["JAVA_TOOL_OPTIONS"] = (java + " " + os.environ.get("JAVA_TOOL_OPTIONS", "")).strip()
    found["HOME"] = output
    return found


def main(arguments: List[str]) -> int:
    """Run the script in `output` of the working directory; the exit code."""
    if len(arguments) != 1:
        print("usage: python3 -m eojob.plain SCRIPT.py", file=sys.stderr)
        return _NO_SCRIPT
    script, output = os.path.abspath(arguments[0]), os.path.abspath(OUTPUT)
    scratch_root = os.environ.get("EOJOB_SCRATCH") or os.environ.get("TMPDIR") or "/tmp"
    os.makedirs(output, exist_ok=True)
    os.makedirs(scratch_root, exist_ok=True)
    atomic.clean_scratch(scratch_root)
    with atomic.scratch_folder(scratch_root) as scratch:
        os.environ.update(environment(os.path.expanduser("~"), output, jvm.make_folders(scratch)))
        os.chdir(output)
        sys.argv = [script]
        sys.path[0] = os.path.dirname(script)  # as Python itself does; it was the folder that eojob was found in
        code = _run(script)
    if code:
        _abort(code)
    return code


def _run(script: str) -> int:
    """The script's exit code; why it ended is told as Python tells it."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _abort(code: int) -> None:
    """End all ranks: at a barrier or a scatter the others would wait for this one for ever."""
    mpi: Any = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized() and mpi.COMM_WORLD.size > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        mpi.COMM_WORLD.Abort(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
