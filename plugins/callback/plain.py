"""Ansible's own output, except that a fault which a check found is told once, as it was written.

The default callback shows it twice, with the lines of the playbook in between. With -v it is used as it is.
"""

from __future__ import annotations

from typing import Any

import ansible.constants as C
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: plain
type: stdout
short_description: the default output, with the messages of checks as they were written
description: For C(assert), C(fail) and the kit's own modules, whose messages say all there is to say.
extends_documentation_fragment: [default_callback, result_format_callback]
"""

CHECKS = frozenset({"assert", "fail", "cloud_plan", "cluster_servers", "server_interface", "check_arguments",
                    "validate_argument_spec"})


class CallbackModule(Default):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "plain"

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell what a check found; leave everything else to the default."""
        told = result._result
        action = str(result._task.action).rpartition(".")[2]
        if self._display.verbosity or ignore_errors or action not in CHECKS or "msg" not in told:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if self._last_task_banner != result._task._uuid:
            self._print_task_banner(result._task)
        self._display.display(f"fatal: [{self.host_label(result)}]: {told['msg']}", color=C.COLOR_ERROR,
                              stderr=self.get_option("display_failed_stderr"))
