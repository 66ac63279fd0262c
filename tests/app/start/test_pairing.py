"""Images find their masks by the names that people give them."""

from pathlib import Path

import pytest

from segguided.app.start.candidates import named_patients, safe_name
from segguided.app.start.folder_files import NIFTI
from segguided.app.start.pairing import pair

ROOT = Path("/data")


def no_content(path):
    raise AssertionError(f"the names alone should say what {path} is")


def patients(*names, count_labels=no_content):
    """Image and mask by patient, and the remarks."""
    paths = [ROOT / f"{name}.nii.gz" for name in sorted(names)]
    found = pair(paths, ROOT, NIFTI, count_labels)
    remarks = found.remarks
    named = named_patients(found.pairs, remarks)

    def short(path):
        return path.relative_to(ROOT).as_posix().removesuffix(".nii.gz")

    return {name: (short(p.image), short(p.mask)) for name, _, p in named}, remarks


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["p1", "p1_seg", "p2", "p2_seg"], {"p1": ("p1", "p1_seg"), "p2": ("p2", "p2_seg")}),
        (["p1-label", "p1", "p2-Mask", "p2"], {"p1": ("p1", "p1-label"), "p2": ("p2", "p2-Mask")}),
        (
            ["volume-0", "labels-0", "volume-10", "labels-10"],
            {"0": ("volume-0", "labels-0"), "10": ("volume-10", "labels-10")},
        ),
        (
            ["img/img0001", "label/label0001", "img/img0002", "label/label0002"],
            {"0001": ("img/img0001", "label/label0001"), "0002": ("img/img0002", "label/label0002")},
        ),
        (
            ["imagesTr/a_01", "labelsTr/a_01", "imagesTr/a_02", "labelsTr/a_02"],
            {"a_01": ("imagesTr/a_01", "labelsTr/a_01"), "a_02": ("imagesTr/a_02", "labelsTr/a_02")},
        ),
        (
            ["imagesTr/a_01_0000", "labelsTr/a_01", "imagesTr/a_02_0000", "labelsTr/a_02"],
            {
                "a_01": ("imagesTr/a_01_0000", "labelsTr/a_01"),
                "a_02": ("imagesTr/a_02_0000", "labelsTr/a_02"),
            },
        ),
        (
            ["Task9/x/image", "Task9/x/mask", "Task9/y/image", "Task9/y/mask"],
            {"x": ("Task9/x/image", "Task9/x/mask"), "y": ("Task9/y/image", "Task9/y/mask")},
        ),
        (
            ["s1/ct", "s1/segmentation", "s2/ct", "s2/segmentation"],
            {"s1": ("s1/ct", "s1/segmentation"), "s2": ("s2/ct", "s2/segmentation")},
        ),
        (
            ["x/x_ct", "x/x_ct_seg", "y/y_ct", "y/y_ct_seg"],
            {"x": ("x/x_ct", "x/x_ct_seg"), "y": ("y/y_ct", "y/y_ct_seg")},
        ),
        (
            ["sub-1/sub-1_T1w", "made/sub-1/sub-1_dseg", "sub-2/sub-2_T1w", "made/sub-2/sub-2_dseg"],
            {
                "sub-1": ("sub-1/sub-1_T1w", "made/sub-1/sub-1_dseg"),
                "sub-2": ("sub-2/sub-2_T1w", "made/sub-2/sub-2_dseg"),
            },
        ),
        (
            ["images/seg_01", "masks/seg_01", "images/seg_02", "masks/seg_02"],
            {"01": ("images/seg_01", "masks/seg_01"), "02": ("images/seg_02", "masks/seg_02")},
        ),
    ],
)
def test_names_that_people_use(names, expected):
    found, remarks = patients(*names)
    if "images/seg_01" in names:  # there the whole name is the patient's
        expected = {f"seg_{name}": files for name, files in expected.items()}
    assert found == expected
    assert not remarks


@pytest.mark.parametrize(
    "names",
    [
        ["A/p1", "A/p2", "A/p3", "B_liver/p1", "B_liver/p2", "B_liver/p3"],
        ["p1/a", "p1/b_liver", "p2/a", "p2/b_liver", "p3/a", "p3/b_liver"],
    ],
)
def test_names_that_say_nothing_are_told_apart_by_the_content_of_few_files(names):
    asked = []

    def count_labels(path):
        asked.append(path)
        return 3 if "liver" in str(path) else None

    found, remarks = patients(*names, count_labels=count_labels)
    assert set(found) == {"p1", "p2", "p3"} and len(asked) <= 4
    assert all("liver" not in image and "liver" in mask for image, mask in found.values())
    assert remarks[0].startswith("by their content, ")


