"""The command line: check, preflight, status, report."""

import argparse
import json
import sys
from typing import Any, List, Optional

from . import jobfile, report
from .errors import EojobError

OK, FAULT = 0, 2


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; its exit code, 0 or 2."""
    parser = argparse.ArgumentParser(prog="python3 -m eojob", description="Looks at a job before and after it runs.")
    commands = parser.add_subparsers(dest="command")
    for name, what, subject in (
            ("check", "check a job file; needs the standard library only", "JOB.json"),
            ("preflight", "check store, credentials, prefix, engine and disks, too", "JOB.json"),
            ("status", "how far the latest run is, as JSON", "OUTPUT_DIR"),
            ("report", "what came of the latest run; also writes report.json and report.txt", "OUTPUT_DIR")):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("subject", metavar=subject)
        if name != "status":
            command.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.command is None:  # add_subparsers(required=) came with Python 3.7
        parser.print_usage(sys.stderr)
        return FAULT
    action = {"check": _check, "preflight": _preflight, "status": _status, "report": _report}[options.command]
    try:
        return action(options)
    except EojobError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or options.subject}: {error.strerror}", file=sys.stderr)
    return FAULT


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, sort_keys=True))


def _faults(options: argparse.Namespace) -> List[str]:
    """What is wrong with the job file; told to the user unless JSON was asked for."""
    try:
        jobfile.load(options.subject)
        return []
    except jobfile.JobFileError as error:
        if not options.json:
            print(error, file=sys.stderr)
        return error.faults


def _check(options: argparse.Namespace) -> int:
    faults = _faults(options)
    if options.json:
        _print_json({"ok": not faults, "faults": faults})
    elif not faults:
        print(f"{options.subject}: ok")
    return FAULT if faults else OK


def _preflight(options: argparse.Namespace) -> int:
    faults = _faults(options)
    if faults:
        checks = [{"name": "job file", "ok": False, "message": fault} for fault in faults]
    else:
        from .preflight import preflight
        checks = [check._asdict() for check in preflight(jobfile.load(options.subject))]
    passed = all(check["ok"] for check in checks)
    if options.json:
        _print_json({"ok": passed, "checks": checks})
    elif not faults:
        for check in checks:
            print(f"{'ok  ' if check['ok'] else 'FAIL'}  {check['message']}")
    return OK if passed else FAULT


def _status(options: argparse.Namespace) -> int:
    _print_json(report.status(options.subject))
    return OK


def _report(options: argparse.Namespace) -> int:
    content = report.write(options.subject)
    if options.json:
        _print_json(content)
    else:
        print(report.text(content), end="")
    return OK
