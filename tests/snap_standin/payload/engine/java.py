"""Java's own classes as Python sees them through jpy: boxed numbers, collections, files."""


class JavaObject:
    """What jpy.get_type gives, and its instances."""

    java_name = "java.lang.Object"

    def getClass(self):
        return type(self)

    def toString(self):
        return str(self)


class Number(JavaObject):
    """java.lang.Integer and its like."""

    low, high = None, None

    def __init__(self, value):
        number = float(value) if self.low is None else int(value)
        if self.low is not None and not self.low <= number <= self.high:
            raise RuntimeError(f"java.lang.NumberFormatException: Value out of range: \"{value}\"")
        self.value = number

    def __str__(self):
        return str(self.value)

    def __eq__(self, other):
        return type(other) is type(self) and other.value == self.value

    def __hash__(self):
        return hash((self.java_name, self.value))

    def intValue(self):
        return int(self.value)

    def doubleValue(self):
        return float(self.value)

    @classmethod
    def valueOf(cls, value):
        return cls(value)


def _number(name, bits):
    limits = {} if bits is None else {"low": -2 ** (bits - 1), "high": 2 ** (bits - 1) - 1}
    return type(name, (Number,), dict(limits, java_name="java.lang." + name))


Byte, Short, Integer, Long = _number("Byte", 8), _number("Short", 16), _number("Integer", 32), _number("Long", 64)
Float, Double = _number("Float", None), _number("Double", None)


def boxed(value, jpy_version):
    """A Python value as jpy hands it to a parameter of type Object.

    Up to jpy 0.10 an int becomes java.lang.Integer; from 0.11 on the smallest of Byte, Short, Integer and Long.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(value, float):
        return Double(value)
    types = (Byte, Short, Integer, Long) if jpy_version >= (0, 11) else (Integer, Long)
    for java_type in types:
        if java_type.low <= value <= java_type.high:
            return java_type(value)
    raise OverflowError("Python int too large to convert to C long")


class HashMap(JavaObject):
    """java.util.HashMap; what is put in is boxed."""

    java_name = "java.util.HashMap"
    jpy_version = (1, 0, 0)

    def __init__(self, other=None):
        self._items = dict(other.items()) if other is not None else {}

    def put(self, key, value):
        before = self._items.get(key)
        self._items[key] = boxed(value, self.jpy_version)
        return before

    def get(self, key):
        return self._items.get(key)

    def containsKey(self, key):
        return key in self._items

    def remove(self, key):
        return self._items.pop(key, None)

    def size(self):
        return len(self._items)

    def isEmpty(self):
        return not self._items

    def items(self):
        return self._items.items()

    def values(self):
        return list(self._items.values())


class File(JavaObject):
    """java.io.File: a path; a trailing slash is dropped."""

    java_name = "java.io.File"

    def __init__(self, path):
        text = str(path)
        self.path = text.rstrip("/") or text[:1]

    def __str__(self):
        return self.path

    def getPath(self):
        return self.path

    def getName(self):
        return self.path.rpartition("/")[2]


class String(JavaObject):
    """java.lang.String, which Python sees as str."""

    java_name = "java.lang.String"

    def __new__(cls, value=""):
        return str(value)


class ArrayList(JavaObject, list):
    java_name = "java.util.ArrayList"

    def add(self, value):
        self.append(value)
        return True

    def size(self):
        return len(self)

    def get(self, index):
        return self[index]
