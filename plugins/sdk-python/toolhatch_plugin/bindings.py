"""The bindings that are generated for a component. Outside of one there are none."""

from __future__ import annotations

import importlib
from typing import Any


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


inside = _module("wit_world") is not None
Err = getattr(_module("componentize_py_types"), "Err", None)
# They are called otherwise where the world has more than one interface `types`.
wit = _module("wit_world.imports.toolhatch_plugin_types") or _module("wit_world.imports.types")
host = {name: _module(f"wit_world.imports.{name}") for name in ("log", "progress", "state", "invoke", "exec")}


def connect(**interfaces: Any) -> None:
    """Puts doubles in the place of the host's interfaces, for tests: `connect(exec=Double())`."""
    host.update(interfaces)


def case(variant: Any) -> str:
    """The name of a variant's case, such as `NotFound`."""
    return type(variant).__name__.rpartition("_")[2]


def utf8(value: str) -> str:
    """A string without lone surrogates, which no host takes."""
    return value.encode("utf-8", "replace").decode("utf-8")
