"""The first run's networks are the demo's, and both files are what the pipeline accepts."""

from pathlib import Path

import pytest
import yaml

from segguided.app.start.configuration import ROOT
from segguided.app.start.small_settings import PAPER, SMALL


@pytest.fixture
def demo():
    return yaml.safe_load((ROOT / "workflow/demo.yaml").read_text())


def test_the_small_settings_are_the_demos(demo):
    small = yaml.safe_load(SMALL.format(paper="mine-paper.yaml"))
    for name in ("segguided-plus", "spade"):
        assert small["models"][name] == demo["models"][name], name
    for of_its_datasets in ("translations", "counterfactuals"):
        demo["applications"].pop(of_its_datasets)
    for section in ("segmenter", "sampling", "diversity", "partial_masks", "similarity", "applications"):
        assert small[section] == demo[section], section


def test_the_paper_settings_change_no_network():
    assert yaml.safe_load(PAPER).keys() == {"partial_masks", "similarity", "applications"}


def test_the_root_is_that_of_the_repository():
    assert (ROOT / "workflow/Snakefile").is_file() and Path(__file__).resolve().parents[3] == ROOT
