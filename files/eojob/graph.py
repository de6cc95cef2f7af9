"""SNAP's processing graphs: what a user's graph must have, and the graph of a chain of operators.

gpt replaces $name and ${name} by what -Pname=value gives, in the text of the file and before it is parsed as XML
(SNAP's GraphIO and TemplateReader). Needs the standard library only, so that a graph can be checked anywhere.
"""

import re
import xml.etree.ElementTree as ElementTree
from typing import Dict, List, NamedTuple, Sequence, Set, Tuple
from xml.sax.saxutils import escape, quoteattr

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_NEEDED = (("source", "the product that it reads"), ("target", "the GeoTIFF that it writes"))


class Operator(NamedTuple):
    """A node of a chain."""

    name: str
    parameters: Tuple[Tuple[str, str], ...]  # texts


def mentioned(text: str) -> Set[str]:
    """The names of all variables in the text of a graph."""
    return {braced or bare for braced, bare in _VARIABLE.findall(text)}


def read(path: str) -> str:
    """The text of a graph file. Raises OSError, or ValueError when it is no UTF-8."""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def faults(path: str) -> List[str]:
    """What is wrong with the user's graph, each with the remedy; nothing when gpt can be given it."""
    try:
        text = read(path)
    except OSError as error:
        return [f"graph: {path} cannot be read ({error.strerror}); name a graph file of SNAP's"]
    except ValueError:
        return [f"graph: {path} is no XML (not even text in UTF-8); save the graph with SNAP's Graph Builder"]
    try:
        # A variable without a value may stand anywhere in a text or an attribute, which XML allows.
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return [f"graph: {path} is no XML ({error}); mend it, or save it anew with SNAP's Graph Builder"]
    if root.tag != "graph" or root.find("node") is None:
        return [f"graph: {path} is XML but no graph of SNAP's (<graph> with <node>s); save one with SNAP's Graph"
                " Builder"]
    found = mentioned(text)
    missing = [f"${{{name}}} for {what}" for name, what in _NEEDED if name not in found]
    if missing:
        return [f"graph: {path} does not mention {' nor '.join(missing)}; write it in place of the file's name, in the"
                " node Read or Write"]
    return []


def chain(source: str, operators: Sequence[Operator], target: str, format_name: str) -> str:
    """The XML of a graph that reads `source`, applies the operators in turn and writes `target`."""
    nodes = [Operator("Read", (("file", source),)), *operators,
             Operator("Write", (("file", target), ("formatName", format_name)))]
    lines = ['<graph id="eojob">', "  <version>1.0</version>"]
    previous = ""
    for index, node in enumerate(nodes):
        name = f"{index}-{node.name}"
        lines += [f"  <node id={quoteattr(name)}>", f"    <operator>{escape(node.name)}</operator>",
                  f"    <sources><sourceProduct refid={quoteattr(previous)}/></sources>" if previous
                  else "    <sources/>", "    <parameters>"]
        lines += [f"      <{key}>{escape(value)}</{key}>" for key, value in node.parameters]
        lines += ["    </parameters>", "  </node>"]
        previous = name
    return "\n".join([*lines, "</graph>"]) + "\n"


def arguments(text: str, source: str, target: str, parameters: Dict[str, str]) -> List[str]:
    """gpt's -P arguments for a user's graph: source, target, and of `parameters` those that the graph mentions."""
    found = mentioned(text)
    values = {key: value for key, value in parameters.items() if key in found}
    values.update(source=source, target=target)
    # gpt puts them into the text of the XML as they are.
    return [f"-P{key}={escape(value)}" for key, value in sorted(values.items())]
