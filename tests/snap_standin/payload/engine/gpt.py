"""bin/gpt: the Graph Processing Tool's options, exit codes and words."""

import os
import re
import sys
import traceback

from . import api, graph, jvm, operators
from .errors import JavaError, operator_error
from .settings import Installation, ram, read_text

_VALUES = {"-t": "target", "-f": "format", "-p": "parameter file", "-m": "metadata file", "-v": "templates",
           "-q": "parallelism", "-c": "cache"}
_UNITS = {"": 1, "K": 1024, "M": 1024 ** 2, "G": 1024 ** 3}


def main(folder, arguments):
    """Run gpt of the installation whose bin is `folder`; its exit code."""
    home = os.path.dirname(folder)
    options = [line.strip() for line in read_text(os.path.join(folder, "gpt.vmoptions"), "").splitlines()]
    options = [line for line in options if line and not line.startswith("#")]
    options += [argument[2:] for argument in arguments if argument.startswith("-J")]
    options += [argument for argument in arguments if argument.startswith("-D")]
    options += [f"-Dsnap.home={folder}/..", "-Djava.awt.headless=true"]
    try:
        machine = jvm.Jvm(home, options, "gpt", arguments)
    except ValueError as error:
        Installation(home).say()
        sys.stderr.write(f"{error}\nError: Could not create the Java Virtual Machine.\n"
                         "Error: A fatal exception has occurred. Program will exit.\n")
        return 1
    info("org.esa.snap.core.gpf.operators.tooladapter.ToolAdapterIO: Initializing external tool adapters")
    if machine.properties().get("snap.versionCheck.interval") != "NEVER":
        info("org.esa.snap.core.util.EngineVersionCheckActivator: Please check regularly for new updates for the best"
             " SNAP experience.")
    try:
        return run(machine, [argument for argument in arguments if not argument.startswith("-J")])
    except (JavaError, OSError, ValueError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"\nError: {getattr(error, 'message', error)}\n")
        traceback.print_exc()
        return 1


def run(machine, arguments):
    """What main does once the JVM runs. Raises JavaError, ValueError."""
    request = parse(arguments)
    if request["diag"]:
        diagnose(machine, request)
        return 0
    if request["help"]:
        print(usage(machine))
        return 0
    installation = machine.installation
    target = (request["target"] or "target.dim", request["format"] or _format(request["target"]))
    if request["graph"]:
        print("Executing processing graph", flush=True)
        graph.run(request["graph"], request["parameters"], request["sources"], target, installation)
    else:
        operator = request["operator"]
        if operator not in operators.OPERATORS:
            raise operator_error(f"Unknown operator name '{operator}'.")
        for name in request["parameters"]:
            if name not in operators.OPERATORS[operator][1]:
                raise operator_error(f"Operator '{operator}': unknown parameter '{name}'")
        source = request["sources"].get("source") or request["sources"].get("sourceProduct")
        product = api.read_or_fail(source, installation) if source else None
        print("Executing operator...", flush=True)
        api.write(operators.create(operator, request["parameters"], product), target[0], target[1], installation)
    print("....10%....20%....30%....40%....50%....60%....70%....80%....90% done.", flush=True)
    return 0


def parse(arguments):
    """The command line as a dict. Raises ValueError with gpt's words."""
    request = {"parameters": {}, "sources": {}, "help": not arguments, "diag": False, "operator": None, "graph": None}
    request.update(dict.fromkeys(_VALUES.values()))
    rest, files = list(arguments), []
    while rest:
        argument = rest.pop(0)
        if argument[:2] in ("-P", "-S", "-D"):
            name, equals, value = argument[2:].partition("=")
            if not equals or not name.strip():
                raise ValueError(f"Missing '=' in '{argument}'" if not equals else f"Empty identifier in '{argument}'")
            if argument[1] != "D":
                request["parameters" if argument[1] == "P" else "sources"][name.strip()] = value.strip()
        elif argument in ("-h", "--diag"):
            request["help" if argument == "-h" else "diag"] = True
        elif argument in ("-x", "-e"):
            pass
        elif argument in _VALUES:
            if not rest:
                raise ValueError(f"Missing argument for option '{argument}'")
            request[_VALUES[argument]] = rest.pop(0)
        elif argument.startswith("-"):
            raise ValueError(f"Unknown option '{argument}'")
        else:
            files.append(argument)
    if files:
        graph_file = files[0].lower().endswith(".xml") or "/" in files[0]
        request["graph" if graph_file else "operator"] = files[0]
        if len(files) > 1:
            request["sources"]["sourceProduct"] = files[1]
    elif not request["help"] and not request["diag"]:
        raise ValueError("Either operator name or graph XML file must be given")
    if request["parameter file"]:
        request["parameters"] = dict(_parameter_file(request["parameter file"]), **request["parameters"])
    if request["cache"] is not None:
        request["cache"] = _bytes(request["cache"])
    if request["parallelism"] is not None:
        request["parallelism"] = int(request["parallelism"])
    return request


def _parameter_file(path):
    return {key.strip(): value.strip() for key, _, value in
            (line.partition("=") for line in read_text(path, "").splitlines() if not line.startswith("#"))}


def _bytes(text):
    match = re.match(r"(\d+)([KMG]?)$", text.upper())
    if not match:
        raise ValueError(f"For input string: \"{text}\"")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _format(target):
    extension = os.path.splitext(target or "")[1].lower()
    if extension not in ("", ".dim", ".tif", ".tiff"):
        raise ValueError("Output format unknown")
    return "GeoTIFF" if extension in (".tif", ".tiff") else "BEAM-DIMAP"


def diagnose(machine, request):
    """--diag: the lines of the real one."""
    properties = machine.properties()
    cache = request["cache"]
    if cache is None:
        cache = int(properties.get("snap.jai.tileCacheSize", 1024)) * 1024 ** 2
    parallelism = request["parallelism"] or int(properties.get("snap.parallelism", os.cpu_count()))
    tile = properties.get("snap.jai.defaultTileSize", "512")
    print(f"SNAP Release version {machine.installation.release()}")
    print("SNAP home: " + machine.system["snap.home"])
    print("SNAP debug: null")
    print("SNAP log level: " + properties.get("snap.log.level", "null"))
    print("Java home: " + os.path.join(machine.installation.home, "jre"))
    print("Java version: " + machine.installation.facts["java"])
    print(f"Processors: {os.cpu_count()}")
    print("Max memory: " + _size(machine.heap or ram() // 4))
    print("Cache size: " + _size(cache))
    print(f"Tile parallelism: {parallelism}")
    print(f"Tile size: {tile} x {tile} pixels")
    print("\nTo configure your gpt memory usage:\nEdit snap/bin/gpt.vmoptions")
    print("\nTo configure your gpt cache size and parallelism:\n"
          "Edit .snap/etc/snap.properties or gpt -c ${cachesize-in-GB}G -q ${parallelism} ")


def _size(number):
    for unit, factor in (("GB", 1024 ** 3), ("MB", 1024 ** 2), ("KB", 1024)):
        if number > factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def usage(machine):
    names = "\n".join("  " + name for name in sorted(list(operators.OPERATORS) + ["Read", "Write"]))
    return ("Usage:\n  gpt <op>|<graph-file> [options] [<source-file-1> <source-file-2> ...]\n\nOptions:\n"
            "  -h -e -t <file> -f <format> -p <file> -c <cache-size> -q <parallelism> -x -S<source>=<file>\n"
            f"  -P<name>=<value> -D<name>=<value> --diag\nOperators:\n{names}")


def info(text):
    sys.stderr.write(f"INFO: {text}\n")
