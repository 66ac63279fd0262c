"""Names of labels come from the files that data sets bring with them."""

import json

import pytest

from segguided.app.start.class_names import find_names, named, safe_class, stated_modality
from segguided.config.classes import AnatomyClass


def written(folder, name, text):
    path = folder / name
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset.json", {"labels": {"background": 0, "liver": 1, "left kidney": 4}}),
        ("dataset.json", {"labels": {"0": "background", "1": "liver", "4": "left kidney"}}),
        ("labels.txt", "0 background\n1 liver\n4 left kidney\n"),
        ("labels.tsv", "index\tname\tcolor\n1\tliver\tred\n4\tleft kidney\tblue\n"),
        ("site_labels.csv", "name,value\nliver,1\nleft kidney,4\n"),
        ("labels.csv", '"value","name"\n"1","liver"\n"4","left kidney"\n'),
        (
            "labels.txt",
            '# ITK-SnAP\n    0     0    0    0        0  0  0    "Clear Label"\n'
            '    1   255    0    0        1  1  1    "liver"\n'
            '    4     0  255    0        1  1  1    "left kidney"\n',
        ),
        ("lut.ctbl", "# Color\n1 liver 221 130 101 255\n4 left_kidney 0 0 255 255\n"),
    ],
)
def test_the_name_of_each_label(tmp_path, name, text):
    path = written(tmp_path, name, text)
    names, origin = find_names([path])
    title = {} if "left_kidney" in path.read_text() else {"title": "left kidney"}
    assert names == {1: {"name": "liver"}, 4: {"name": "left_kidney"} | title}
    assert origin == path


def test_regions_of_several_labels_name_no_class(tmp_path):
    path = written(tmp_path, "dataset.json", {"labels": {"background": 0, "whole": [1, 2], "core": 2}})
    assert find_names([path])[0] == {2: {"name": "core"}}


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"labels": 3}', '{"labels": {}}'])
def test_a_file_without_names_is_passed_over(tmp_path, text):
    other = written(tmp_path, "labels.txt", "1 liver\n")
    assert find_names([written(tmp_path, "dataset.json", text), other]) == ({1: {"name": "liver"}}, other)


def test_other_texts_are_no_names(tmp_path):
    assert find_names([written(tmp_path, "readme.txt", "1 liver\n")]) == ({}, None)


def test_names_that_the_configuration_refuses_are_changed(tmp_path):
    labels = {"all": 1, "a/b": 2, "a b": 3, "…": 4}
    assert find_names([written(tmp_path, "dataset.json", {"labels": labels})])[0] == {
        1: {"name": "all_class"},  # `all` would have another meaning in figures as a title, too
        2: {"name": "a_b", "title": "a/b"},
        3: {"name": "a_b_3", "title": "a b"},
    }
    assert safe_class("macro") == "macro_class"


def test_what_the_file_says_stays_as_the_title():
    texts = {
        1: "Fibroglandular  Tissue",
        2: "Leber, rechts",
        3: "肝",
        4: "liver",
        5: "liver",
        6: "Liver (left)" * 9,
        7: "m\x1bk",
        8: "bone <!-- all",
    }
    assert named(texts) == {
        1: {"name": "Fibroglandular_Tissue", "title": "Fibroglandular Tissue"},
        2: {"name": "Leber_rechts", "title": "Leber, rechts"},
        3: {"name": "肝"},
        4: {"name": "liver"},
        5: {"name": "liver_5"},  # two classes may not have one title
        6: {"name": safe_class(texts[6])},
        7: {"name": "m_k"},
        8: {"name": "bone_--_all"},  # markup in the report
    }
    for fields in named(texts).values():
        assert AnatomyClass.model_validate(fields).name == fields["name"]


@pytest.mark.parametrize(
    ("content", "modality"),
    [
        ({"channel_names": {"0": "CT"}}, "CT"),
        ({"modality": {"0": "MRI"}}, "MRI"),
        ({"modality": {}}, ""),
        ({}, ""),
    ],
)
def test_the_modality_of_a_data_set(tmp_path, content, modality):
    assert stated_modality([written(tmp_path, "dataset.json", content)]) == modality
