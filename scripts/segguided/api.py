"""The library's public part: a trained model makes images of masks, a segmenter finds masks in images.

What `__all__` names stays as it is from one release to the next; all else in `segguided` may change. Every
function raises ValueError, one sentence, for what it cannot use. workflow/docs/python.md has an example.

Shape letters: N masks or images, K noise seeds times images of each mask, H height, W width.
"""

import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from torch import nn

from segguided.app.calls import Asked, log_some, wanted_of
from segguided.app.generate import images_of
from segguided.app.mask_inputs import UserMasks
from segguided.app.planned_images import plan
from segguided.app.run_folder import WEIGHTS_FILE, RunFolder, read_run
from segguided.app.validation import unlike_training
from segguided.config.models.segmenter import Segmenter
from segguided.data.image_arrays import are_images, channels_of
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, dice_by_class
from segguided.evaluation.prediction import predict
from segguided.models import segmenter as segmenters
from segguided.training.storage import WEIGHTS_KEY, network_description, read_description

__all__ = ["GeneratedImages", "TrainedModel", "TrainedSegmenter", "dice", "load_model", "load_segmenter"]


@dataclass(frozen=True)
class GeneratedImages:
    """Images (K, N, H, W), uint8, and the masks (K, N, H, W), uint8, that they follow.

    K runs over all images of a mask with the first noise seed, then over those with the second, and so on.
    Images of several channels are (K, N, H, W, channels).

    `masks` are those that were given. Where classes were free, they are without these classes, or with those
    that the model's mask completer put in their place.
    """

    images: np.ndarray
    masks: np.ndarray


