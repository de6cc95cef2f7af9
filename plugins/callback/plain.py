"""Ansible's own output, except that a fault which a check found and what `debug` tells come once, as they were written.

The default callback shows a fault twice, with the lines of the playbook in between, and folds and quotes the lines of a
table as YAML. With -v it is used as it is.
"""

from __future__ import annotations

from typing import Any

import ansible.constants as C
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: plain
type: stdout
short_description: the default output, with the messages of checks and of debug as they were written
description: For C(assert), C(fail), C(debug) and the kit's own modules, whose messages say all there is to say.
extends_documentation_fragment: [default_callback, result_format_callback]
"""

CHECKS = frozenset({"assert", "fail", "cloud_plan", "cluster_servers", "server_interface", "check_arguments",
                    "validate_argument_spec"})


def _lines(told: Any) -> list[str] | None:
    """The lines of a message, which is a text or a list of them; None when it is neither."""
    texts = [told] if isinstance(told, str) else told
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        return None
    return [line for text in texts for line in text.splitlines() or [""]]


def _action(result: Any) -> str:
    return str(result._task.action).rpartition(".")[2]


class CallbackModule(Default):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "plain"

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell what a check found; leave everything else to the default."""
        told = result._result
        action = _action(result)
        if self._display.verbosity or ignore_errors or action not in CHECKS or "msg" not in told:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._print_banner(result)
        self._display.display(f"fatal: [{self.host_label(result)}]: {told['msg']}", color=C.COLOR_ERROR,
                              stderr=self.get_option("display_failed_stderr"))

    def v2_runner_on_ok(self, result: Any) -> None:
        """Tell what `debug` has to tell; leave everything else to the default."""
        lines = _lines(result._result.get("msg")) if _action(result) == "debug" else None
        if self._display.verbosity or lines is None or result._task.loop or result._result.get("changed"):
            super().v2_runner_on_ok(result)
            return
        self._print_banner(result)
        self._handle_warnings_and_exception(result)
        told = " " + lines[0] if len(lines) == 1 else "\n" + "\n".join(lines)
        self._display.display(f"ok: [{self.host_label(result)}]:{told}", color=C.COLOR_OK)

    def _print_banner(self, result: Any) -> None:
        if self._last_task_banner != result._task._uuid:
            self._print_task_banner(result._task)