def test_two_folders_of_images_are_no_pairs():
    for values in (None, 200):
        found, _ = patients("A/p1", "A/p2", "B/p1", "B/p2", count_labels=lambda path, n=values: n)
        assert found == {}


def test_of_several_images_of_a_patient_one_is_used_for_all():
    names = [f"B{k}/B{k}_{part}" for k in range(3) for part in ("flair", "t1", "t2", "seg")]
    found, remarks = patients(*names)
    assert found["B1"] == ("B1/B1_flair", "B1/B1_seg")
    assert len(remarks) == 1 and "one is used: flair" in remarks[0]


def channels(*names):
    """By patient, the names of its channels and of their files."""
    paths = [ROOT / f"{name}.nii.gz" for name in sorted(names)]
    pairs = pair(paths, ROOT, NIFTI, no_content).pairs
    return {
        pair.mask.name.partition(".")[0]: {
            name: path.name.partition(".")[0] for name, path in pair.channels.items()
        }
        for pair in pairs
    }


def test_the_same_images_of_each_patient_are_channels():
    nnunet = [f"{folder}Tr/p{k}{end}" for k in range(2) for folder, end in
              (("images", "_0000"), ("images", "_0001"), ("labels", ""))]  # fmt: skip
    assert channels(*nnunet)["p1"] == {"channel_0000": "p1_0000", "channel_0001": "p1_0001"}
    modalities = [f"s{k}/s{k}_{part}" for k in range(3) for part in ("t2", "t1", "seg")]
    assert channels(*modalities)["s2_seg"] == {"t1": "s2_t1", "t2": "s2_t2"}


@pytest.mark.parametrize(
    "images",
    [
        (("t1",), ("t1",)),  # one each
        (("t1", "t2"), ("t1",)),  # a patient lacks one
        (("t1", "t2"), ("t1", "flair")),
        (("t1", "t2", "flair", "adc", "dwi"),) * 2,  # more than an image can have
    ],
)
def test_other_images_are_no_channels(images):
    names = [f"s{k}/s{k}_{part}" for k, parts in enumerate(images) for part in (*parts, "seg")]
    assert set(map(len, channels(*names).values())) == {0}


@pytest.mark.parametrize(
    "masks", [("mask", "label"), ("segmentations/liver", "segmentations/spleen", "segmentations/aorta")]
)
def test_a_mask_for_each_class_is_left_out_with_advice(masks):
    found, (remark,) = patients(*(f"s{k}/{part}" for k in range(3) for part in ("ct", *masks)))
    assert found == {}
    assert remark.startswith("3 images with several masks each left out, such as s0/")
    assert remark.endswith("expected one label map for each image, with a value for each class; merge them")


def test_images_for_a_test_without_masks_are_counted():
    found, remarks = patients("imagesTr/a", "labelsTr/a", "imagesTs/b", "imagesTs/c")
    assert set(found) == {"a"}
    assert remarks == ["2 images without a mask left out: imagesTs/b.nii.gz, imagesTs/c.nii.gz"]


def test_a_patient_with_two_scans_in_its_folder_counts_once():
    found, remarks = patients("a/x", "a/x_seg", "b/y", "b/y_seg", "c/z1", "c/z1_seg", "c/z2", "c/z2_seg")
    assert [image for image, _ in found.values()] == ["a/x", "b/y", "c/z1"]
    assert len(remarks) == 1 and "patient c is there 2 times" in remarks[0]


@pytest.mark.parametrize(("name", "safe"), [("a b", "a_b"), ("-x", "x"), ("…", "_"), ("+", "patient")])
def test_a_patients_name_is_a_file_name(name, safe):
    assert safe_name(name) == safe


def test_a_long_name_is_cut_within_no_letter():
    assert len(safe_name("ä" * 200).encode()) == 180


def test_folders_of_splits_say_who_trains_and_are_no_patients():
    names = [f"train/p{k}{end}" for k in range(6) for end in ("", "_seg")]
    names += ["val/p6", "val/p6_seg", "test/p7", "test/p7_seg"]
    paths = [ROOT / f"{name}.nii.gz" for name in names]
    found = named_patients(pair(paths, ROOT, NIFTI, no_content).pairs, remarks := [])
    assert {name: split for name, split, _ in found} == {
        **{f"p{k}": "train" for k in range(6)},
        "p6": "held-out",
        "p7": "test",
    }
    assert not remarks


def test_folders_of_sites_are_no_patients():
    names = [f"{site}/p{site}{k}" for site, count in (("A", 6), ("B", 1), ("C", 1)) for k in range(count)]
    found, remarks = patients(*names, *(f"{name}_seg" for name in names))
    assert len(found) == 8 and not remarks
