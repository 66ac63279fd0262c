"""Prints the tables of workflow/docs/statistics.md: how often intervals contain the true value.

Run by `make coverage`; `tests/evaluation/test_coverage.py` compares the page with the same simulation.
"""

from support.coverage import markdown, tables


def main():
    for name, first, simulate in tables():
        print(f"\n### {name}\n")
        print("\n".join(markdown(simulate(), first)), flush=True)


if __name__ == "__main__":
    main()
