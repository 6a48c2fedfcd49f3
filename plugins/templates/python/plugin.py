"""The tools of this plugin."""

import math
from dataclasses import dataclass
from typing import Annotated

from toolhatch_plugin import Field, InvalidArguments, log, tool


@dataclass
class Count:
    lines: Annotated[int, Field("How many lines there are.", min=0)]
    words: Annotated[int, Field("How many words there are, separated by white space.", min=0)]
    characters: Annotated[int, Field("How many characters (Unicode code points) there are.", min=0)]
    reading_seconds: Annotated[int, Field("How many seconds it takes to read.", min=0)]


@tool
def word_count(
    text: Annotated[str, Field("The text.", examples=["Well begun is half done."])],
    words_per_minute: Annotated[int, Field("How fast it is read.", min=50, max=1000, examples=[230])] = 230,
) -> Count:
    """Counts the lines, words and characters of a text, and says how long it takes to read."""
    if "\0" in text:
        raise InvalidArguments("`text` has a NUL character: is it the content of a binary file?")
    words = len(text.split())
    lines = len(text.removesuffix("\n").split("\n")) if text else 0
    log.debug("%d words", words)
    return Count(lines, words, len(text), math.ceil(words * 60 / words_per_minute))
