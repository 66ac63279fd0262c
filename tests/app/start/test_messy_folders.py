"""A folder as people have it gives one sentence for each thing; nothing changes, nothing is half-written."""

import shutil
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from PIL import Image

from segguided.app.start.configuration import checked
from segguided.app.start.main import main, start
from support.own_folders import dicom_folder, image_of, label_map, nifti_folder, png_folder, save_nifti

ONE_IMAGE = "    source: "
CHANNELS = "    # source: "
WRITTEN = {"mine.yaml", "mine-paper.yaml", "mine.tsv"}


def tree(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


class Try:
    """Calls the command on a folder, and checks that it changed nothing there."""

    def __init__(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = base / "data"
        self.output = base / "out"
        self.capsys = capsys

    def run(self) -> list[str]:
        """The lines of what is shown."""
        before = tree(self.data)
        try:
            start(self.data, self.output)
        finally:
            assert tree(self.data) == before
            self.shown = self.capsys.readouterr().out.splitlines()
        assert {path.name for path in self.output.iterdir()} - {"mine-slices"} == WRITTEN
        return self.shown

    def refused(self) -> str:
        """The sentence with which it ends; nothing is written."""
        with pytest.raises(ValueError) as caught:
            self.run()
        assert not self.output.exists()
        message = str(caught.value)
        assert "\n" not in message
        return message

    def sentence(self, word: str) -> str:
        """The only line that holds the word."""
        (line,) = [line for line in self.shown if word in line]
        return line

    def settings(self) -> dict:
        return yaml.safe_load((self.output / "mine.yaml").read_text())["datasets"]["mine"]

    def table(self) -> dict[str, dict[str, str]]:
        lines = (self.output / "mine.tsv").read_text().splitlines()
        assert lines[0].startswith("# ")
        rows = [dict(zip(lines[1].split("\t"), line.split("\t"), strict=True)) for line in lines[2:]]
        return {row["patient"]: row for row in rows}


@pytest.fixture
def trial(tmp_path, capsys):
    return Try(tmp_path, capsys)


def test_an_orderly_folder_gives_no_warning(trial):
    nifti_folder(trial.data, 5)
    shown = trial.run()
    assert not [line for line in shown if line.startswith("-")]
    assert shown[0] == f"{trial.data}: 5 patients with image and mask, as NIfTI"
    assert [line.split()[:4] for line in shown if line.startswith("p0")] == [["p0", "20", "18", "14"]]
    table = trial.table()
    assert table["p3"]["image"] == "p3.nii.gz" and table["p3"]["mask"] == "p3_seg.nii.gz"
    assert sorted(row["split"] for row in table.values()) == ["held-out", "test", "test", "train", "train"]
    assert trial.settings()["slices"] == {"min_foreground": 1.0e-9}, "the first slice shows no label"
    assert trial.settings()["intensity"]["kind"] == "window", "air of -1000 HU is a CT's"


def test_mixed_spacings(trial):
    folder = nifti_folder(trial.data, 3)
    folder.add("thick", spacing=(1.0, 1.0, 7.5)).add("coarse", spacing=(2.0, 2.0, 3.0))
    trial.run()
    assert "between slices runs from 3.00 to 7.50 mm" in trial.sentence("between slices")
    assert "in the slices runs from 1.00 to 2.00 mm" in trial.sentence("in the slices")


def test_gaps_in_the_labels(trial):
    nifti_folder(trial.data, 4, labels=(1, 5))
    trial.run()
    assert trial.sentence("leave numbers out").startswith(
        "- the labels (1, 5) leave numbers out: that is fine"
    )
    assert [(c["name"], c["label"]) for c in trial.settings()["classes"]] == [("label_1", 1), ("label_5", 5)]


def test_missing_masks(trial):
    nifti_folder(trial.data, 4).add("lonely", mask=False).add("solo", mask=False)
    save_nifti(trial.data / "ghost_seg.nii.gz", label_map((1,)))
    trial.run()
    sentence = trial.sentence("without a mask")
    assert sentence == "- 2 images without a mask left out: lonely.nii.gz, solo.nii.gz"
    assert trial.sentence("without an image") == "- 1 mask without an image left out: ghost_seg.nii.gz"
    assert set(trial.table()) == {"p0", "p1", "p2", "p3"}


def test_one_patient_twice_under_another_name(trial):
    nifti_folder(trial.data, 4).add("copy", seed=sum(b"p2"))
    trial.run()
    assert "patient p2 left out: its image is that of copy" in trial.sentence("left out")
    assert len(trial.table()) == 4


def test_one_patient_twice_in_two_folders(trial):
    for part, names in (("site1", "abc"), ("site2", "cdef")):
        for seed, name in enumerate(names):
            mask = label_map((1, 2))
            save_nifti(trial.data / part / f"{name}.nii.gz", image_of(mask, 10 * seed + ord(part[-1])))
            save_nifti(trial.data / part / f"{name}_mask.nii.gz", mask)
    trial.run()
    assert "patient c is there 2 times" in trial.sentence("there 2 times")
    assert trial.table()["c"]["image"] == "site1/c.nii.gz"
    assert set(trial.table()) == set("abcdef")


def test_images_and_masks_of_unequal_size(trial):
    nifti_folder(trial.data, 5)
    save_nifti(trial.data / "p1_seg.nii.gz", label_map((1, 2), (20, 18, 12)))
    trial.run()
    sentence = trial.sentence("p1 left out")
    assert "(14, 18, 20)" in sentence and "(12, 18, 20)" in sentence
    assert "p1" not in trial.table()


def test_4d_files(trial):
    nifti_folder(trial.data, 4)
    mask = label_map((1, 2))
    save_nifti(trial.data / "perfusion_seg.nii.gz", mask)
    save_nifti(trial.data / "perfusion.nii.gz", np.stack([image_of(mask, 1)] * 3, axis=-1))
    trial.run()
    assert "it is no 3-D volume, got shape (20, 18, 14, 3)" in trial.sentence("perfusion left out")
    assert set(trial.table()) == {"p0", "p1", "p2", "p3"}


def test_colour_pngs(trial):
    png_folder(trial.data, lambda p, k: (f"images/{p}_slice_{k}.png", f"masks/{p}_slice_{k}.png"))
    colours = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    Image.fromarray(colours).save(trial.data / "images/bob_slice_1.png")
    png_folder(
        trial.data,
        lambda p, k: (f"images/{p}_slice_{k}.png", f"masks/{p}_slice_{k}.png"),
        ["eve", "fay"],
    )
    trial.run()
    sentence = trial.sentence("bob left out")
    assert "expected 8-bit greyscale, got 8-bit RGB with unequal channels" in sentence
    assert "bob" not in trial.table() and "eve" in trial.table()


def test_a_folder_of_zips(trial):
    trial.data.mkdir()
    for name in ("one", "two"):
        with zipfile.ZipFile(trial.data / f"{name}.zip", "w") as file:
            file.writestr("p1.nii.gz", "x")
    message = trial.refused()
    assert "no NIfTI, DICOM or PNG file is there" in message
    assert trial.sentence("packed") == (
        "- 2 packed files not looked into (one.zip, two.zip): unpack, and run this again"
    )


@pytest.mark.parametrize(("patients", "words"), [(1, "got one patient"), (2, "got 2 patients")])
def test_too_few_patients(trial, patients, words):
    nifti_folder(trial.data, patients)
    message = trial.refused()
    assert words in message and "add patients" in message
    assert trial.sentence("with image and mask").startswith(str(trial.data))


def test_twelve_classes(trial):
    nifti_folder(trial.data, 4, labels=range(1, 13))
    trial.run()
    classes = trial.settings()["classes"]
    assert [c["name"] for c in classes] == [f"label_{k}" for k in range(1, 13)]
    assert len({c["color"] for c in classes}) == 12


def test_a_class_that_one_patient_has(trial):
    nifti_folder(trial.data, 4).add("odd", (1, 2, 7))
    trial.run()
    assert "label_7 (label 7) is in odd alone" in trial.sentence("label_7 (")
    missing = [line for line in trial.shown if "patient has label 7" in line]
    assert len(missing) == 2, "two of three splits lack it"


def test_an_empty_folder(trial):
    trial.data.mkdir()
    assert trial.refused().startswith(f"{trial.data}: nothing is there")


def test_a_missing_folder(trial):
    with pytest.raises(ValueError, match="there is none; correct its name"):
        start(trial.data, trial.output)


def test_a_file_in_place_of_the_folder(trial):
    trial.data.write_text("")
    with pytest.raises(ValueError, match="got a file; name the folder"):
        start(trial.data, trial.output)


def test_unreadable_files(trial):
    nifti_folder(trial.data, 6)
    (trial.data / "p0.nii.gz").write_bytes(b"nonsense")
    whole = (trial.data / "p1_seg.nii.gz").read_bytes()
    (trial.data / "p1_seg.nii.gz").write_bytes(whole[: len(whole) // 2])
    trial.run()
    assert str(trial.data / "p0.nii.gz") in trial.sentence("p0 left out")
    assert str(trial.data / "p1_seg.nii.gz") in trial.sentence("p1 left out")
    assert set(trial.table()) == {"p2", "p3", "p4", "p5"}


def test_images_of_one_value_and_empty_masks(trial):
    nifti_folder(trial.data, 6)
    save_nifti(trial.data / "p0.nii.gz", np.full((20, 18, 14), 7, np.int16))
    save_nifti(trial.data / "p1_seg.nii.gz", np.zeros((20, 18, 14), np.uint8))
    trial.run()
    assert "all voxels of its image are 7" in trial.sentence("p0 left out")
    assert "no voxel of its mask is labelled" in trial.sentence("p1 left out")


def test_an_image_in_place_of_a_mask(trial):
    nifti_folder(trial.data, 4)
    values = np.arange(20 * 18 * 14, dtype=np.uint16).reshape(20, 18, 14)
    save_nifti(trial.data / "extra_seg.nii.gz", values)
    save_nifti(trial.data / "extra.nii.gz", values.astype(np.int16))
    trial.run()
    assert "is it an image instead of a label map?" in trial.sentence("extra left out")


def test_a_label_that_is_the_background(trial):
    nifti_folder(trial.data, 4)
    mask = label_map((1, 2))
    mask[mask == 0] = 9
    save_nifti(trial.data / "p3_seg.nii.gz", mask)
    trial.run()
    assert "of p3: is it the background?" in trial.sentence("background?")


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_output_that_exists(trial, name):
    nifti_folder(trial.data, 4)
    trial.output.mkdir()
    (trial.output / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name}: exists already, and nothing is overwritten"):
        start(trial.data, trial.output)
    assert [(path.name, path.read_text()) for path in trial.output.iterdir()] == [(name, "mine")]


def test_output_in_the_folder_of_the_data(trial):
    nifti_folder(trial.data, 4)
    before = tree(trial.data)
    for output in (trial.data, trial.data / "new"):
        with pytest.raises(ValueError, match="in which nothing is changed; name another with --output"):
            start(trial.data, output)
    assert tree(trial.data) == before and not (trial.data / "new").exists()


def test_names_that_no_patient_can_have(trial):
    nifti_folder(trial.data, 3)
    mask = label_map((1, 2))
    for seed, name in enumerate(("Jörg M. #3", "-x", "a b")):
        save_nifti(trial.data / f"{name}.nii.gz", image_of(mask, seed))
        save_nifti(trial.data / f"{name}_seg.nii.gz", mask)
    trial.run()
    assert set(trial.table()) == {"p0", "p1", "p2", "Jörg_M._3", "x", "a_b"}


def test_files_that_nothing_reads(trial):
    nifti_folder(trial.data, 4)
    for name in ("a.mha", "b.mha", "c.jpg"):
        (trial.data / name).write_bytes(b"x")
    trial.run()
    assert "files that the pipeline does not read: 1 .jpg, 2 .mha" in trial.sentence("does not read")


def test_a_disk_that_is_full_leaves_nothing(trial, monkeypatch):
    nifti_folder(trial.data, 4)
    written = []

    def fails_at_the_second(path, text):
        if written:
            raise OSError(28, "no room")
        written.append(path)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr("segguided.app.start.writing.write_text", fails_at_the_second)
    with pytest.raises(OSError, match="no room"):
        start(trial.data, trial.output)
    assert written and not list(trial.output.iterdir())


def test_the_same_folder_gives_the_same_files(trial, tmp_path):
    nifti_folder(trial.data, 8)
    trial.run()
    first = tree(trial.output)
    shutil.rmtree(trial.output)
    trial.run()
    assert {path: entry[0] for path, entry in tree(trial.output).items()} == {
        p: e[0] for p, e in first.items()
    }


def test_a_header_without_a_position_is_marked(trial):
    nifti_folder(trial.data, 4)
    mask = label_map((1, 2))
    for name, array in (("q", image_of(mask, 99)), ("q_seg", mask)):
        nib.save(nib.Nifti1Image(array, np.eye(4)), trial.data / f"{name}.nii.gz")
    trial.run()
    assert trial.sentence("the header of").startswith("- the header of q states no position")


def test_the_command_ends_in_one_line_and_a_nonzero_code(trial, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(trial.data), "--output", str(trial.output)])
    assert str(caught.value.code).startswith(f"error: {trial.data}: expected a folder")
    assert "\n" not in str(caught.value.code)


def test_dicom_folders_without_masks(trial):
    dicom_folder(trial.data)
    for path in trial.data.rglob("*.nrrd"):
        path.unlink()
    assert "none is an image with a mask" in trial.refused()
    assert trial.sentence("no masks").startswith(
        "- the DICOM folders have no masks: expected .seg.nrrd, DICOM-SEG or RTSTRUCT files in a folder"
    )


def test_dicom_folders_of_which_some_cannot_be_used(trial):
    dicom_folder(trial.data, 7)
    next((trial.data / "mr1").glob("*.seg.nrrd")).unlink()
    series = sorted((trial.data / "mr2").glob("*.dcm"))
    series[3].write_bytes(series[3].read_bytes()[:700])
    (trial.data / "deeper").mkdir()
    (trial.data / "mr3").rename(trial.data / "deeper" / "mr3")
    trial.run()
    assert trial.sentence("without masks") == "- 1 patient without masks that can be used left out: mr1"
    assert str(series[3]) in trial.sentence("mr2 left out")
    assert "1 folder of DICOM files left out" in trial.sentence("not beside the others")
    assert set(trial.table()) == {"mr0", "mr4", "mr5", "mr6"}
    classes = trial.settings()["classes"]
    assert [(c["name"], c["segment"], c["file"]) for c in classes] == [
        (name, name, "seg_{patient}.seg.nrrd") for name in ("breast", "FGT")
    ]


def test_names_of_segments_that_are_no_names_of_classes(trial):
    dicom_folder(trial.data)
    for path in trial.data.rglob("*.seg.nrrd"):
        content = path.read_bytes()
        assert content.count(b":=FGT") == 1
        path.write_bytes(content.replace(b":=FGT", b":=Fibroglandular Tissue, 50 %"))
    trial.run()
    assert trial.settings()["classes"][1] == {
        "name": "Fibroglandular_Tissue_50",
        "title": "Fibroglandular Tissue, 50 %",
        "file": "seg_{patient}.seg.nrrd",
        "segment": "Fibroglandular Tissue, 50 %",
        "color": "deepskyblue",
    }


def test_of_two_kinds_the_one_with_more_patients_is_used(trial):
    nifti_folder(trial.data / "volumes", 5)
    png_folder(trial.data / "slices", lambda p, k: (f"images/{p}_slice_{k}.png", f"masks/{p}_slice_{k}.png"))
    trial.run()
    assert "as NIfTI" in trial.shown[0]
    assert "the folder also holds 4 patients as PNG, not used" in trial.sentence("also holds")


def test_a_ct_among_other_volumes_is_told_of(trial):
    nifti_folder(trial.data, 4)
    mask = label_map((1, 2))
    save_nifti(trial.data / "mr_seg.nii.gz", mask)
    save_nifti(trial.data / "mr.nii.gz", image_of(mask, 3) + 1100)
    trial.run()
    assert "look like CT (HU) and those of the others do not" in trial.sentence("look like CT")
    assert trial.settings()["intensity"]["kind"] == "percentile"


def test_names_and_modality_of_a_dataset_json(trial):
    nifti_folder(trial.data, 4)
    text = '{"channel_names": {"0": "MRI"}, "labels": {"background": 0, "tumour core": 1, "all": 2}}'
    (trial.data / "dataset.json").write_text(text)
    trial.run()
    classes = trial.settings()["classes"]
    assert [(c["name"], c.get("title")) for c in classes] == [
        ("tumour_core", "tumour core"), ("all_class", None)
    ]  # fmt: skip
    assert trial.settings()["intensity"]["kind"] == "percentile", "an MRI, whatever its values"


def test_several_images_of_each_patient_are_proposed_as_channels(trial):
    for number in range(4):
        mask_xyz = label_map((1, 2))
        for channel in (0, 1):
            image_xyz = image_of(mask_xyz, 10 * number + channel)
            save_nifti(trial.data / f"imagesTr/p{number}_{channel:04}.nii.gz", image_xyz)
        save_nifti(trial.data / f"labelsTr/p{number}.nii.gz", mask_xyz)
    trial.run()
    assert "channel_0000, channel_0001: a line in mine.yaml" in trial.sentence("channels of one image")
    for file in ("mine.yaml", "mine-paper.yaml"):
        lines = (trial.output / file).read_text().splitlines()
        (proposal,) = [line for line in lines if line.startswith(CHANNELS)]
        taken = [
            proposal.replace(CHANNELS, ONE_IMAGE) if line.startswith(ONE_IMAGE) else line for line in lines
        ]
        source = checked("\n".join(taken)).datasets["mine"].source
        assert [channel.name for channel in source.channels] == ["channel_0000", "channel_0001"]
        files = source.raw_files(trial.table()["p2"], "mine")
        assert [Path(path).relative_to(trial.data).as_posix() for path in files] == [
            "imagesTr/p2_0000.nii.gz",
            "imagesTr/p2_0001.nii.gz",
            "labelsTr/p2.nii.gz",
        ]
    assert "channels" not in trial.settings()["source"]


def test_one_image_of_each_patient_is_no_channel(trial):
    nifti_folder(trial.data)
    trial.run()
    assert CHANNELS not in (trial.output / "mine.yaml").read_text()
