"""The picture of a translation."""

import numpy as np
from PIL import Image

from draw_translation import draw_translation
from segguided.data.formats.npz import write_npz
from segguided.data.slices import Stack, read_slices, write_stack
from segguided.figures.settings import FigureDataset
from segguided.generation.translation import IMAGE, MATCHED
from segguided.generation.variants import write_variants


def test_translation_picture_shows_the_other_modality(tmp_path):
    masks_SHW = np.random.default_rng(0).integers(0, 3, (4, 16, 16)).astype(np.uint8)
    stack = Stack("p", masks_SHW * 100, masks_SHW, np.arange(4.0), {"classes": ["a", "b"]})
    write_stack(tmp_path / "p.npz", stack)
    slices = read_slices([tmp_path / "p.npz"])
    write_npz(tmp_path / "t.npz", images=slices.images, names=np.array(slices.names))
    classes = tuple({"name": name, "color": "red"} for name in ("a", "b"))
    source = {
        "name": "t2",
        "classes": classes,
        "slices": [tmp_path / "p.npz"],
        "generated": {"t1": tmp_path / "t.npz"},
    }
    widths = []
    of_nobody = tmp_path / "no-patient-of-t2.npz"
    for own in ([], [of_nobody], [tmp_path / "p.npz", of_nobody]):
        draw_translation(FigureDataset.model_validate(source), "t1", own, 2, tmp_path / "picture.png")
        widths.append(Image.open(tmp_path / "picture.png").width)
    assert widths[2] > widths[1] == widths[0]
    started = {name: slices.images // (2 + number) for number, name in enumerate((IMAGE, MATCHED))}
    write_variants(tmp_path / "started.npz", started, slices.names)
    dataset = FigureDataset.model_validate(source)
    draw_translation(dataset, "t1", [], 2, tmp_path / "picture.png", tmp_path / "started.npz")
    picture = np.asarray(Image.open(tmp_path / "picture.png").convert("L"))
    assert picture.shape[1] > widths[2], "two columns more"
    assert {200 // 2, 200 // 3} <= set(np.unique(picture).tolist())
