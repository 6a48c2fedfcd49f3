"""What the host offers."""

from __future__ import annotations

import json
import linecache
import logging
import os
import re
from typing import Any, Callable, Mapping, Sequence

from .bindings import Err, case, host, inside, utf8
from .errors import Failed, InvalidArguments, NotFound, NotPermitted, Retryable
from .schema import to_json

log = logging.getLogger("toolhatch")
"""Messages for whoever watches the tool: a standard logger. What is written to other loggers arrives too."""


class Handler(logging.Handler):
    """Passes messages on to the host."""

    def emit(self, record: logging.LogRecord) -> None:
        if to := host["log"]:
            levels = ((logging.ERROR, "ERROR"), (logging.WARNING, "WARN"), (logging.INFO, "INFO"), (logging.DEBUG, "DEBUG"))
            level = next((name for least, name in levels if record.levelno >= least), "TRACE")
            trace = f"\n{traceback(record.exc_info[1])}" if record.exc_info else ""
            to.write(to.Level[level], utf8(record.getMessage()) + trace)


def traceback(error: BaseException | None) -> str:
    """Like that of the standard library, which would look for the sources in files that a component does not have."""
    steps, step = [], error and error.__traceback__
    while step:
        code = step.tb_frame.f_code
        if os.path.dirname(code.co_filename) != os.path.dirname(__file__):
            file = re.sub("^/[0-9]+/", "", code.co_filename)
            source = linecache.cache.get(code.co_filename, (0, 0, []))[2][step.tb_lineno - 1 : step.tb_lineno]
            lines = [f'  File "{file}", line {step.tb_lineno}, in {code.co_name}', *(f"    {line.strip()}" for line in source)]
            steps.append("\n".join(lines))
        step = step.tb_next
    if len(steps) > 20:
        steps[5:-15] = [f"  ({len(steps) - 20} more)"]
    return utf8("\n".join(["Traceback (most recent call last):", *steps, f"{type(error).__name__}: {error}"]))


def _ask(interface: str, function: str, *args: Any) -> Any:
    """Calls a function of the host. Its failures are the tool's own, unless the tool catches them."""
    if host[interface] is None:
        raise Failed(f"{interface} is not available here: import it in wit/world.wit, or connect a double in a test")
    try:
        return getattr(host[interface], function)(*args)
    except (Err or ()) as error:
        kind, value = case(error.value), getattr(error.value, "value", None)
        message = f"{interface}: {getattr(value, 'message', value) or kind}"
        if kind in ("Retryable", "Unavailable"):
            raise Retryable(message, getattr(value, "after_ms", None)) from None
        kinds = {"NotPermitted": NotPermitted, "NotFound": NotFound, "InvalidArguments": InvalidArguments}
        raise kinds.get(kind, Failed)(message) from None


class progress:
    """How far a call has come."""

    @staticmethod
    def report(done: float, total: float | None = None, message: str | None = None) -> None:
        """`done` may not go down; `total` is in the same unit, where it is known."""
        if host["progress"]:
            host["progress"].report(done, total, message)

    @staticmethod
    def wanted() -> bool:
        """Whether anybody sees it."""
        return bool(host["progress"] and host["progress"].wanted())


class state:
    """A small store of the plugin's own, which outlives its calls. Values are JSON. Outside of a component it is in memory."""

    @staticmethod
    def get(key: str, default: Any = None) -> Any:
        found = _ask("state", "get", key)
        return default if found is None else json.loads(found)

    @staticmethod
    def set(key: str, value: Any) -> None:
        _ask("state", "set", key, _bytes(value))

    @staticmethod
    def delete(key: str) -> bool:
        return _ask("state", "delete", key)

    @staticmethod
    def keys(prefix: str = "") -> list[str]:
        return _ask("state", "list_keys", prefix)

    @staticmethod
    def update(key: str, change: Callable[[Any], Any]) -> Any:
        """Sets what `change` makes of the value that is there, also where several calls do so at once. None removes it."""
        while True:
            before = _ask("state", "get", key)
            after = change(None if before is None else json.loads(before))
            if _ask("state", "replace", key, before, None if after is None else _bytes(after)):
                return after


def _bytes(value: Any) -> bytes:
    return json.dumps(to_json(value)).encode()


class _Memory(dict[str, bytes]):
    """Stands in for the host's store."""

    set = dict.__setitem__

    def delete(self, key: str) -> bool:
        return self.pop(key, None) is not None

    def list_keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self if key.startswith(prefix))

    def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
        if self.get(key) != expected:
            return False
        self.delete(key) if value is None else self.set(key, value)
        return True


if not inside:
    host["state"] = _Memory()


def invoke(tool: str, arguments: Mapping[str, Any]) -> Any:
    """Calls another tool, such as `invoke("files.read", {"path": "a.txt"})`: its structured result, or else its text."""
    output = _ask("invoke", "call", tool, json.dumps(to_json(arguments)))
    if output.structured is not None:
        return json.loads(output.structured)
    return "\n".join(block.value.text for block in output.content if case(block) == "Text")


def exec(
    image: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    workdir: str | None = None,
    network: str = "none",
    timeout_ms: int | None = None,
) -> Any:
    """Runs a command in a container. Gives `exit_code`, and `stdout` and `stderr` as bytes.

    `network` is "none", "bridge" or "allow-list". No shell reads `argv`.
    """
    to = host["exec"]
    where = to and to.Network[network.upper().replace("-", "_")]
    return _ask("exec", "run", to and to.Command(image, list(argv), [*(env or {}).items()], stdin, workdir, where, timeout_ms))
