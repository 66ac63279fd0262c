"""Figures and applications that a configuration leaves out, each with the setting that would bring it."""

from collections.abc import Iterator

from segguided.config.workflow import Config

COMPARED = ("segguided", "unconditional")  # figure 1 shows these two


def figures_left_out(config: Config) -> list[str]:
    """Of `snakemake all`: one sentence for each figure, or dataset in it, that it does not make."""
    found = [*_first(config), *_guided(config), *_partial(config), *_similar(config)]
    if config.similar_datasets or (config.partial_models and config.partial_datasets):
        lacking = [name for name in config.grid.datasets if name not in config.partial_datasets]
        found += [f"{name} left out of figures 3, 4 and 6: {_no_masks(name)}" for name in lacking]
    return found


def applications_left_out(config: Config) -> list[str]:
    """Of `snakemake applications`: one sentence for each part that it does not make."""
    chosen = config.applications
    if chosen is None:
        return ["rare cases, paired images and translations left out: applications is not set"]
    found = []
    if chosen.model not in config.grid.models:
        found.append(
            f"rare cases and translations left out: {_untrained('applications.model', chosen.model)}"
        )
    else:
        found += [
            f"rare cases of {name} left out: datasets.{name}.rare_class is not set"
            for name in config.grid.datasets
            if not config.datasets[name].rare_class
        ]
        if not config.translations:
            found.append(f"translations left out: {_no_translations(config)}")
    if chosen.partial_model not in config.grid.models:
        lacking = _untrained("applications.partial_model", chosen.partial_model)
        return [*found, f"paired images left out: {lacking}"]
    unmasked = [name for name in config.grid.datasets if name not in config.partial_datasets]
    return [*found, *(f"paired images of {name} left out: {_no_masks(name)}" for name in unmasked)]


def _first(config: Config) -> Iterator[str]:
    lacking = [name for name in COMPARED if name not in config.grid.models]
    if lacking:
        yield f"figure 1 left out: grid.models lacks {' and '.join(lacking)}"


def _guided(config: Config) -> Iterator[str]:
    if not config.guided_models:
        yield "figures 2 and 5 and the showcase left out: grid.models names no model that sees a mask"


def _partial(config: Config) -> Iterator[str]:
    section, reason = config.partial_masks, ""
    if section is None:
        reason = "partial_masks is not set"
    elif not config.partial_models:
        reason = f"grid.models names none of partial_masks.models ({', '.join(section.models)})"
    elif not config.partial_datasets:
        reason = "no dataset of the grid has partial_masks"
    if reason:
        yield f"figures 3 and 6 left out: {reason}"


def _similar(config: Config) -> Iterator[str]:
    section, reason = config.similarity, ""
    if section is None:
        reason = "similarity is not set"
    elif section.model not in config.grid.models:
        reason = _untrained("similarity.model", section.model)
    elif not config.partial_datasets:
        reason = "no dataset of the grid has partial_masks"
    if reason:
        yield f"figure 4 left out: {reason}"


def _no_translations(config: Config) -> str:
    named = config.applications.translations if config.applications else ()
    if named:
        return "applications.translations names no dataset of the grid as its dataset"
    return "applications.translations is empty"


def _no_masks(name: str) -> str:
    return f"datasets.{name}.partial_masks is empty"


def _untrained(key: str, model: str) -> str:
    return f"grid.models lacks {model}, which {key} names"
