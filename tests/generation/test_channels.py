"""Applications on images of two channels: λ, counterfactuals, partial masks, rare cases, pairs."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from generate_counterfactual import generate_counterfactual
from generate_paired import generate_paired
from generate_rare import generate_rare
from generate_similar import generate_similar
from measure_counterfactual import measure_counterfactual
from pair_images import pair_images
from segguided.config.experiments import AllowedChanges, Counterfactuals, Similarity
from segguided.config.models.segmenter import Segmenter
from segguided.config.sampling import Generation
from segguided.data.augmented import read_rare_set, with_generated
from segguided.data.slices import Stack, read_generated, read_slices, write_stack
from segguided.evaluation.csv_files import read_csv
from segguided.generation.near_real.start import RealStart
from segguided.generation.samplers.renoising import Renoiser
from segguided.generation.sampling import initial_noise
from segguided.generation.variants import read_variants
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.segmenter_run import run_segmenter
from segguided.training.storage import save_network
from support.tiny_models import MODEL
from support.tiny_sets import small_sampling

GENERATION = Generation(batch_size=2, precision="fp32")


def blocks():
    """Masks (6, 16, 16) that are a block of 2 in 1."""
    masks_SHW = np.ones((6, 16, 16), np.uint8)
    for number, mask_HW in enumerate(masks_SHW):
        mask_HW[4 + number % 3 : 10 + number % 3, 4:10] = 2
    return masks_SHW


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a network of two channels, and the slices of two patients."""
    root = tmp_path_factory.mktemp("two")
    torch.manual_seed(0)
    network = MaskedDenoiser(MODEL, 2, 16, channels=2).eval()
    description = {"kind": "diffusion", "model": MODEL.model_dump(), "n_classes": 2, "image_size": 16}
    save_network(network, root / "model.safetensors", {**description, "channels": 2})
    for seed, patient in enumerate("pq"):
        images = np.random.default_rng(seed).integers(0, 256, (6, 16, 16, 2)).astype(np.uint8)
        write_stack(root / f"{patient}.npz", Stack(patient, images, blocks(), np.arange(6.0), {}))
    return root


def test_noise_of_one_channel_is_the_first_of_several_and_channels_differ():
    two = initial_noise(0, ["a", "b"], 8, 2)
    assert torch.equal(two[:, :1], initial_noise(0, ["a", "b"], 8))
    assert not torch.equal(two[:, 0], two[:, 1])


def test_a_renoiser_gives_each_channel_a_noise_input():
    plus = MODEL.model_copy(update={"losses": MODEL.losses.model_copy(update={"energy_score": object()})})
    seen = []

    def denoiser(x_BCHW, t_B, mask_BHW):
        seen.append(x_BCHW.shape[1])
        return x_BCHW[:, 2:4]

    x0 = Renoiser(plus, 2, 0, 2).sample(denoiser, torch.zeros(1, 8, 8, dtype=torch.uint8), ["a"])
    assert seen == [4, 4]
    assert x0.shape == (1, 2, 8, 8)


def test_lambda_one_starts_from_both_channels_of_the_real_image(folder, tmp_path):
    similarity = Similarity(model="m", lambdas=(1.0,), masks=3, samples_per_mask=2, timestep=240, steps=25)
    arguments = {"sampling": GENERATION, "n_classes": 2, "kept": [1, 2], "seed": 0}
    generate_similar(
        weights=folder / "model.safetensors",
        slices=[folder / "p.npz"],
        similarity=similarity,
        output=tmp_path / "similar.npz",
        **arguments,
    )
    variants, chosen = read_variants(tmp_path / "similar.npz", read_slices([folder / "p.npz"]))
    assert sorted(variants) == ["0/0", "0/1", "1/0", "1/1"]
    assert all(images.shape == (3, 16, 16, 2) for images in variants.values())
    start = RealStart(folder / "model.safetensors", GENERATION, similarity, 0)
    (images,) = start.images(chosen, [1.0])
    np.testing.assert_array_equal(images, variants["1/0"])


