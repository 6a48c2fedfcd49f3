"""The tool of this plugin."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import modules
import script as scripts
from toolhatch_plugin import Failed, Field, InvalidArguments, NotPermitted, tool


@dataclass
class Outcome:
    value: Annotated[Any, "The value of the last line, where that is an expression: as JSON, or as Python writes it where JSON has no such value."]
    stdout: Annotated[str, "What it printed."]
    stderr: Annotated[str, "What it wrote to standard error."]


def run(
    script: Annotated[str | None, Field("The script. Either this or `path`.", examples=["import statistics\nstatistics.mean(data)"])] = None,
    path: Annotated[str | None, Field("The path of a file with the script, which has to be granted.", examples=["tools/report.py"])] = None,
    data: Annotated[Any, "A value that the script finds in the variable `data`."] = None,
    arguments: Annotated[list[str], Field("What the script finds in sys.argv, from sys.argv[1] on.", max=1000)] = [],  # noqa: B006
) -> Outcome:
    if (script is None) == (path is None):
        raise InvalidArguments("give either `script` or `path`")
    source = _read(path) if script is None else script
    ended = scripts.run(source, path or "<script>", arguments, {"data": data})
    if ended.error is None:
        return Outcome(_as_json(ended.value), ended.stdout, ended.stderr)
    wrote = (("stdout", ended.stdout.rstrip()), ("stderr", ended.stderr.rstrip()))
    printed = "".join(f"\n\nBefore that it wrote to {name}:\n{text[-4000:]}" for name, text in wrote if text)
    raise (NotPermitted if ended.denied else Failed)(ended.error + printed)


run.__doc__ = f"""Runs a script of Python 3 in a sandbox: no network, no processes, and no files but those that were granted.

The value of its last line is the result, where that is an expression. It can import of the standard library: {", ".join(modules.NAMES)}. No other packages are there."""
run = tool(run)


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except UnicodeDecodeError:
        raise InvalidArguments(f"{path} is not text in UTF-8") from None


def _as_json(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)
