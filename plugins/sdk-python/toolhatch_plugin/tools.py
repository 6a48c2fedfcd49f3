"""Tools, and the component that is made of them."""

from __future__ import annotations

import inspect
import json
import linecache
import logging
import random
import re
import sys
import types
import typing
from dataclasses import dataclass
from typing import Any, Callable, Sequence

from .bindings import Err, case, utf8, wit
from .errors import InvalidArguments, NotFound, NotPermitted, Retryable, ToolError
from .host import Handler, log, traceback
from .results import Ask, Reply
from .schema import ABSENT, doc_of, from_json, object_of, schema, to_json


@dataclass
class Call:
    """What a tool knows about the call it is in. A parameter of this type is no argument."""

    id: str = ""
    deadline_ms: int | None = None
    askable: frozenset[str] = frozenset()  # what can be asked with `Ask`: "form", "url"
    answers: Sequence[Any] = ()  # to an earlier `Ask`: objects, or "declined" or "cancelled" where there is none
    state: Any = None  # what the earlier `Ask` gave


def tool(function: Callable[..., Any] | None = None, *, name: str | None = None, title: str | None = None) -> Any:
    """Makes a tool of a function, which stays an ordinary one. Its name is that of the function, in kebab-case."""
    if function is None:
        return lambda function: tool(function, name=name, title=title)
    what = f"the tool {function.__name__}"
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{what} cannot be asynchronous")
    if not doc_of(function):
        raise TypeError(f"{what} needs a docstring: agents choose by it")
    hints = typing.get_type_hints(function, include_extras=True)
    fields = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) or parameter.name not in hints:
            raise TypeError(f"{what}: the parameter {parameter.name} needs a type hint, and a name to be given by")
        fields[parameter.name] = (hints[parameter.name], parameter.default)
    call = [name for name, (hint, _) in fields.items() if hint is Call]
    arguments = {name: field for name, field in fields.items() if name not in call}
    result = hints.get("return", Any)
    result = typing.get_args(result)[0] if typing.get_origin(result) is Reply else result
    output = None if result in (None, type(None), Any, Reply, Ask) else schema(result)
    boxed = output is not None and output.get("type") != "object"
    if boxed:
        output = object_of({"result": (result, ABSENT)})
    kebab = function.__name__.strip("_").replace("_", "-")
    function.__tool__ = _Tool(function, name or kebab, title, arguments, object_of(arguments), call, output, boxed)
    return function


@dataclass
class _Tool:
    function: Callable[..., Any]
    name: str
    title: str | None
    fields: dict[str, tuple[Any, Any]]
    input: dict[str, Any]
    call: list[str]
    output: dict[str, Any] | None
    boxed: bool  # the result is no object, and goes under `result`

    def info(self) -> Any:
        output = None if self.output is None else json.dumps(self.output)
        return wit.ToolInfo(self.name, self.title, doc_of(self.function), json.dumps(self.input), output)

    def run(self, arguments: str, context: Any) -> Any:
        given = {name: from_json(self.fields[name][0], value) for name, value in json.loads(arguments).items()}
        result = self.function(**given, **{name: _call(context) for name in self.call})
        if isinstance(result, Ask):
            return wit.Outcome_NeedsInput(result.as_wit())
        reply = result if isinstance(result, Reply) else Reply(result)
        value = to_json(reply.structured)
        if self.boxed or not isinstance(value, (dict, type(None))):
            value = {"result": value}
        structured = None if value is None else utf8(json.dumps(value, ensure_ascii=False, allow_nan=False))
        return wit.Outcome_Complete(wit.Output(structured, [block.as_wit() for block in reply.content]))


def component(module: types.ModuleType) -> type:
    """What the component exports as `toolhatch:plugin/tools`: every tool of a module, in their order."""
    tools: dict[str, _Tool] = {}
    for item in vars(module).values():
        if (found := getattr(item, "__tool__", None)) and tools.setdefault(found.name, found) is not found:
            raise TypeError(f"two tools are called {found.name}")
        # For tracebacks: there will be no files to read them from.
        if isinstance(item, types.FunctionType):
            linecache.getlines(item.__code__.co_filename)
    if not tools:
        raise TypeError(f"{module.__name__} has no tools: functions with @tool")
    logging.basicConfig(handlers=[Handler()], level=1, force=True)

    class Tools:
        def list_tools(self) -> list[Any]:
            return [item.info() for item in tools.values()]

        def call_tool(self, name: str, arguments: str, context: Any) -> Any:
            if name not in tools:
                raise Err(wit.ToolError_UnknownTool(name))
            _wake()
            try:
                return tools[name].run(arguments, context)
            except BaseException as error:  # whatever it is, it must not end the component
                failure = _failure(name, error)
            raise failure

    return Tools


def _wake() -> None:
    """Puts right what is as it was when the component was built."""
    random.seed()
    # The folders that modules were imported from are not there any more: nobody should look for them.
    sys.path[:] = [path for path in sys.path if not re.match("/(python|world|bundled|[0-9]+)(/|$)", path)]


def _call(context: Any) -> Call:
    askable = frozenset(flag.name.lower() for flag in type(context.askable) if flag in context.askable)
    answers = [json.loads(answer.value) if hasattr(answer, "value") else case(answer).lower() for answer in context.answers]
    return Call(context.call_id, context.deadline_ms, askable, answers, context.state and json.loads(context.state))


def _failure(name: str, error: BaseException) -> Exception:
    """An exception of a tool, as the interface has it."""
    message = utf8(str(error))
    if isinstance(error, Retryable):
        return Err(wit.ToolError_Retryable(wit.RetryAdvice(message, error.after_ms)))
    for kind, exceptions in (
        ("InvalidArguments", InvalidArguments),
        ("NotPermitted", (NotPermitted, PermissionError)),
        ("NotFound", (NotFound, FileNotFoundError)),
        ("Failed", ToolError),
    ):
        if isinstance(error, exceptions):
            return Err(getattr(wit, f"ToolError_{kind}")(message))
    log.error("%s: %s", name, traceback(error))
    if isinstance(error, ModuleNotFoundError):
        message += ": import it at the top of a module, because after the component is built there is nothing to import from"
    return Err(wit.ToolError_Failed(f"{type(error).__name__}: {message}".removesuffix(": ")))
