"""The module `snappy` of SNAP 9 and before, for old scripts, on the `esa_snappy` of SNAP 10 and later.

Everything is esa_snappy's, with one difference: a whole number put into a HashMap becomes a java.lang.Integer, as it
did with SNAP 9. From jpy 1.0 on it becomes the smallest type that holds it, which SNAP's operators refuse ("Value for
'Target resolution' must be of type 'Integer'"). Java's own HashMap cannot be mended: jpy's types take no new
attributes, and a subclass of one crashes the process (jpy 2.2). So HashMap is a thin wrapper here, which GPF takes off.
"""

from typing import Any

import esa_snappy as _esa_snappy  # type: ignore[import-not-found]  # only nodes with SNAP have it
from esa_snappy import *  # noqa: F403 - an old script finds all of its names here

_Integer = _esa_snappy.jpy.get_type("java.lang.Integer")


class HashMap:
    """A java.util.HashMap; all but `put` goes straight to it."""

    def __init__(self, *arguments: Any) -> None:
        self._map = _esa_snappy.HashMap(*[_unwrapped(argument) for argument in arguments])

    def put(self, key: Any, value: Any) -> Any:
        """Put `value` under `key`; what was there before."""
        if isinstance(value, int) and not isinstance(value, bool) and -2 ** 31 <= value < 2 ** 31:
            value = _Integer(value)
        return self._map.put(key, _unwrapped(value))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._map, name)

    def __str__(self) -> str:
        return str(self._map)


def _unwrapped(value: Any) -> Any:
    return value._map if isinstance(value, HashMap) else value


class _Gpf:
    """SNAP's GPF, for which a HashMap of this module is one of Java's."""

    def __getattr__(self, name: str) -> Any:
        member = getattr(_esa_snappy.GPF, name)
        if not callable(member):
            return member
        return lambda *arguments: member(*[_unwrapped(argument) for argument in arguments])


class _Jpy:
    """jpy, whose type java.util.HashMap is the HashMap of this module."""

    def get_type(self, name: str, *options: Any) -> Any:
        """The Java class `name`."""
        return HashMap if name == "java.util.HashMap" else _esa_snappy.jpy.get_type(name, *options)

    def __getattr__(self, name: str) -> Any:
        return getattr(_esa_snappy.jpy, name)


GPF = _Gpf()
jpy = _Jpy()
