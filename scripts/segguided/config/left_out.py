"""Figures and applications that a configuration leaves out, each with the setting that would bring it."""

from collections.abc import Iterator

from segguided.config.workflow import Config

COMPARED = ("segguided", "unconditional")  # the paper's figure 1 shows these two


def figure1_models(config: Config) -> dict[str, str]:
    """Models of figure 1 with the titles of their columns: the paper's two, or the one that makes masks."""
    if set(COMPARED) <= set(config.grid.models):
        return {COMPARED[0]: "mask-guided", COMPARED[1]: "unconditional"}
    return {config.free_model: "mask-guided"} if config.free_model else {}


def figures_left_out(config: Config) -> list[str]:
    """What `snakemake all` does not make: one sentence for each figure, or dataset in it."""
    sentences = [*_figure1(config), *_figures_of_masks(config), *_figures_of_partial_masks(config)]
    sentences += _figure4(config)
    if config.similar_datasets or (config.partial_models and config.partial_datasets):
        sentences += [
            f"{name} left out of figures 3, 4 and 6: {_no_partial_masks(name)}"
            for name in _datasets_without_partial_masks(config)
        ]
    return sentences


def applications_left_out(config: Config) -> list[str]:
    """What `snakemake applications` does not make: one sentence for each part."""
    if config.applications is None:
        parts = "rare cases, paired images, translations and counterfactuals"
        return [f"{parts} left out: applications is not set"]
    return [
        *_rare_cases_and_translations(config, config.applications.model),
        *_paired_images(config, config.applications.partial_model),
    ]


def _figure1(config: Config) -> Iterator[str]:
    if figure1_models(config) or config.free_model:
        return
    missing = [name for name in COMPARED if name not in config.grid.models]
    yield f"figure 1 left out: grid.models lacks {' and '.join(missing)} (or a model with a completer)"


def _figures_of_masks(config: Config) -> Iterator[str]:
    if not config.guided_models:
        yield "figures 2 and 5 and the showcase left out: grid.models names no model that sees a mask"


def _figures_of_partial_masks(config: Config) -> Iterator[str]:
    section = config.partial_masks
    reason = ""
    if section is None:
        reason = "partial_masks is not set"
    elif not config.partial_models:
        reason = f"grid.models names none of partial_masks.models ({', '.join(section.models)})"
    elif not config.partial_datasets:
        reason = "no dataset of the grid has partial_masks"
    if reason:
        yield f"figures 3 and 6 left out: {reason}"


def _figure4(config: Config) -> Iterator[str]:
    section = config.similarity
    reason = ""
    if section is None:
        reason = "similarity is not set"
    elif section.model not in config.grid.models:
        reason = _not_in_the_grid("similarity.model", section.model)
    elif not config.partial_datasets:
        reason = "no dataset of the grid has partial_masks"
    if reason:
        yield f"figure 4 left out: {reason}"


def _rare_cases_and_translations(config: Config, model: str) -> Iterator[str]:
    if model not in config.grid.models:
        missing = _not_in_the_grid("applications.model", model)
        yield f"rare cases, translations and counterfactuals left out: {missing}"
        return
    if config.applications is not None and config.applications.rare is None:
        yield "rare cases left out: applications.rare is not set"
    if config.applications is not None and config.applications.counterfactuals is None:
        yield "counterfactuals left out: applications.counterfactuals is not set"
    if not config.translations:
        yield f"translations left out: {_no_translations(config)}"


def _paired_images(config: Config, model: str) -> Iterator[str]:
    if model not in config.grid.models:
        yield f"paired images left out: {_not_in_the_grid('applications.partial_model', model)}"
        return
    for name in _datasets_without_partial_masks(config):
        yield f"paired images of {name} left out: {_no_partial_masks(name)}"


def _datasets_without_partial_masks(config: Config) -> list[str]:
    return [name for name in config.grid.datasets if name not in config.partial_datasets]


def _no_translations(config: Config) -> str:
    named = config.applications.translations if config.applications else ()
    if named:
        return "applications.translations names no dataset of the grid as its dataset"
    return "applications.translations is empty"


def _no_partial_masks(name: str) -> str:
    return f"datasets.{name}.partial_masks is empty"


def _not_in_the_grid(key: str, model: str) -> str:
    return f"grid.models lacks {model}, which {key} names"
