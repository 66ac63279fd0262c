"""Whether the models that sections beyond the tables name can do what the section asks."""

from collections.abc import Collection, Mapping

from segguided.config.experiments import Applications, PartialMasks, Similarity

Named = Mapping[str, tuple[str, ...]]  # models by the key that names them


def from_partial_masks(partial_masks: PartialMasks | None, applications: Applications | None) -> Named:
    """The models that generate from partial masks."""
    names: dict[str, tuple[str, ...]] = {}
    if partial_masks:
        names["partial_masks.models"] = partial_masks.models
    if applications:
        names["applications.partial_model"] = (applications.partial_model,)
    return names


def from_noised_images(similarity: Similarity | None, applications: Applications | None) -> Named:
    """The models that also generate from noised real images."""
    names: dict[str, tuple[str, ...]] = {}
    if similarity:
        names["similarity.model"] = (similarity.model,)
    if applications:
        names["applications.model"] = (applications.model,)
    return names


def check_able(named: Named, able: Collection[str], kinds: str, what: str) -> None:
    """Raise ValueError where a key names a model that is not `able`, of the `kinds` that can do `what`."""
    for key, names in named.items():
        for name in names:
            if name not in able:
                raise ValueError(
                    f"{key} names '{name}', but only {kinds} ({', '.join(able)}) can {what}; name one of them"
                )
