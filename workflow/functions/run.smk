# What the picture of a run waits for, and which runs it may show.


def all_files(wildcards):
    """The files of `all`."""
    return [
        *collect(
            "<results>/data/{dataset}/{file}",
            dataset=CONFIG.grid.datasets,
            file=["splits.csv", "overview.png", "datacard.md"],
        ),
        *collect(
            "<results>/table{table}.{format}",
            table=TABLES,
            format=["csv", "md", "png", "pdf"],
        ),
        *collect(
            "<results>/figure{figure}.{format}", figure=FIGURES, format=["png", "pdf"]
        ),
        *partial_measurements(),
        *collect("<results>/reproduction.{format}", format=["csv", "md"]),
        *(["<results>/showcase.png"] if CONFIG.guided_models else []),
    ]


def results_folder(wildcards):
    """Where the runs that may be shown write."""
    return RESULTS
