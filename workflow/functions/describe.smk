# Inputs and parameters of the rules that show and describe a dataset.

from segguided.data.splits import sample_patients

MOST_PATIENTS = 120  # on an overview, which else nobody could read


def overview_slices(wildcards):
    """Of the patients an overview shows: it needs no others."""
    shown = sample_patients(SPLITS[wildcards.dataset], MOST_PATIENTS)
    return [
        f"<results>/slices/{wildcards.dataset}/{patient}.npz"
        for patients in shown.values()
        for patient in patients
    ]


def overview_json(wildcards):
    """What an overview shows: classes and their colours, and patients by split, of how many."""
    name = wildcards.dataset
    value = {
        "name": name,
        "classes": figure_classes(name),
        "splits": sample_patients(SPLITS[name], MOST_PATIENTS),
        "totals": {split: len(patients) for split, patients in SPLITS[name].items()},
    }
    return compact(value)


def card_json(wildcards):
    """What a data card says that no slice file knows."""
    dataset = CONFIG.datasets[wildcards.dataset]
    # With the paths, which slicing is given otherwise; whichever server sends a series, it is the same.
    source = dataset.source.model_dump(mode="json", exclude={"endpoint"})
    value = {
        "name": wildcards.dataset,
        "about": dataset.about.model_dump(),
        "preparation": json.loads(dataset.preparation_json()) | {"source": source},
        "split": dataset.split.model_dump() if dataset.split else None,
        "halves_seed": halves_seed(),
    }
    return compact(value)
