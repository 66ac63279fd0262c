"""Fills the tables of workflow/docs/reproduction.md from the claims and from measured values kept beside it.

Run it with PYTHONPATH=scripts after changes of workflow/paper_claims.yaml or a CSV. That of 128×128 pixels is
what the rule write_reproduction wrote in the demo; that of 64×64 holds values of workflow/docs/demo.md.
"""

from pathlib import Path

from segguided.files import write_text
from segguided.tables.claim_numbers import ClaimNumber, read_numbers
from segguided.tables.claim_page import fill, numbers_table, outcomes_table
from segguided.tables.claims import Claim, read_claims

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "workflow/docs"
PAGE = DOCS / "reproduction.md"
SIZES = (128, 64)  # pixels a side


def claims() -> list[Claim]:
    return read_claims(ROOT / "workflow/paper_claims.yaml")


def measured(size: int) -> list[ClaimNumber]:
    """The kept numbers of the run at `size`×`size` pixels."""
    return read_numbers(DOCS / f"reproduction-{size}.csv")


def filled(page: str) -> str:
    """The page with its tables written anew."""
    listed = claims()
    untried = [f"- {claim.where}: {claim.says}." for claim in listed if not claim.tried]
    blocks = {f"numbers-{size}": numbers_table(listed, measured(size)) for size in SIZES}
    blocks |= {"claims": outcomes_table(listed), "untried": "\n".join(untried)}
    return fill(page, blocks)


if __name__ == "__main__":
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8")))
