"""The command line: check, preflight, script, status, report, quicklooks."""

import argparse
import json
import sys
from typing import Any, Dict, List, Optional

from . import graph, jobfile, report, script
from .errors import EojobError, not_importable

OK, FAULT = 0, 2


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; its exit code, 0 or 2."""
    parser = argparse.ArgumentParser(prog="python3 -m eojob", description="Looks at a job before and after it runs.")
    commands = parser.add_subparsers(dest="command")
    for name, what, subject in (
            ("check", "check a job file; needs the standard library only", "JOB.json"),
            ("preflight", "check store, credentials, prefix, engine and disks, too", "JOB.json"),
            ("script", "check a script that runs without a job file: its syntax and what it imports", "SCRIPT.py"),
            ("status", "how far the latest run is, as JSON", "OUTPUT_DIR"),
            ("report", "what came of the latest run; also writes report.json and report.txt", "OUTPUT_DIR"),
            ("quicklooks", "make the pictures of GeoTIFFs that have none", "OUTPUT_DIR")):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("subject", metavar=subject)
        if name not in ("status", "quicklooks"):
            command.add_argument("--json", action="store_true", help="print JSON")
        if name in ("check", "preflight"):
            command.add_argument("--script", default="", help="the job's script, to be checked with it")
        if name == "check":
            command.add_argument("--graph", default="", help="the job's graph where it is on this machine, likewise")
    options = parser.parse_args(arguments)
    if options.command is None:  # add_subparsers(required=) came with Python 3.7
        parser.print_usage(sys.stderr)
        return FAULT
    action = {"check": _check, "preflight": _preflight, "script": _script, "status": _status, "report": _report,
              "quicklooks": _quicklooks}[options.command]
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
    plain = bool(options.script) and script.is_plain(options.script)
    faults = script.syntax_faults(options.script) if options.script else []
    if plain and options.graph:
        faults.append(f"graph: {options.script} does not import eojob, so no graph is run; name a graph or a script")
    elif options.graph:
        faults += graph.faults(options.graph)
    if not options.json:
        for fault in faults:
            print(fault, file=sys.stderr)
    if not plain:  # a script that has nothing of eojob's has no use for a job file
        faults += _faults(options)
    if options.json:
        _print_json({"ok": not faults, "faults": faults, "plain": plain})
    elif not faults:
        print(f"{options.subject}: ok")
    return FAULT if faults else OK


def _preflight(options: argparse.Namespace) -> int:
    faults = _faults(options)
    if faults:
        checks = [{"name": "job file", "ok": False, "message": fault} for fault in faults]
    else:
        try:
            from .preflight import preflight
        except ImportError as error:
            checks = [{"name": "packages", "ok": False, "message": not_importable(error)}]
        else:
            checks = [check._asdict() for check in preflight(jobfile.load(options.subject))]
    if options.script:
        checks.insert(0, script.check(options.script))
    return _tell(checks, options.json)


def _script(options: argparse.Namespace) -> int:
    return _tell([script.check(options.subject)], options.json)


def _tell(checks: List[Dict[str, Any]], as_json: bool) -> int:
    passed = all(check["ok"] for check in checks)
    if as_json:
        _print_json({"ok": passed, "checks": checks})
    else:
        for check in checks:
            if check["name"] != "job file":  # told already
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


def _quicklooks(options: argparse.Namespace) -> int:
    from . import quicklook
    for picture in quicklook.write_missing(options.subject):
        print(picture)
    return OK
