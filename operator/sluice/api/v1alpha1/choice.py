"""Rules across the members of one type, said once for the API server (CEL) and for the parser.

The API server checks objects when they are written; the parser meets objects that an older CRD let
through. Both must give the same answer in the same words.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from sluice.api.v1alpha1.schema import Cel, Typed


def complaint(message: str) -> PydanticCustomError:
    """Return the error that makes the parser say `message` at the present place."""
    return PydanticCustomError("sluice", "{text}", {"text": message})


class Choice(Typed):
    """A type of which exactly one of several members is set."""

    choices: ClassVar[tuple[str, ...]] = ()
    """Names of the members."""
    choice_text: ClassVar[str] = ""
    """What a person reads who set none or several."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        """Add the CEL rule of the choice before the type's own."""
        super().__pydantic_init_subclass__(**kwargs)
        members = ", ".join(f"has(self.{cls.model_fields[name].alias})" for name in cls.choices)
        cls.cel = (Cel(rule=f"[{members}].filter(x, x).size() == 1", message=cls.choice_text), *cls.cel)

    @model_validator(mode="after")
    def _exactly_one(self) -> Choice:
        if sum(getattr(self, name) is not None for name in self.choices) != 1:
            raise complaint(self.choice_text)
        return self
