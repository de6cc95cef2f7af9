"""Starts ranks on this machine, as the job's benchmark does."""

import json
import os
import subprocess
import sys
from typing import Any

from job.runs import mpirun


def launch(ranks: int, module: str, *arguments: str, timeout: float) -> Any:
    """What rank 0 of `python -m module` prints, read as JSON.

    Raises RuntimeError, with the end of what they said, when the ranks fail or take longer than `timeout` seconds.
    """
    # mpi4py as the outer module ends all ranks when one fails.
    command = [*mpirun(ranks), sys.executable, "-m", "mpi4py", "-m", module, *arguments]
    environment = {**os.environ, "OMPI_MCA_mpi_yield_when_idle": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{module}: {ranks} ranks have not ended after {timeout:.0f} s") from error
    finally:
        if process.poll() is None:
            process.terminate()  # mpirun ends its ranks
            process.wait()
    if process.returncode:
        raise RuntimeError(f"{module}: {ranks} ranks ended with {process.returncode}:\n{(output + errors)[-3000:]}")
    return json.loads(output)
