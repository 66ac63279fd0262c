"""The page as text: escaped, whole, without a network. What a browser makes of it: test_status_page.py."""

import re
from html.parser import HTMLParser

import pytest

from segguided.status.curve import HEIGHT, WIDTH, svg
from segguided.status.page import page
from support.status_scenes import SCENES, World, recorded, scene, trainer, view

VOID = {"meta", "link", "br"}


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_is_a_whole_page_that_needs_nothing_else(tmp_path, name):
    text = page(scene(name, tmp_path / name), 5)
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    assert text.startswith("<!doctype html>")
    assert not re.search(r"https?://|<script src|@import|url\(", text)


def test_it_reloads_only_while_it_is_rewritten(tmp_path):
    shown = scene("running", tmp_path / "a")
    assert '<meta http-equiv="refresh" content="7">' in page(shown, 7.2)
    assert '<meta http-equiv="refresh" content="2">' in page(shown, 0.1)
    assert "refresh" not in page(shown, None)


def test_all_text_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>&\"'"
    run = recorded("failed", tmp_path)
    run.command = [evil]
    run.host = run.fatal = evil
    for job in run.jobs.values():
        job.rule = evil
        job.message = evil
        job.wildcards = {"patient": evil}
        for failure in job.failures:
            failure.logs[job.logs[0]] = f"error: {evil}"
    text = page(view(run, tmp_path, World(trouble=evil)), 5)
    assert evil not in text
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in text


def test_a_row_that_runs_has_its_bar_and_its_curve(tmp_path):
    text = page(scene("running", tmp_path / "a"), 5)
    assert 'style="width:25.00%"' in text
    assert "<title>loss 1.22 at step 37, 0.156 at step 1500</title>" in text


def test_many_rows_are_cut_and_counted(tmp_path):
    run = recorded("killed", tmp_path)
    job = run.jobs["0"]
    for i in range(100, 200):
        run.jobs[str(i)] = type(job)(**{**vars(job), "id": str(i)})
    text = page(view(run, tmp_path, World(True, (trainer(1, "segguided"),))), 5)
    assert text.count('<article class="job') == 60
    assert "and 41 more" in text


def test_a_curve_stays_within_its_frame():
    markup = svg([(1, 3.0), (2, 0.001), (5, 1e-9), (9, 2.0)])
    for x, y in re.findall(r"([\d.]+),([\d.]+)", markup):
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT
    assert svg([(1, 1.0), (2, 1.0)])
    assert not svg([(1, 1.0)])
    assert svg([(1, -1.0), (2, 100.0)])
