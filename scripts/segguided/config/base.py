"""What all settings have in common: unknown keys are errors, and values never change."""

import argparse
import json
from collections.abc import Collection
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"  # names become folders, columns and arguments


class SettingsError(ValueError, argparse.ArgumentTypeError):
    """Refused settings. argparse shows the text of this error, but not that of a plain ValueError."""


class Settings(BaseModel):
    """Base of all settings: known keys only, immutable, convertible to the JSON that a script receives."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_values(cls, values: object) -> object:
        """YAML reads a bare yes, no, on or off as a truth value, which would silently pass for 1 or 0."""
        if not isinstance(values, dict):
            return values
        for key, value in values.items():
            field = cls.model_fields.get(key)
            if field and field.annotation is not bool and _holds_truth_value(value):
                raise ValueError(
                    f"{key}: expected numbers or text, got a truth value; quote a bare yes, no, on or off"
                )
        return values

    @model_validator(mode="before")
    @classmethod
    def _drop_removed_keys(cls, values: object) -> object:
        """Without the empty keys of another kind.

        Snakemake merges configuration files key by key. A file that changes the `kind` of a section removes
        the keys of the old kind by `KEY: null`.
        """
        if not isinstance(values, dict) or "kind" not in cls.model_fields:
            return values
        return {key: value for key, value in values.items() if value is not None or key in cls.model_fields}

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The settings in a script's JSON argument. Raises SettingsError where they do not fit."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            reasons = [f"{'.'.join(map(str, e['loc'])) or 'text'}: {e['msg']}" for e in error.errors()]
            raise SettingsError(f"not the settings of a {cls.__name__} ({'; '.join(reasons)})") from None

    def to_json(self, fields: Collection[str] | None = None) -> str:
        """One line of JSON, of all fields or of `fields` alone.

        The keys are sorted: equal settings give equal text, so Snakemake sees no change.
        """
        chosen = None if fields is None else set(fields)
        return json.dumps(self.model_dump(mode="json", include=chosen), sort_keys=True, separators=(",", ":"))


def _holds_truth_value(value: object) -> bool:
    entries = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(entry, bool) for entry in entries)
