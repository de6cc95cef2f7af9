"""Exceptions of Java as jpy shows them: RuntimeError with 'class: message'."""


class JavaError(RuntimeError):
    """An exception thrown by the engine."""

    def __init__(self, java_class, message):
        super().__init__(f"{java_class}: {message}")
        self.java_class, self.message = java_class, message


def operator_error(message):
    return JavaError("org.esa.snap.core.gpf.OperatorException", message)


def io_error(message):
    return JavaError("java.io.IOException", message)
