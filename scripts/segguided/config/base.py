"""What every settings model shares: unknown keys are errors, values never change."""

import argparse
import json
from collections.abc import Collection
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"  # names become folders, columns and arguments


class SettingsError(ValueError, argparse.ArgumentTypeError):
    """Refused settings; argparse, which hides the text of a ValueError, shows this one."""


class Settings(BaseModel):
    """Base of all settings: strict keys, immutable, convertible to the JSON a script receives."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_values(cls, values: object) -> object:
        """YAML reads a bare yes, no, on or off as a truth value, which would silently pass for 1 or 0."""
        for key, value in values.items() if isinstance(values, dict) else ():
            field = cls.model_fields.get(key)
            given = value if isinstance(value, list | tuple) else [value]
            if field and field.annotation is not bool and any(isinstance(one, bool) for one in given):
                raise ValueError(
                    f"{key}: expected numbers or text, got a truth value; quote a bare yes, no, on or off"
                )
        return values

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The settings in a script's JSON argument. Raises SettingsError where they do not fit."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            reasons = [f"{'.'.join(map(str, e['loc'])) or 'text'}: {e['msg']}" for e in error.errors()]
            raise SettingsError(f"not the settings of a {cls.__name__} ({'; '.join(reasons)})") from None

    def to_json(self, fields: Collection[str] | None = None) -> str:
        """One line of JSON with sorted keys: equal settings give equal text, so Snakemake sees no change.

        Where `fields` are named, of these alone.
        """
        chosen = None if fields is None else set(fields)
        return json.dumps(self.model_dump(mode="json", include=chosen), sort_keys=True, separators=(",", ":"))
