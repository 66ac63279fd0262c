"""Whether the applications name datasets and classes that are defined."""

from collections.abc import Mapping

from segguided.config.checks.channels import check_channels_of_translations
from segguided.config.datasets import Dataset
from segguided.config.experiments import Applications, Counterfactuals, Translation


def check_applications(applications: Applications, datasets: Mapping[str, Dataset]) -> None:
    """Raise ValueError where they name an unknown dataset or class, or datasets that do not fit."""
    for translation in applications.translations:
        _check_translation(translation, datasets)
    check_channels_of_translations(applications.translations, datasets)
    if applications.counterfactuals:
        _check_counterfactuals(applications.counterfactuals, datasets)


def _check_translation(translation: Translation, datasets: Mapping[str, Dataset]) -> None:
    for key, name in (("masks", translation.masks), ("dataset", translation.dataset)):
        if name not in datasets:
            raise ValueError(
                f"applications.translations: {key} is '{name}'; choose one of {', '.join(datasets)}"
            )
    if datasets[translation.masks].image_size != datasets[translation.dataset].image_size:
        raise ValueError(
            f"applications.translations: {translation.masks} and {translation.dataset} differ in "
            "image_size; make it equal"
        )


def _check_counterfactuals(settings: Counterfactuals, datasets: Mapping[str, Dataset]) -> None:
    where = "applications.counterfactuals.classes"
    for dataset, name in settings.classes.items():
        if dataset not in datasets:
            raise ValueError(f"{where} names '{dataset}'; choose one of {', '.join(datasets)}")
        classes = datasets[dataset].class_names
        if name not in classes:
            raise ValueError(
                f"{where}.{dataset} is '{name}'; choose one of its classes, {', '.join(classes)}"
            )
