"""Import SNAP's engine on this node, and say whether it works. Kept to Python 3.6, as all that runs on nodes.

Run as `python - LIMIT MODULE PYTHON PATH STATEMENT`: seconds, the package's name, the Python to try, what goes before
its own path (or nothing), and what to run. All nodes may try at the same time: each has a userdir on its own disk,
because SNAP locks the one in the home (SNAP-4211); the working folder's .ini is the last that the package reads.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

TAIL = 15  # lines


def attempt(limit, module, python, path, statement):
    """Run the statement; `ok`, and the end of what it said."""
    folder = tempfile.mkdtemp(prefix="eocluster-snap-")
    try:
        with open(os.path.join(folder, module + ".ini"), "w") as stream:
            stream.write("[DEFAULT]\njava_options: -Dsnap.userdir={}\n".format(os.path.join(folder, "userdir")))
        environment = dict(os.environ)
        environment.pop("PYTHONPATH", None)
        if path:
            environment["PYTHONPATH"] = path
        process = subprocess.Popen([python, "-c", statement], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            said, _ = process.communicate(timeout=limit)
            ended = process.returncode == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            said, ended = said + b"\nit did not end within %d s" % limit, False
        return {"ok": ended, "tail": said.decode("utf-8", "replace").strip().splitlines()[-TAIL:]}
    except OSError as error:
        return {"ok": False, "tail": [str(error)]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(attempt(float(sys.argv[1]), *sys.argv[2:])))
