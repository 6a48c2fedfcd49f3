"""The library for Toolhatch plugins in Python: a tool is an ordinary function with type hints and a docstring.

    @tool
    def repeat(text: Annotated[str, "What is repeated."], times: Annotated[int, Field("How often.", min=1, max=9)] = 2) -> str:
        '''Repeats a text.'''
        return text * times

The schema of the arguments comes from the type hints: str, int, float, bool, list, tuple, dict, None, Any, Optional, Literal,
Enum, TypedDict and dataclasses. The host checks arguments against it before the function is called. A component is made from a
module that says `Tools = component(plugin)`, where `plugin` is the module with the tools.

Import everything at the top of your modules: what was imported when the component was built is all that there is later.
Nothing is needed but the standard library, from Python 3.10 on.
"""

from .bindings import connect
from .errors import Failed, InvalidArguments, NotFound, NotPermitted, Retryable, ToolError
from .host import exec, invoke, log, progress, state
from .results import Ask, Audio, Document, Form, Image, Reply, Text, Url
from .schema import Field
from .tools import Call, component, tool

__all__ = [
    "Ask",
    "Audio",
    "Call",
    "Document",
    "Failed",
    "Field",
    "Form",
    "Image",
    "InvalidArguments",
    "NotFound",
    "NotPermitted",
    "Reply",
    "Retryable",
    "Text",
    "ToolError",
    "Url",
    "component",
    "connect",
    "exec",
    "invoke",
    "log",
    "progress",
    "state",
    "tool",
]
