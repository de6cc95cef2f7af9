"""Graph files of gpt: variables, nodes in order, Read and Write and the operators between them."""

import re
from xml.etree import ElementTree

from . import api, operators
from .errors import JavaError, io_error, operator_error

_VARIABLE = re.compile(r"\$(?:\{([^}]+)\}|([A-Za-z_][\w.]*))")


def run(path, parameters, sources, target, installation):
    """Execute the graph in file `path`.

    Args:
        parameters: -P options, for $name and ${name}; unknown variables stay as they are.
        sources: -S options; `$name` stands for a node that reads the file.
        target: (file, format) for a graph that does not end with Write.
    """
    made = {}
    variables = dict(parameters)
    for name, file in sources.items():
        variables[name] = "ReadOp@" + name
        made["ReadOp@" + name] = api.read_or_fail(file, installation)
    nodes = _nodes(path, variables)
    last = None
    for node in nodes:
        identity = node.get("id")
        try:
            last = made[identity] = _execute(node, made, installation)
        except JavaError as error:
            raise JavaError("org.esa.snap.core.gpf.graph.GraphException",
                            f"[NodeId: {identity}] {error.message}") from error
    if (nodes[-1].findtext("operator") or "").strip() != "Write":
        api.write(last, target[0], target[1], installation)


def _nodes(path, variables):
    try:
        with open(path, encoding="utf-8") as lines:
            text = lines.read()
    except OSError as error:
        raise io_error(f"{path} ({error.strerror})") from error

    def value(match):
        return variables.get(match.group(1) or match.group(2), match.group(0))

    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise JavaError("org.esa.snap.core.gpf.graph.GraphException",
                        f"Error reading graph from file '{path}': {error}") from error
    for element in root.iter():
        element.text = _VARIABLE.sub(value, element.text) if element.text else element.text
        for key, old in element.attrib.items():
            element.set(key, _VARIABLE.sub(value, old))
    nodes = root.findall("node")
    if root.tag != "graph" or not nodes:
        raise JavaError("org.esa.snap.core.gpf.graph.GraphException", f"'{path}' holds no graph with nodes")
    return nodes


def _execute(node, made, installation):
    operator = (node.findtext("operator") or "").strip()
    parameters = {child.tag: (child.text or "").strip() for child in node.findall("parameters/*")}
    if operator == "Read":
        if not parameters.get("file"):
            raise operator_error("The 'file' parameter is not set.")
        return api.read_or_fail(parameters["file"], installation)
    source = _source(node, made)
    if operator == "Write":
        if not parameters.get("file"):
            raise operator_error("Operator 'WriteOp': Value for 'file' must not be null.")
        api.write(source, parameters["file"], parameters.get("formatName", "BEAM-DIMAP"), installation)
        return source
    if operator not in operators.OPERATORS:
        raise operator_error(f"Unknown operator name '{operator}'.")
    return operators.create(operator, {key: text for key, text in parameters.items() if text}, source)


def _source(node, made):
    for child in node.findall("sources/*"):
        reference = child.get("refid") or (child.text or "").strip()
        if reference not in made:
            raise operator_error(f"Missing source. Node Id: {node.get('id')} Source Id: {reference}")
        return made[reference]
    return None