def test_a_counterfactual_keeps_both_channels_outside_the_edit(folder, tmp_path):
    settings = Counterfactuals(masks=3, edits=("remove",), distance=0.1, steps=25)
    generate_counterfactual(
        weights=folder / "model.safetensors",
        slices=[folder / "p.npz"],
        donors=[folder / "q.npz"],
        sampling=GENERATION,
        counterfactuals=settings,
        n_classes=2,
        edited_class=2,
        seed=0,
        output=tmp_path / "set.npz",
    )
    test = read_slices([folder / "p.npz"])
    variants, chosen = read_variants(tmp_path / "set.npz", test)
    near = variants["remove/near"].astype(int)
    far_HW = np.zeros((16, 16), bool)
    far_HW[:, 14:] = True
    changed = np.abs(near - chosen.images)
    alone = np.abs(variants["remove/alone/0"].astype(int) - chosen.images)
    for channel in (0, 1):
        assert changed[:, far_HW, channel].mean() < alone[:, far_HW, channel].mean()
    segmenter = tmp_path / "segmenter/model.safetensors"
    train_segmenter(test, segmenter)
    measure_counterfactual(
        generated=tmp_path / "set.npz",
        slices=[folder / "p.npz"],
        evaluator=segmenter,
        classes=["a", "b"],
        edited_class=2,
        output=tmp_path / "measured.csv",
    )
    row = read_csv(tmp_path / "measured.csv").iloc[0]
    inside = blocks()[[test.names.index(name) for name in chosen.names]] == 2
    assert row["change_inside"] == pytest.approx(changed[inside].mean())


def train_segmenter(slices, weights):
    training = {"steps": 2, "batch_size": 2, "learning_rate": 1e-2, "precision": "fp32"}
    segmenter = Segmenter.model_validate({"channels": [4, 8], "training": training})
    run_segmenter(slices, None, segmenter, 2, 0, weights)


def test_pairs_are_pictures_of_both_channels(folder, tmp_path):
    generate_paired(
        folder / "model.safetensors", [folder / "p.npz"], small_sampling(), 2, [2], 0, tmp_path / "set.npz"
    )
    pair_images(
        generated=tmp_path / "set.npz",
        slices=[folder / "p.npz"],
        classes=["a", "b"],
        kept=["b"],
        output=tmp_path / "pairs.zip",
    )
    real = read_slices([folder / "p.npz"])
    with zipfile.ZipFile(tmp_path / "pairs.zip") as archive:
        picture = Image.open(io.BytesIO(archive.read("real_data/p_slice_3.png")))
        np.testing.assert_array_equal(np.asarray(picture), real.images[3])
        assert picture.mode == "LA"


def discs():
    """Masks (6, 16, 16) of a disc of 2 in one of 1, both of which grow: deformed ones are still like them."""
    rows, columns = np.indices((16, 16)) - 7.5
    radius_HW = np.hypot(rows, columns)
    masks = [
        (radius_HW < 5 + number / 2).astype(np.uint8) + (radius_HW < 2 + number / 3) for number in range(6)
    ]
    return np.stack(masks).astype(np.uint8)


def test_rare_cases_join_the_real_slices_of_two_channels(folder, tmp_path):
    images = np.random.default_rng(5).integers(0, 256, (6, 16, 16, 2)).astype(np.uint8)
    write_stack(tmp_path / "r.npz", Stack("r", images, discs(), np.arange(6.0), {}))
    changes = AllowedChanges(deformation=0.02, combine=0.0)
    weights = folder / "model.safetensors"
    sampling = small_sampling()
    generate_rare(weights, [tmp_path / "r.npz"], sampling, 2, 2, 4, changes, 0, tmp_path / "rare.npz")
    images_NHW, _ = read_generated(tmp_path / "rare.npz")
    assert images_NHW.shape == (4, 16, 16, 2)
    real = read_slices([tmp_path / "r.npz"])
    joined = with_generated(real, read_rare_set(tmp_path / "rare.npz", real))
    assert joined.channels == 2
    assert len(joined) == 10
    assert joined.batch(np.array([0, 9]))[0].shape == (2, 16, 16, 2)
