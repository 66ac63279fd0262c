"""What every settings model shares: unknown keys are errors, values never change."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of all settings: strict keys, immutable, convertible to the JSON a script receives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The settings in a script's JSON argument."""
        return cls.model_validate_json(text)

    def to_json(self) -> str:
        """One line of JSON with sorted keys: equal settings give equal text, so Snakemake sees no change."""
        import json

        values: dict[str, Any] = self.model_dump(mode="json")
        return json.dumps(values, sort_keys=True, separators=(",", ":"))
