# Inputs and parameters of the rules that generate and write paired images.


def unseen_slices(wildcards):
    """The slices of the patients that no generative model was trained on."""
    return held_out_slices(wildcards) + test_slices(wildcards)


def paired_options(wildcards):
    return option("--n-classes", [count_classes(wildcards)]) + option(
        "--kept", first_partial_values(wildcards)
    )
