"""The paper's claims in workflow/paper_claims.yaml: what makes each, and which numbers speak to it."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from segguided.config.base import Settings

ByPaperColumn = dict[str, str]  # what the paper states, as printed, by its dataset: breast-mri, ct-organ


class OfTable(Settings):
    """Values of a table, for each model and measure; the paper's are in workflow/paper_values.tsv."""

    kind: Literal["table"]
    table: Literal[1, 2, 3]
    measures: tuple[str, ...]  # columns of the table's CSV
    models: tuple[str, ...]
    paper: ByPaperColumn = Field(default_factory=dict)  # where paper_values.tsv has none
    above: float | None = None  # the paper says that they are above it


class ModelDifference(Settings):
    """A model minus others on the same patients; `real` among the others is the ceiling."""

    kind: Literal["difference"]
    table: Literal[1, 2]
    measures: tuple[str, ...]
    model: str
    others: tuple[str, ...]


class SliceCount(Settings):
    """How many slices a split has."""

    kind: Literal["slices"]
    split: Literal["train", "held-out", "test"]
    paper: ByPaperColumn = Field(default_factory=dict)


class FromPartialMasks(Settings):
    """What is kept and what varies where classes are removed from masks: `partial/DATASET.csv`."""

    kind: Literal["partial"]


class AtEachEnd(Settings):
    """A column of `similarity/DATASET.csv` at the smallest and the largest λ."""

    kind: Literal["similarity"]
    column: str


Numbers = Annotated[
    OfTable | ModelDifference | SliceCount | FromPartialMasks | AtEachEnd, Field(discriminator="kind")
]


class Claim(Settings):
    """One sentence of the paper. Neither targets nor tests: nothing here tries it."""

    name: str
    where: str  # abstract, a section, a table or a figure
    says: str
    targets: tuple[str, ...] = ()  # of Snakemake; DATASET and MODEL are names of a configuration
    tests: tuple[str, ...] = ()  # files, for claims about what is computed and not about what comes out
    numbers: tuple[Numbers, ...] = ()
    here: str = ""  # what came out where it was run for workflow/docs/reproduction.md
    differs: str = ""  # what was different there, and what differs at any scale

    @property
    def tried(self) -> bool:
        """Whether something here tries it."""
        return bool(self.targets or self.tests)


def read_claims(path: Path) -> list[Claim]:
    """The claims in order. Raises ValueError for a file without them, and for a name that is there twice."""
    try:
        claims = TypeAdapter(list[Claim]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML ({' '.join(str(error).split())}); correct it") from error
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{path}: expected a list of claims ({reasons}); correct it") from error
    repeated = [name for name, count in Counter(claim.name for claim in claims).items() if count > 1]
    if repeated:
        raise ValueError(f"{path}: {repeated[0]} names two claims; rename one of them")
    return claims
