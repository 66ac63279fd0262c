# Inputs of the rule that trains segmenters.


def generated_held_out(wildcards):
    """The images that a segmenter trains on in place of the real ones; none for the real segmenter."""
    model = wildcards.train_set
    if model == REAL:
        return []
    return [generated(wildcards.dataset, model, wildcards.seed, "held-out")]
