"""The faults a user is told about in one sentence."""

import sys


class EojobError(Exception):
    """A fault with a message that names the thing, its value and the remedy; shown without a traceback."""


class ProductError(EojobError):
    """A fault of one product: it is recorded, and the other products go on."""


class CorruptError(ProductError):
    """An object that is not what the archive says it is: wrong size, wrong checksum or a broken codestream."""

    def __init__(self, message: str) -> None:
        super().__init__("truncated/corrupt: " + message)


def not_importable(error: ImportError) -> str:
    """The sentence for a package that this Python lacks or cannot load."""
    return f"{error.name or 'Python'}: cannot be imported ({error}); install it for {sys.executable}"
