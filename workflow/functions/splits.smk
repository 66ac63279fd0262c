# Parameters of the rules that list the patients of each split.

from segguided.data.splits import patients_digest


def random_split_json(wildcards):
    """How patients are split at random; empty where a column of the patient table says who is in which split."""
    split = CONFIG.datasets[wildcards.dataset].split
    return split.to_json() if split else ""


def split_digest(wildcards):
    """Changes when the split's patients change."""
    return patients_digest(SPLITS[wildcards.dataset][wildcards.split])
