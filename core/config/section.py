"""What every section of the schema is made of: the strict base class and the numbers with ranges."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Range = Annotated[tuple[float, float], Field(strict=False)]  # not strict: YAML writes a tuple as a list
Side = Count | Annotated[tuple[Count, Count], Field(strict=False)]
NamedArguments = Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)]
Named = str | NamedArguments  # `adam` or `{adam: {betas: [0.9, 0.95]}}`

NAMES = "x-names"  # in the JSON Schema of a mapping: words that may stand in its place


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, null is the default, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in values.items() if value is not None or key not in known}
