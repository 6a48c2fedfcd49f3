"""Runs a script as Python would: its output, the value of its last expression, and how it failed."""

import ast
import contextlib
import io
import linecache
import os
import sys
import traceback
import types
from dataclasses import dataclass
from typing import Any

MAX_OUTPUT = 256 << 10


class Output(io.TextIOBase):
    """Takes what is printed, up to a length."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._room = MAX_OUTPUT
        self.dropped = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if kept := text[: self._room]:
            self._pieces.append(kept)
            self._room -= len(kept)
        self.dropped += len(text) - len(kept)
        return len(text)

    def text(self) -> str:
        more = f"\n[{self.dropped} more characters]" if self.dropped else ""
        return "".join(self._pieces) + more


@dataclass
class Ended:
    value: Any
    stdout: str
    stderr: str
    error: str | None = None
    denied: bool = False


def run(source: str, name: str, arguments: list[str], names: dict[str, Any]) -> Ended:
    """Runs `source`, which tracebacks call `name`, with `names` besides the built-in ones.

    Where `name` is that of a file, what lies beside it can be imported.
    """
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    main = types.ModuleType("__main__")
    main.__dict__.update(names, __file__=name)
    stdout, stderr = Output(), Output()
    value, error, denied = None, None, False
    before = sys.argv, sys.stdin, sys.modules["__main__"]
    sys.argv, sys.stdin, sys.modules["__main__"] = [name, *arguments], io.StringIO(), main
    if not name.startswith("<"):
        sys.path.insert(0, os.path.dirname(name) or ".")
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            value = _evaluate(source, name, main.__dict__)
    except SystemExit as end:
        # Python prints what it is given, unless that is a number.
        if isinstance(end.code, str):
            stderr.write(f"{end.code}\n")
        if end.code not in (None, 0):
            error = f"the script ended with exit code {end.code if isinstance(end.code, int) else 1}"
    except BaseException as raised:
        error, denied = _told(raised, name), isinstance(raised, PermissionError)
    finally:
        sys.argv, sys.stdin, sys.modules["__main__"] = before
    return Ended(value, stdout.text(), stderr.text(), error, denied)


def _evaluate(source: str, name: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), names)


def _told(raised: BaseException, name: str) -> str:
    """The traceback from where the script begins. Files that were imported when the component was built are not there."""
    told = traceback.TracebackException.from_exception(raised, limit=-20, lookup_lines=False)
    inner: Any = told
    seen = set()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        inner.stack = traceback.StackSummary.from_list(_from_script(inner.stack, name))
        inner = inner.__cause__ or inner.__context__
    return "".join(told.format()).rstrip()


def _from_script(stack: traceback.StackSummary, name: str) -> list[traceback.FrameSummary]:
    frames = list(stack)
    first = next((at for at, frame in enumerate(frames) if frame.filename == name), len(frames))
    return frames[first:]
