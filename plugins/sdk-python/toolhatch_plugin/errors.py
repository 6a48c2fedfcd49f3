"""Why a call failed."""

from __future__ import annotations


class ToolError(Exception):
    """Why a call failed. Any other exception counts as failed, and its traceback goes to the log."""


class InvalidArguments(ToolError):
    """The arguments fit the schema and still make no sense."""


class NotPermitted(ToolError):
    """Something was denied that the tool cannot do without. A PermissionError counts as one."""


class NotFound(ToolError):
    """What the arguments name does not exist. A FileNotFoundError counts as one."""


class Failed(ToolError):
    """It failed, and would fail again."""


class Retryable(ToolError):
    """It failed, and may work when tried again: after `after_ms` milliseconds, where known."""

    def __init__(self, message: str, after_ms: int | None = None):
        super().__init__(message)
        self.after_ms = after_ms
