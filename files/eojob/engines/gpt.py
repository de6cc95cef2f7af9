"""The engine `gpt`: SNAP's graph processing tool, one process per product.

A product is a description until it is written; then its chain becomes a graph that gpt runs. A graph of the user's own
runs the same way, with the product as $source and the result as $target.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .. import graph, jvm, safe
from ..errors import EojobError, ProductError
from . import SNAP_READS, Engine, Source
from .snap import as_text

LOGS = "logs"  # below the job's output folder
_NAME = re.compile(r"^[A-Za-z_][\w.-]*$")
_ERROR = re.compile(r"error|exception|severe|out of memory", re.IGNORECASE)
_STACK = re.compile(r"^\s*(at [\w.$]+\(|\.\.\. \d+ more)")


class GptProduct(NamedTuple):
    """What is to be computed from a source."""

    source: Source
    operators: Tuple[graph.Operator, ...] = ()


class GptEngine(Engine):
    """All operators of SNAP that take one product, and any graph."""

    keeps_order = False  # SNAP's ProductSubsetBuilder goes by the product
    also_needed = SNAP_READS

    def __init__(self, job: Any) -> None:
        super().__init__(job)
        self._folders: Optional[jvm.Folders] = None
        self._running: Optional[subprocess.Popen[bytes]] = None
        self._lock = threading.Lock()  # of _running, which abort() sees from another thread
        self._aborted = False

    def check(self) -> None:
        jvm.check_home("gpt", self.job.snap_home)
        gpt = self._gpt()
        if not os.access(gpt, os.X_OK):
            raise EojobError(f"engine: 'gpt' may not execute {gpt}; run site.yml with snap_reinstall, or use"
                             " JOB_ENGINE=gdal")
        jvm.heap(self.job.java_memory)
        faults = graph.faults(self.job.graph) if self.job.graph else []
        if faults:
            raise EojobError("; ".join(faults))

    def start(self, scratch: str) -> None:
        self._folders = jvm.make_folders(scratch)
        os.makedirs(os.path.join(self.job.output_dir, LOGS), exist_ok=True)

    def _gpt(self) -> str:
        return os.path.join(self.job.snap_home, "bin", "gpt")

    def abort(self) -> None:
        with self._lock:
            self._aborted = True
            if self._running is not None:
                _kill(self._running)

    def read_product(self, source: Source) -> GptProduct:
        return GptProduct(source)

    def create_product(self, operator: str, parameters: Dict[str, Any], product: GptProduct) -> GptProduct:
        for name in (operator, *parameters):
            if not _NAME.match(name):
                raise EojobError(f"{operator}: '{name}' is no name of an operator or parameter")
        texts = tuple((key, as_text(value)) for key, value in parameters.items())
        return product._replace(operators=(*product.operators, graph.Operator(operator, texts)))

    def write_product(self, product: GptProduct, path: str, format_name: str) -> None:
        text = graph.chain(_source(product), product.operators, path, format_name)
        self._run(product.source, text, [], path)

    def run_graph(self, graph_path: str, parameters: Dict[str, Any], product: GptProduct, path: str) -> None:
        if product.operators:
            raise EojobError("GPF.runGraph: the product has been through GPF.createProduct; give it as it was read, and"
                             " put the operators into the graph")
        text = graph.read(graph_path)
        given = {key: as_text(value) for key, value in self.job._asdict().items() if value is not None}
        given.update((key, as_text(value)) for key, value in parameters.items())
        self._run(product.source, text, graph.arguments(text, _source(product), path, given), path)

    def _run(self, source: Source, text: str, parameters: List[str], path: str) -> None:
        """Run gpt on a graph. Raises ProductError with the end of its log when it fails or writes nothing."""
        assert self._folders is not None, "start() has been called"
        source.wait()  # SNAP opens every file of the folder at once
        file = os.path.join(self._folders.work, "graph.xml")
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(text)
        heap = jvm.heap(self.job.java_memory)
        command = [self._gpt(), file, "-q", str(jvm.cpus()), "-c", f"{heap // 2}M", *parameters, f"-J-Xmx{heap}M",
                   *("-J" + option for option in jvm.options(self._folders, heap).values() if option != "-Xrs")]
        log = os.path.join(self.job.output_dir, LOGS, source.name + ".log")
        started = time.time()
        with open(log, "wb") as stream_of_log:
            code = self._wait_for(command, stream_of_log)
        self.seconds["write"] = time.time() - started  # SNAP decodes and computes while it writes
        if code is None:
            raise ProductError(f"gpt: ran longer than graph_timeout ({self.job.graph_timeout} s) and was killed; raise"
                               f" graph_timeout; its log is {log}")
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise ProductError(f"gpt: {how}: {last_error(log)} (log: {log})")
        if not os.path.exists(path):
            raise ProductError(f"gpt: ended without an error and wrote no {os.path.basename(path)}; does the graph"
                               f" write $target as GeoTIFF? {last_error(log)} (log: {log})")

    def _wait_for(self, command: List[str], log: Any) -> Optional[int]:
        """gpt's exit code; None when it was killed for its time. Its process group is gone either way."""
        assert self._folders is not None
        with self._lock:
            if self._aborted:
                raise ProductError("gpt: not started, the job is being ended")
            # A session of its own, so that gpt's start script and its Java can be killed together.
            self._running = process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self._folders.work,
                start_new_session=True)
        try:
            return process.wait(self.job.graph_timeout or None)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with self._lock:
                self._running = None
                _kill(process)
            process.wait()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):  # all of the group have ended
        os.killpg(process.pid, signal.SIGKILL)


def _source(product: GptProduct) -> str:
    return os.path.join(product.source.folder, safe.PRODUCT_METADATA)


def last_error(log: str) -> str:
    """The last line of gpt's log that tells of an error, or else its last line."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        lines = [line.strip() for line in stream if line.strip() and not _STACK.match(line)]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines or ["its log is empty"])[-1]
