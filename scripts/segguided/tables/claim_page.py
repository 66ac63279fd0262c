"""A run beside the paper, claim by claim. workflow/docs/reproduction.md has its tables."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from segguided.shown import code
from segguided.shown import markdown as escaped
from segguided.tables.claim_numbers import ABSENT, ClaimNumber
from segguided.tables.claims import Claim
from segguided.tables.inputs import TableDataset, TableSettings

BLOCK = re.compile(r"(<!-- begin (?P<name>[\w-]+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)
OWN_RESULTS = re.compile(r"^results(?=/)(?!/(?:demo|ablation)/)")
UNTRIED = "no target"
NOTHING_TO_COMPARE = "No number: no dataset has a `paper_column`, partial masks or similar images."
HOW_TO_READ = (
    "The first column counts the claims below. Dice is pooled over all pixels, as in the tables; in brackets "
    "is the mean over patients and its 95 % interval. Differences of two models are means over patients. "
    "*Minus paper* is given where the data are the paper's."
)


def claims_page(
    claims: Sequence[Claim],
    numbers: Sequence[ClaimNumber],
    settings: TableSettings,
    sizes: Mapping[str, int],
    seeds: Sequence[int],
    results: str,
) -> str:
    """The page of a run: what was run, its numbers beside the paper's, and what makes each claim.

    sizes: pixels a side, by dataset. results: the folder of the run's results.
    """
    n_untried = sum(not claim.tried for claim in claims)
    return "\n\n".join(
        [
            "## This run beside the paper",
            "\n".join(_facts(settings, sizes, seeds)),
            numbers_table(claims, numbers) if numbers else NOTHING_TO_COMPARE,
            HOW_TO_READ,
            f"Each claim of the paper and what makes it; `snakemake` takes a target. {n_untried} have none.",
            targets_table(claims, results) + "\n",
        ]
    )


def _facts(settings: TableSettings, sizes: Mapping[str, int], seeds: Sequence[int]) -> Iterator[str]:
    for dataset in settings.datasets:
        name = escaped(dataset.name)
        yield f"- {name}: {sizes[dataset.name]}×{sizes[dataset.name]} pixels, {_stands_for(dataset)}."
    yield f"- Models: {', '.join(escaped(model.title) for model in settings.models)}."
    yield f"- Seeds: {', '.join(map(str, seeds))}."


def _stands_for(dataset: TableDataset) -> str:
    if dataset.paper_column is None:
        return "compared with no dataset of the paper"
    if dataset.is_papers_data:
        return f"the paper's {dataset.paper_column}"
    return f"other data than the paper's {dataset.paper_column}, whose values are beside its own"


def numbers_table(claims: Sequence[Claim], numbers: Sequence[ClaimNumber]) -> str:
    """The numbers of a run in the order of the claims, without those of models that the grid lacks."""
    places = {claim.name: (str(i), claim.where) for i, claim in enumerate(claims, 1)}
    is_papers_data = any(not math.isnan(number.minus_paper) for number in numbers)
    header = ["claim", "where", "what", "dataset", "paper", "this run"]
    header += ["minus paper", "remark"] if is_papers_data else ["remark"]
    rows = [
        [
            *places[number.claim],
            escaped(number.what),
            escaped(number.dataset),
            number.paper,
            _value(number),
            *([_minus_paper(number)] if is_papers_data else []),
            escaped(number.remark),
        ]
        for number in numbers
        if number.remark != ABSENT
    ]
    return plain_table(header, rows)


def targets_table(claims: Sequence[Claim], results: str = "results") -> str:
    """Each claim and what makes it; `results` is the folder of the run's results."""
    rows = [[str(i), claim.where, claim.says, _made_by(claim, results)] for i, claim in enumerate(claims, 1)]
    return plain_table(["claim", "where", "the paper says", "target"], rows)


def outcomes_table(claims: Sequence[Claim]) -> str:
    """The same with what came out at the scale of workflow/docs/reproduction.md."""
    rows = [
        [str(i), claim.where, claim.says, _made_by(claim, "results"), claim.here, claim.differs]
        for i, claim in enumerate(claims, 1)
    ]
    return plain_table(
        ["claim", "where", "the paper says", "target", "what came out here", "what differs"], rows
    )


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table without padding: with long cells, padding would make each change one of every line."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def fill(page: str, blocks: Mapping[str, str]) -> str:
    """The page with each block between `<!-- begin NAME -->` and `<!-- end NAME -->` written anew.

    Raises ValueError where the page and `blocks` do not have the same names.
    """
    names = [match["name"] for match in BLOCK.finditer(page)]
    if sorted(names) != sorted(blocks):
        raise ValueError(
            f"expected the blocks {', '.join(sorted(blocks))}, got {', '.join(sorted(names)) or 'none'}; "
            "mark each with <!-- begin NAME --> and <!-- end NAME -->"
        )
    return BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match['name']]}\n\n{match[3]}", page)


def _made_by(claim: Claim, results: str) -> str:
    targets = [OWN_RESULTS.sub(lambda _: results, target) for target in claim.targets]
    return ", ".join(map(code, [*targets, *claim.tests])) or f"**{UNTRIED}**"


def _minus_paper(number: ClaimNumber) -> str:
    return "" if math.isnan(number.minus_paper) else _signed(number.minus_paper)


def _value(number: ClaimNumber) -> str:
    if math.isnan(number.value):
        return ""
    is_difference = number.paper.startswith(("+", "−"))
    value = _signed(number.value) if is_difference else _number(number.value)
    if math.isnan(number.low):
        return value
    write = _signed if is_difference else _number
    interval = f"[{write(number.low)}, {write(number.high)}]"
    return (
        f"{value} {interval}" if math.isnan(number.mean) else f"{value} ({_number(number.mean)} {interval})"
    )


def _number(value: float) -> str:
    """Three decimals; whole numbers such as counts of slices without."""
    if value == int(value) and abs(value) > 1:
        return f"{value:,.0f}"
    return f"{value:.3f}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
