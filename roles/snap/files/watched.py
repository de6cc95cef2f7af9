"""Run a command of SNAP's that may never end, and say how it went. Kept to Python 3.6, as all that runs on nodes.

Some of them hang when their work is done (snappy-conf, `snap --modules`), so a command is ended a while after it said
or made what shows that. It runs without a terminal and without input, and what it started is ended with it.
"""
import argparse
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

STEP = 0.2  # s between two looks
TAIL = 25  # lines


def parse(words):
    """The words of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True, help="where what the command prints is kept")
    parser.add_argument("--limit", type=float, required=True, help="seconds until it is ended")
    parser.add_argument("--done-text", help="a regular expression: a line that shows that the work is done")
    parser.add_argument("--done-file", action="append", default=[], help="a pattern of files that show the same")
    parser.add_argument("--grace", type=float, default=15, help="seconds that it then has to end by itself")
    parser.add_argument("--result", help="a file for the answer, for those who do not wait for it")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(words)


def tail(path):
    """The last lines of a text file."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read().strip().splitlines()[-TAIL:]


def is_done(wanted):
    """Whether the command has shown that its work is done."""
    if any(glob.glob(pattern) for pattern in wanted.done_file):
        return True
    if not wanted.done_text:
        return False
    with open(wanted.log, encoding="utf-8", errors="replace") as stream:
        return any(re.search(wanted.done_text, line) for line in stream)


def end(process):
    """End the command and all that it started: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break


def watch(wanted):
    """Run the command to its end; `ended` is itself, done (it hung afterwards) or limit, `code` its exit code."""
    start, done = time.monotonic(), None
    with open(wanted.log, "wb") as log:
        process = subprocess.Popen(wanted.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        ended = "itself"
        while process.poll() is None:
            now = time.monotonic()
            if done is None and is_done(wanted):
                done = now
            if now - start > wanted.limit or (done is not None and now - done > wanted.grace):
                ended = "limit" if done is None else "done"
                break
            time.sleep(STEP)
        # Also after an end by itself: a launcher may have left its Java behind.
        end(process)
    return {"ended": ended, "code": process.returncode if ended == "itself" else None,
            "seconds": round(time.monotonic() - start, 1), "tail": tail(wanted.log)}


def main(words):
    """Print the answer, and put it into the file, where one is asked for, whole or not at all."""
    wanted = parse(words)
    if wanted.result and os.path.exists(wanted.result):
        os.remove(wanted.result)
    try:
        answer = watch(wanted)
    except OSError as error:  # the command is not there, or cannot be run
        answer = {"ended": "never started", "code": None, "seconds": 0, "tail": [str(error)]}
    if wanted.result:
        with open(wanted.result + ".new", "w") as stream:
            json.dump(answer, stream)
        os.replace(wanted.result + ".new", wanted.result)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
