# What figures and tables show of datasets and models, and their place in the report.

CATEGORIES = {"table": "Table", "overview": "Dataset", "datacard": "Dataset"}


def reported(file, caption, shows):
    """An output that the report shows with the caption in workflow/report/<caption>.rst."""
    category = CATEGORIES.get(caption, "Figure")
    which = f"{{{category.lower()}}}"  # the wildcard of a table or a dataset
    if category == "Figure":
        which = caption.removeprefix("figure")
    file_format = file.rsplit(".", 1)[1]
    return report(
        f"<results>/{file}",
        caption=f"../report/{caption}.rst",
        category=f"{category}s",
        labels={category: which, "shows": shows, "format": file_format},
    )


def title_of(model):
    """A model's name as tables and figures show it."""
    return CONFIG.models[model].title or model


def figure_classes(dataset):
    """Name and colour of each class, and its title where it has one."""
    return [
        {"name": c.name, "color": c.color} | ({"title": c.title} if c.title else {})
        for c in CONFIG.datasets[dataset].classes
    ]


def figure_channels(dataset):
    """The names of the channels of an image; nothing where it has one, without a name."""
    names = CONFIG.datasets[dataset].channel_names
    return {"channels": names} if names else {}


def figure_dataset(dataset, sets, free=None):
    """What a figure's script must know of a dataset, as JSON; `sets` are the generated sets by model.

    `free`: the set whose masks are made from nothing.

    Not made from a rule's `input`: Snakemake does not compare such parameters with those of the last run.
    """
    value = {
        "name": dataset,
        "classes": figure_classes(dataset),
        **figure_channels(dataset),
        "slices": f"@{in_results(list_of(dataset, 'test'))}",
        "generated": {model: in_results(path) for model, path in sets.items()},
    }
    if free is not None:
        value["free"] = in_results(free)
    return compact(value)


def in_results(path):
    return path.replace("<results>", RESULTS)


def dataset_arguments(sets, free=None):
    """A --dataset argument for each dataset; `sets` are the generated sets by dataset and model.

    `free`: by dataset the set whose masks are made from nothing.
    """
    free = free or {}
    return [
        word
        for dataset, sets_of_models in sets.items()
        for word in (
            "--dataset",
            figure_dataset(dataset, sets_of_models, free.get(dataset)),
        )
    ]


def model_arguments(models):
    """A --model argument for each of a figure's models, in order: name and title.

    Parameters that are not functions would have braces in a title taken for wildcards.
    """
    return [word for name in models for word in ("--model", name, title_of(name))]
