"""The faults a user is told about in one sentence."""


class EojobError(Exception):
    """A fault with a message that names the thing, its value and the remedy; shown without a traceback."""


class ProductError(EojobError):
    """A fault of one product: it is recorded, and the other products go on."""


class CorruptError(ProductError):
    """An object that is not what the archive says it is: wrong size, wrong checksum or a broken codestream."""

    def __init__(self, message: str) -> None:
        super().__init__("truncated/corrupt: " + message)
