"""JSON Schemas from type hints, and values of JSON as values of those types."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import types
import typing
from dataclasses import dataclass
from typing import Any, Mapping, Sequence


@dataclass(frozen=True, eq=False)
class Field:
    """What a type cannot say, in `Annotated[int, Field("How often.", min=1, max=9, examples=[3])]`.

    `min` and `max` bound a number, the length of a string, or that of a list. A string in `Annotated` is a description.
    """

    description: str = ""
    _: dataclasses.KW_ONLY
    min: float | None = None
    max: float | None = None
    pattern: str | None = None
    examples: Sequence[Any] = ()


_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", list: "array", dict: "object"}
_NUMBER = ("minimum", "maximum")
_BOUNDS = {"integer": _NUMBER, "number": _NUMBER, "string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
_WRAPPERS = {getattr(typing, name, typing.Annotated) for name in ("Required", "NotRequired", "ReadOnly")} - {typing.Annotated}
ABSENT = inspect.Parameter.empty


def schema(hint: Any, within: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The JSON Schema of a type. `within` are the classes around it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _described(schema(args[0], within), hint.__metadata__)
    if hint is Any:
        return {}
    if hint in _NAMES:
        return {"type": _NAMES[hint]}
    if origin is typing.Literal:
        return _choice(list(args))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _choice([member.value for member in hint])
    if origin in (typing.Union, types.UnionType):
        *first, last = [schema(arg, within) for arg in sorted(args, key=lambda arg: arg is type(None))]
        if len(first) == 1 and last == {"type": "null"} and isinstance(first[0].get("type"), str):
            choices = {"enum": [*first[0]["enum"], None]} if "enum" in first[0] else {}
            return {**first[0], "type": [first[0]["type"], "null"], **choices}
        return {"anyOf": [*first, last]}
    if origin is list or (origin is tuple and args[1:] == (...,)):
        return {"type": "array", "items": schema(args[0], within)}
    if origin is tuple:
        items = [schema(arg, within) for arg in args]
        return {"type": "array", "prefixItems": items, "minItems": len(args), "maxItems": len(args)}
    if origin is dict and args[0] is str:
        return {"type": "object", "additionalProperties": schema(args[1], within)}
    if hint in within:
        raise TypeError(f"{hint.__name__} contains itself, which a schema here cannot say")
    if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
        return object_of(_fields(hint), doc_of(hint), (*within, hint))
    raise TypeError(f"there is no schema for the type {hint!r}; the documentation of toolhatch_plugin lists those that have one")


def _choice(values: list[Any]) -> dict[str, Any]:
    kinds = {_NAMES.get(type(value)) for value in values}
    return {"type": kinds.pop(), "enum": values} if len(kinds) == 1 else {"enum": values}


def _described(described: dict[str, Any], metadata: tuple[Any, ...]) -> dict[str, Any]:
    for item in metadata:
        field = Field(item) if isinstance(item, str) else item
        if not isinstance(field, Field):
            continue
        kind = described.get("type", "")
        limits = dict(zip(_BOUNDS.get(kind if isinstance(kind, str) else kind[0], ()), (field.min, field.max)))
        if not limits and (field.min, field.max) != (None, None):
            raise TypeError(f"min and max bound numbers, strings and lists, and not {json.dumps(described)}")
        keywords = {"description": field.description, **limits, "pattern": field.pattern, "examples": to_json(field.examples)}
        described.update({key: value for key, value in keywords.items() if value not in (None, "", [])})
    return described


def _fields(hint: Any) -> dict[str, tuple[Any, Any]]:
    """The type and the default of each field of a class; `ABSENT` where there is none, None where it may be left out."""
    hints = typing.get_type_hints(hint, include_extras=True)
    if dataclasses.is_dataclass(hint):
        return {field.name: (hints[field.name], _default(field)) for field in dataclasses.fields(hint)}
    for name, item in hints.items():
        while typing.get_origin(item) in _WRAPPERS:
            hints[name] = item = typing.get_args(item)[0]
    return {name: (item, ABSENT if name in hint.__required_keys__ else None) for name, item in hints.items()}


def _default(field: Any) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return ABSENT if field.default_factory is dataclasses.MISSING else None


def object_of(fields: Mapping[str, tuple[Any, Any]], description: str = "", within: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The schema of an object with these properties."""
    properties = {}
    for name, (hint, default) in fields.items():
        properties[name] = schema(hint, within)
        if default is not None and default is not ABSENT:
            properties[name]["default"] = to_json(default)
    required = [name for name, (_, default) in fields.items() if default is ABSENT]
    found = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"description": description, **found} if description else found


def doc_of(item: Any) -> str:
    """The docstring; not the one that a dataclass writes for itself, or that of the class it is."""
    doc = inspect.cleandoc(item.__doc__ or "")
    return "" if doc.startswith(f"{item.__name__}(") or item.__doc__ == dict.__doc__ else doc


def from_json(hint: Any, value: Any) -> Any:
    """A value of JSON, which fits the schema of `hint`, as a value of that type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return from_json(args[0], value)
    if hint in (int, float) and type(value) in (int, float):
        return hint(value)
    if origin in (typing.Union, types.UnionType):
        others = [arg for arg in args if arg is not type(None)]
        return value if value is None or len(others) > 1 else from_json(others[0], value)
    if origin is list:
        return [from_json(args[0], item) for item in value]
    if origin is tuple:
        return tuple(from_json(args[0 if args[1:] == (...,) else at], item) for at, item in enumerate(value))
    if origin is dict:
        return {key: from_json(args[1], item) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
        fields = _fields(hint)
        return hint(**{name: from_json(fields[name][0], item) for name, item in value.items()})
    return value


def to_json(value: Any) -> Any:
    """A value as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, (list, tuple)) else value
