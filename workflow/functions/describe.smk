# Inputs and parameters of the rules that show and describe a dataset.

from segguided.data.splits import sample_patients

MOST_PATIENTS = 120  # on an overview, which nobody could read with more


def overview_slices(wildcards):
    """The slice files of the patients that the overview shows."""
    shown = sample_patients(SPLITS[wildcards.dataset], MOST_PATIENTS)
    return [
        f"<results>/slices/{wildcards.dataset}/{patient}.npz"
        for patients in shown.values()
        for patient in patients
    ]


def overview_json(wildcards):
    """Classes and their colours, the patients shown, and how many each split has."""
    name = wildcards.dataset
    value = {
        "name": name,
        "classes": figure_classes(name),
        "splits": sample_patients(SPLITS[name], MOST_PATIENTS),
        "totals": {split: len(patients) for split, patients in SPLITS[name].items()},
        **figure_channels(name),
    }
    return compact(value)


def card_json(wildcards):
    """What a data card says that is in no slice file."""
    dataset = CONFIG.datasets[wildcards.dataset]
    # With the paths, which `preparation_json` leaves out; without the server, for each sends the same series.
    source = dataset.source.model_dump(mode="json", exclude={"endpoint"})
    value = {
        "name": wildcards.dataset,
        "titles": dataset.class_titles,
        "about": dataset.about.model_dump(),
        "preparation": json.loads(dataset.preparation_json()) | {"source": source},
        "split": dataset.split.model_dump() if dataset.split else None,
        "halves_seed": halves_seed(),
    }
    return compact(value)
