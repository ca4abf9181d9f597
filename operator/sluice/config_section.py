"""What every section of the settings is made of: strictness, camelCase names, durations, secret keys."""

from __future__ import annotations

import re
from typing import Annotated

import durationpy
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel


def _seconds(value: object) -> object:
    """Read a Go duration (`90s`, `10m`) or a number of seconds."""
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        try:
            return durationpy.from_str(text).total_seconds()
        except durationpy.DurationError as error:
            raise ValueError(f"is no duration; write 90s, 10m or 1h ({error})") from None
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


class Section(BaseModel):
    """A mapping of settings; a name that is not one of them is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class SecretKey(Section):
    """A key of a Secret in the operator's own namespace; its value is read when it is used."""

    name: str = Field(min_length=1)
    key: str = Field(min_length=1)
