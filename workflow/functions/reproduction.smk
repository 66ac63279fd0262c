# Inputs and parameters of the rule that holds a run against the paper.


def split_tables(wildcards):
    return [f"<results>/data/{dataset}/splits.csv" for dataset in CONFIG.grid.datasets]


def of_datasets(words, path, datasets):
    """For each dataset the option, its name and its file; not made from inputs, which Snakemake does not compare."""
    return [
        word
        for dataset in datasets
        for word in (words, dataset, in_results(path.format(dataset=dataset)))
    ]


def reproduction_files(wildcards):
    return (
        of_datasets(
            "--splits", "<results>/data/{dataset}/splits.csv", CONFIG.grid.datasets
        )
        + of_datasets(
            "--partial",
            "<results>/partial/{dataset}.csv",
            measured_partial_datasets(),
        )
        + of_datasets(
            "--similarity",
            "<results>/similarity/{dataset}.csv",
            CONFIG.similar_datasets,
        )
    )


def image_sizes_json(wildcards):
    return compact({d: CONFIG.datasets[d].image_size for d in CONFIG.grid.datasets})
