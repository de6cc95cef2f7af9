"""The faults that a look at the settings and the cloud finds, in the user's own words."""

from __future__ import annotations

from collections.abc import Mapping


class Faults:
    """Collects faults; `variables` maps a module's option to the variable that the user sets."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = dict(variables or {})
        self.found: list[dict[str, str]] = []

    def called(self, option: str) -> str:
        """What the user calls this option."""
        return self.variables.get(option) or option

    def error(self, option: str, text: str) -> None:
        """Nothing can be made before this is put right."""
        self._add("ERROR", option, text)

    def warning(self, option: str, text: str) -> None:
        """Worth knowing; it stops nothing."""
        self._add("WARNING", option, text)

    def _add(self, severity: str, option: str, text: str) -> None:
        variable = self.called(option)
        fault = {"severity": severity, "variable": variable, "text": f"{variable}: {text}"}
        if fault not in self.found:
            self.found.append(fault)
