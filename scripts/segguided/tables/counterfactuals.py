"""The measurements of counterfactual images as Markdown."""

import pandas as pd

from segguided.shown import markdown as escaped
from segguided.tables.pipes import pipe_table

HEADINGS = {
    "change_inside": "changed inside",
    "change_outside": "changed outside",
    "seeds_outside": "two seeds outside",
    "ratio_outside": "ratio",
    "difference": "difference outside",
    "shown": "shows the edit",
    "shown_before": "real image",
    "dice": "Dice",
    "dice_real": "Dice, real images",
}
NOTES = """Grey levels of 255, means over {patients} patients ({images} masks). Inside: where the edited mask
differs from the real one. Changed: the counterfactual image minus the real one. Two seeds: two images of the
edited mask alone. Difference outside: changed minus two seeds, with its paired 95 % interval where there are
two patients or more. Shows the edit: of the pixels inside, the share in which the segmenter finds what the
edited mask says. Dice: of the class."""


def counterfactual_markdown(frame: pd.DataFrame, names: list[str], title: str) -> str:
    """The page; `names` say what each row is about."""
    rows = [
        [escaped(name), *(_cell(row, column) for column in HEADINGS)]
        for name, (_, row) in zip(names, frame.iterrows(), strict=True)
    ]
    notes = NOTES.format(patients=frame["patients"].iloc[0], images=frame["images"].iloc[0])
    return f"## {escaped(title)}\n\n{pipe_table(['edit', *HEADINGS.values()], rows)}\n\n{notes}\n"


def _cell(row: pd.Series, column: str) -> str:
    if column == "difference":
        value = f"{row['difference_outside']:+.1f}"
        if pd.notna(row["difference_low"]):
            value += f" [{row['difference_low']:+.1f}, {row['difference_high']:+.1f}]"
        return value
    decimals = 1 if column.startswith(("change", "seeds")) else 2
    return "" if pd.isna(row[column]) else f"{row[column]:.{decimals}f}"