class TrainedModel:
    """A trained model that makes images of masks; `load_model` gives one.

    `name`, `dataset` and `kind` are those of its configuration. `classes` maps the names of the classes to
    their values in a mask, from 1; 0 is background. `titles` maps them to what figures call the classes,
    which may be any text. `channels` are the names of an image's channels, none where it is grey.
    `image_size` is the side of an image in pixels, `seed`
    the noise seed that is used where none is given.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.name: str = run.facts.model
        self.dataset: str = run.facts.dataset
        self.kind: str = run.facts.kind
        self.classes: Mapping[str, int] = {known.name: known.value for known in run.facts.classes}
        self.titles: Mapping[str, str] = {
            known.name: known.title or known.name for known in run.facts.classes
        }
        self.channels: tuple[str, ...] = tuple(channel.name for channel in run.facts.channels)
        self.image_size: int = run.facts.image_size
        self.seed: int = run.facts.seed

    def generate(
        self,
        masks: np.ndarray,
        *,
        seeds: int | Sequence[int] | None = None,
        free: str | Collection[str] = (),
        steps: int | None = None,
        names: Sequence[str] | None = None,
        images_per_mask: int = 1,
    ) -> GeneratedImages:
        """Images of each mask (N, H, W), uint8: `images_per_mask` for each of the noise seeds.

        `free`: names of classes that are left to the model. `steps`: sampling steps, in place of the run's.
        `names`: one of each mask, all different, "000000", "000001" … where none are given; seed and name
        alone decide the noise that an image begins with. Masks that are unlike those of training are logged.
        With the same names in the same order, scripts/generate.py writes the same bytes.
        """
        with _one_sentence():
            found = self._user_masks(masks, names)
            asked = Asked(
                images_per_mask=_whole_number(images_per_mask, "images_per_mask"),
                noise_seeds=_whole_numbers(seeds),
                free=_texts(free, "free"),
                steps=None if steps is None else _whole_number(steps, "steps"),
            )
            wanted = wanted_of(self._run, asked)
            self._check_unchanged()
            log_some(unlike_training(found, self._run.facts))
            batches = [images_of(self._run, found, wanted, batch) for batch in plan(found, wanted)]
        shape = (len(wanted.seeds) * wanted.samples, *masks.shape)
        images = np.concatenate([images_BHW for images_BHW, _ in batches])
        return GeneratedImages(
            images=images.reshape(*shape, *images.shape[3:]),
            masks=np.concatenate([masks_BHW for _, masks_BHW in batches]).reshape(shape),
        )

    def unlike_training(self, masks: np.ndarray, names: Sequence[str] | None = None) -> list[str]:
        """A sentence for each class of a mask (N, H, W), uint8, whose area or place training did not see.

        Images of such masks are made all the same; whether they are any good nobody knows.
        """
        with _one_sentence():
            return unlike_training(self._user_masks(masks, names), self._run.facts)

    def _user_masks(self, masks: np.ndarray, names: Sequence[str] | None) -> UserMasks:
        _check_array(masks, "masks")
        size = self.image_size
        if masks.shape[1:] != (size, size):
            raise ValueError(
                f"expected masks of {size} × {size} pixels, as {self.name} was trained on, got an array of "
                f"shape {masks.shape}; resize them, nearest neighbour"
            )
        unknown = sorted(set(np.unique(masks).tolist()) - {0, *self.classes.values()})
        if unknown:
            known = ", ".join(f"{value} {name}" for name, value in self.classes.items())
            raise ValueError(
                f"the masks hold the value {unknown[0]}, but the model knows 0 background, {known}; "
                "change it, or leave this class out"
            )
        listed = [f"{row:06}" for row in range(len(masks))] if names is None else _texts(names, "names")
        if len(listed) != len(masks) or len(set(listed)) != len(listed):
            raise ValueError(
                f"expected a name for each of {len(masks)} masks, all different, got {len(listed)} names, "
                f"{len(set(listed))} different ones"
            )
        return UserMasks(listed, masks, [], {}, [])

    def _check_unchanged(self) -> None:
        """Raise ValueError where the folder now holds other weights than when it was loaded."""
        if read_description(self._run.weights).get(WEIGHTS_KEY) != self._run.facts.weights_sha256:
            raise ValueError(f"{self._run.weights} has changed since it was loaded; load the model again")


class TrainedSegmenter:
    """A trained segmenter for `n_classes` classes beside the background; `load_segmenter` gives one."""

    def __init__(self, network: nn.Module, n_classes: int, divisor: int, channels: int = 1) -> None:
        self._network = network
        self._divisor = divisor  # of an image's sides: each level of the network halves them
        self.n_classes = n_classes
        self.channels = channels  # of an image

    def segment(self, images: np.ndarray) -> np.ndarray:
        """The masks (N, H, W), uint8, that the segmenter finds in images (N, H, W), uint8.

        Images of several channels are (N, H, W, channels).
        """
        if self.channels == 1:
            _check_array(images, "images")
        elif not are_images(images) or channels_of(images) != self.channels:
            raise ValueError(
                f"expected `images` as a NumPy array of uint8 with the shape (N, height, width, "
                f"{self.channels}), got {images.dtype} {images.shape}"
            )
        height, width = images.shape[1:3]
        if height % self._divisor or width % self._divisor or height * width <= self._divisor**2:
            raise ValueError(
                f"expected images whose sides are multiples of {self._divisor} pixels and not both "
                f"{self._divisor}, got {height} × {width}; pad or resize them"
            )
        return predict(self._network, images, pick_device())


def load_model(folder: str | PathLike[str]) -> TrainedModel:
    """The model in a run folder: runs/DATASET/MODEL/seedN of the results, with run.json, or a copy of it."""
    with _one_sentence():
        return TrainedModel(read_run(Path(folder)))


def load_segmenter(folder: str | PathLike[str]) -> TrainedSegmenter:
    """The segmenter in a folder segmenters/DATASET/TRAIN_SET/seedN of the results, or in a copy of it."""
    weights = Path(folder) / WEIGHTS_FILE
    with _one_sentence():
        if not weights.is_file() or "segmenter" not in read_description(weights):
            raise ValueError(
                f"{folder} holds no segmenter; name a folder segmenters/DATASET/TRAIN_SET/seedN of the "
                "results"
            )
        network = segmenters.load_segmenter(weights)
        with network_description(weights) as description:
            levels = len(Segmenter.model_validate(description["segmenter"]).channels)
            channels = int(description.get("channels", 1))
            return TrainedSegmenter(network, int(description["n_classes"]), 2 ** (levels - 1), channels)


def dice(found: np.ndarray, masks: np.ndarray, classes: Collection[str]) -> dict[str, float]:
    """Dice of found masks with given ones, both (N, H, W), uint8: by class, and as "macro" their mean.

    Over all pixels of all N, as the pooled Dice of Table 1. `classes`: the names of the values 1, 2 …. A
    class that no given mask holds is NaN and not in the mean.
    """
    _check_array(found, "found")
    _check_array(masks, "masks")
    names = _texts(classes, "classes")
    return dice_by_class(class_counts(found, masks, len(names)), names)


def _check_array(array: np.ndarray, what: str) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3 or not array.size:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(
            f"expected `{what}` as a NumPy array of uint8 with the shape (N, height, width), got {got}"
        )


def _whole_numbers(seeds: int | Sequence[int] | None) -> list[int] | None:
    if seeds is None:
        return None
    listed = list(seeds) if np.iterable(seeds) else [seeds]
    if not listed:
        raise ValueError("`seeds` is empty; give a number, or leave it out for the run's own seed")
    return [_whole_number(seed, "seeds") for seed in listed]


def _whole_number(value: object, what: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"expected whole numbers as `{what}`, got {value!r}") from None


def _texts(texts: str | Collection[str], what: str) -> list[str]:
    """The texts as a list; a text alone is one text, not its letters."""
    listed = [texts] if isinstance(texts, str) else list(texts)
    wrong = [text for text in listed if not isinstance(text, str)]
    if wrong:
        raise ValueError(f"expected texts as `{what}`, got {wrong[0]!r}")
    return listed


@contextmanager
def _one_sentence() -> Iterator[None]:
    """An OSError becomes the ValueError that the user of this module is promised."""
    try:
        yield
    except OSError as error:
        known = error.filename and error.strerror
        raise ValueError(f"{error.filename}: {error.strerror}" if known else str(error)) from error
