"""The miniature's configuration, as Snakemake merges its files."""

from pathlib import Path

import yaml

from segguided.config.workflow import load

MINIATURE = Path(__file__).parent / "miniature.yaml"
SHIPPED = Path(__file__).parents[2] / "config.yaml"


def merged(under, over):
    """As Snakemake merges configuration files."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return under | {key: merged(under.get(key), value) for key, value in over.items()}


def config(**changes):
    settings = merged(yaml.safe_load(SHIPPED.read_text()), yaml.safe_load(MINIATURE.read_text()))
    return load(merged(settings, changes))
