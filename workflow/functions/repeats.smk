# Parameters of the rule that chooses masks for several images each.


def repeats_options(wildcards):
    settings = CONFIG.diversity
    return option("--masks", [settings.masks]) + option(
        "--images-per-mask", [settings.images_per_mask]
    )
