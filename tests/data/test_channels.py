"""Images of several channels: each channel's slices are those of a dataset of that channel alone."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from prepare_patient import prepare_patient
from segguided.config.datasets import Preparation
from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.nifti import NiftiSource
from segguided.data.preparations import preparation_digest
from segguided.data.slices import read_slices, read_stack, write_stack
from segguided.planning.watched_files import files_in_folders
from write_phantom import write_phantom

ROW = {"patient": "p"}
SEGMENTS = [{"name": "breast", "file": "Segmentation_{patient}_Breast.seg.nrrd", "segment": "Breast"}]
T1 = {"kind": "window", "low": 0, "high": 500}
T2 = {"kind": "window", "low": -100, "high": 1000}


def preparation(source, classes=({"name": "a", "label": 1},), **changes):
    values = {"source": source, "classes": classes, "image_size": 16, "intensity": T1, **changes}
    return Preparation.model_validate(values)


def nifti(*channels, **changes):
    return preparation({"kind": "nifti", "folder": "f", "channels": list(channels)}, **changes)


def volumes():
    rng = np.random.default_rng(0)
    return rng.integers(0, 600, (12, 10, 4), np.int16), rng.integers(-50, 900, (12, 10, 4), np.int16)


def save(path, array, affine=None):
    image = nib.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, 1)
    nib.save(image, path)
    return path


@pytest.fixture
def files(tmp_path):
    """T1, T2, both in one file, and the label map."""
    t1, t2 = volumes()
    mask = np.zeros((12, 10, 4), np.uint8)
    mask[3:9, 2:7] = 1
    arrays = {"t1": t1, "t2": t2, "both": np.stack([t1, t2], axis=-1), "mask": mask}
    return {name: save(tmp_path / f"{name}.nii.gz", array) for name, array in arrays.items()}


def sliced(made, raw, folder, patient="p"):
    prepare_patient(ROW, made, raw, folder / f"{patient}.npz")
    return read_stack(folder / f"{patient}.npz")


TWO = ({"name": "T1"}, {"name": "T2", "intensity": T2})


def test_two_files_and_one_4d_file_give_the_channels_of_two_datasets(files, tmp_path):
    alone = [
        sliced(nifti(intensity=intensity), [files[name], files["mask"]], tmp_path / name)
        for name, intensity in (("t1", T1), ("t2", T2))
    ]
    expected = np.stack([stack.images_SHW for stack in alone], axis=-1)
    assert np.any(expected[..., 0] != expected[..., 1])
    for raw in ([files["t1"], files["t2"], files["mask"]], [files["both"], files["mask"]]):
        stack = sliced(nifti(*TWO), raw, tmp_path / f"{len(raw)}")
        np.testing.assert_array_equal(stack.images_SHW, expected)
        np.testing.assert_array_equal(stack.masks_SHW, alone[0].masks_SHW)
        assert [channel["raw_value_of_255"] for channel in stack.provenance["channels"]] == [500, 1000]
        assert read_slices([tmp_path / f"{len(raw)}/p.npz"]).channels == 2


def test_a_list_of_one_channel_gives_the_bytes_of_none(files, tmp_path):
    raw = [files["t1"], files["mask"]]
    sliced(nifti({"name": "T1"}), raw, tmp_path / "listed")
    sliced(nifti(), raw, tmp_path / "plain")
    listed, plain = (read_stack(tmp_path / name / "p.npz") for name in ("listed", "plain"))
    np.testing.assert_array_equal(listed.images_SHW, plain.images_SHW)
    assert "channels" not in plain.provenance


def test_without_channels_digest_and_json_are_those_of_earlier_versions():
    made = nifti()
    assert preparation_digest(made) == "b9b9e3e9e759ea11"
    assert "channels" not in json.loads(made.to_json())["source"]


def test_a_channels_intensity_decides_the_preparation_and_its_name_does_not():
    renamed = nifti({"name": "a"}, {"name": "b", "intensity": T2})
    assert preparation_digest(renamed) == preparation_digest(nifti(*TWO))
    others = [nifti({"name": "T1"}, {"name": "T2"}), nifti(TWO[1], TWO[0]), nifti()]
    assert len({preparation_digest(made) for made in [renamed, *others]}) == 4
    source = renamed.source
    assert source.for_slicing()["channels"] == nifti(*TWO).source.for_slicing()["channels"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("shape", r"^p, channel 2: the image has shape \(4, 9, 12\) .* and the mask \(4, 10, 12\)"),
        ("affine", r"^p, channel 2: image and mask are on different grids \(corners up to 5\.00 mm apart\)"),
        ("missing", r"t2\.nii\.gz.*there is none"),
    ],
)
def test_channel_files_that_do_not_belong_together_are_refused(files, tmp_path, change, sentence):
    _, t2 = volumes()
    if change == "shape":
        save(files["t2"], t2[:, :9])
    elif change == "affine":
        affine = np.diag([2.0, 2.0, 3.0, 1.0])
        affine[0, 3] = 5
        save(files["t2"], t2, affine)
    else:
        files["t2"].unlink()
    with pytest.raises(ValueError, match=sentence):
        sliced(nifti(*TWO), [files["t1"], files["t2"], files["mask"]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_4d_file_of_another_number_of_volumes_is_refused(files, tmp_path):
    sentence = r"both\.nii\.gz: .*it does not hold 3 volumes, one for each of the channels, got shape "
    with pytest.raises(ValueError, match=sentence):
        sliced(nifti(*TWO, {"name": "T3"}), [files["both"], files["mask"]], tmp_path)
    with pytest.raises(ValueError, match=r"it is no 3-D volume, got shape \(12, 10, 4, 2\)"):
        sliced(nifti(), [files["both"], files["mask"]], tmp_path)


def test_files_are_named_by_any_column_of_the_table(tmp_path):
    channels = [{"name": "T1", "image": "{patient}/{t1}"}, {"name": "T2", "image": "{patient}/t2.nii"}]
    source = NiftiSource(kind="nifti", folder="data", channels=channels)
    assert source.columns == {"patient", "t1"}
    row = {"patient": "p", "t1": "first.nii"}
    assert source.raw_files(row, "d") == ["data/p/first.nii", "data/p/t2.nii", "data/p_mask.nii.gz"]
    series = [{"name": "T1", "series": "{patient}/{t1}"}, {"name": "T2", "series": "{patient}/b"}]
    dicom = DicomSource(kind="dicom", images=str(tmp_path / "i"), masks=str(tmp_path / "m"), channels=series)
    for path in ("i/p/a/1.dcm", "i/p/b/1.dcm", "m/p/s.nrrd"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    watched = files_in_folders(dicom, "p", ["s.nrrd"], {"patient": "p", "t1": "a"})
    assert watched == [str(tmp_path / path) for path in ("i/p/a/1.dcm", "i/p/b/1.dcm", "m/p/s.nrrd")]
    assert files_in_folders(dicom, "p", ["s.nrrd"], {"patient": "p", "t1": "none"}) is None


@pytest.mark.parametrize(
    ("channels", "sentence"),
    [
        ([{"name": f"c{n}"} for n in range(5)], "expected one to 4 channels, got 5"),
        ([{"name": "T1"}, {"name": "T1"}], "channel names must differ, but T1 appears twice"),
        ([{"name": "T1", "image": "{patient}.nii"}, {"name": "T2"}], "T2 names no `image`, but others do"),
        ([{"name": "T1", "image": "t1.nii"}], "'t1.nii' names one file for all patients"),
        ([{"name": "T1", "image": "../{patient}.nii"}], "leads out of its folder"),
    ],
)
def test_a_list_of_channels_that_makes_no_sense_is_refused(channels, sentence):
    with pytest.raises(ValueError, match=sentence):
        nifti(*channels)


@pytest.mark.parametrize(("mode", "count"), [("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_the_channels_of_a_colour_png_are_kept(tmp_path, mode, count):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, count)).astype(np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[4:9, 4:9] = 1
    for kind, array in (("images", pixels), ("masks", mask)):
        (tmp_path / kind / "train").mkdir(parents=True)
        Image.fromarray(array).save(tmp_path / kind / "train/p_slice_3.png")
    assert Image.open(tmp_path / "images/train/p_slice_3.png").mode == mode
    made = preparation(
        {"kind": "png", "images": "i", "masks": "m", "channels": [{"name": f"c{n}"} for n in range(count)]},
        intensity={"kind": "as-is"},
    )
    stack = sliced(made, [tmp_path / "images", tmp_path / "masks"], tmp_path / "out")
    np.testing.assert_array_equal(stack.images_SHW, pixels[None])
    assert stack.names == ["p_slice_3"]
    Image.fromarray(pixels[..., 0]).save(tmp_path / "images/train/p_slice_3.png")
    with pytest.raises(
        ValueError, match=rf"of {count} channels, got 8-bit greyscale; save it so, or correct"
    ):
        sliced(made, [tmp_path / "images", tmp_path / "masks"], tmp_path / "again")


CONTRASTS = [{"name": "T1", "contrast": "t1-fat-suppressed"}, {"name": "T2", "contrast": "t2"}]


def test_two_contrasts_of_a_phantom_are_two_series_of_one_anatomy(tmp_path):
    made = preparation(
        {"kind": "phantom", "size": 32, "slices": 4, "channels": CONTRASTS},
        SEGMENTS,
        intensity={"kind": "percentile", "low": 1, "high": 99},
    )
    receipt = tmp_path / "raw/receipts/p.json"
    write_phantom("p", made.source, receipt)
    stack = sliced(made, [receipt], tmp_path / "out")
    assert stack.images_SHW.shape == (4, 16, 16, 2)
    in_breast = stack.images_SHW[stack.masks_SHW == 1].astype(float)
    assert np.corrcoef(in_breast.T)[0, 1] < 0.9, "fat is dark in one, and bright in the other"
    uids = [channel["image"]["series_uid"] for channel in stack.provenance["channels"]]
    assert len(set(uids)) == 2
    again = tmp_path / "again/receipts/p.json"
    write_phantom("p", made.source, again)
    assert again.read_text() == receipt.read_text()
    (tmp_path / "raw/images/p/2/extra.dcm").touch()
    with pytest.raises(ValueError, match=r"extra\.dcm is not what .* says"):
        sliced(made, [receipt], tmp_path / "third")
    shutil.rmtree(tmp_path / "raw/images/p/2")
    with pytest.raises(ValueError, match="is not what"):
        sliced(made, [receipt], tmp_path / "fourth")


def test_slice_files_of_other_numbers_of_channels_are_refused_beside_one_another(files, tmp_path):
    one = sliced(nifti(), [files["t1"], files["mask"]], tmp_path, "one")
    sliced(nifti(*TWO), [files["t1"], files["t2"], files["mask"]], tmp_path, "two")
    with pytest.raises(ValueError, match="different sizes"):
        read_slices([tmp_path / "one.npz", tmp_path / "two.npz"])
    five = type(one)(
        "five", np.zeros((4, 8, 8, 5), np.uint8), np.zeros((4, 8, 8), np.uint8), np.arange(4.0), {}
    )
    write_stack(tmp_path / "five.npz", five)
    with pytest.raises(ValueError, match=r"expected uint8 images and masks \(S, H, W\)"):
        read_stack(tmp_path / "five.npz")
