"""Stand-ins for what openstacksdk returns and raises."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from openstack import exceptions


def resource(name: str, number: int = 1, **more: Any) -> SimpleNamespace:
    """Anything with a name and an ID."""
    return SimpleNamespace(name=name, id=f"id-{number}", **more)


def api_error(status: int, details: str, request_id: str | None = None) -> exceptions.HttpException:
    """An error as openstacksdk raises it from an HTTP response."""
    error = exceptions.HttpException("Error", details=details, request_id=request_id)
    error.status_code = status
    return error
