"""What a tool returns besides plain values: content, and questions."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Generic, Sequence, TypeVar

from .bindings import utf8, wit
from .schema import schema

R = TypeVar("R")


@dataclass
class Reply(Generic[R]):
    """A result with content for people and agents to read: `Reply(count, [Text("Three.")])`."""

    structured: R | None = None
    content: Sequence[Any] = ()


@dataclass
class _Block:
    audience: Sequence[str] = dataclasses.field(default=(), kw_only=True)  # "user", "assistant"; empty means both
    priority: float | None = dataclasses.field(default=None, kw_only=True)  # from 0 (may be left out) to 1 (must be shown)

    def _hints(self) -> Any:
        audience = [wit.Audience[name.upper()] for name in self.audience]
        return wit.Annotations(audience, self.priority, None) if audience or self.priority is not None else None


@dataclass
class Text(_Block):
    """A block of text."""

    text: str

    def as_wit(self) -> Any:
        return wit.Content_Text(wit.TextContent(utf8(self.text), self._hints()))


@dataclass
class Image(_Block):
    """A picture: its bytes, and their media type."""

    data: bytes
    mime_type: str

    def as_wit(self) -> Any:
        case = getattr(wit, f"Content_{type(self).__name__}")
        return case(wit.BlobContent(self.data, self.mime_type, self._hints()))


class Audio(Image):
    """A sound: its bytes, and their media type."""


@dataclass
class Document(_Block):
    """A document that comes with the result: a string, or bytes."""

    uri: str
    body: str | bytes
    mime_type: str | None = None

    def as_wit(self) -> Any:
        case = wit.ResourceBody_Text if isinstance(self.body, str) else wit.ResourceBody_Blob
        return wit.Content_Resource(wit.EmbeddedResource(self.uri, self.mime_type, case(self.body), self._hints()))


@dataclass
class Form:
    """A question for a person, in words; and the JSON Schema of the answer, or a dataclass."""

    message: str
    schema: Any

    def as_wit(self) -> Any:
        answer = self.schema if isinstance(self.schema, dict) else schema(self.schema)
        return wit.InputRequest(None, wit.Ask_Form(wit.Form(self.message, json.dumps(answer))))


@dataclass
class Url:
    """An address for a person to open."""

    message: str
    url: str

    def as_wit(self) -> Any:
        return wit.InputRequest(None, wit.Ask_Url(wit.Address(self.message, self.url)))


@dataclass
class Ask:
    """What a tool returns to ask a person. It is called again, with the answers and the state in its `Call`."""

    questions: Sequence[Form | Url]
    state: Any = None

    def as_wit(self) -> Any:
        state = None if self.state is None else json.dumps(self.state).encode()
        return wit.InputNeeded([question.as_wit() for question in self.questions], state)
