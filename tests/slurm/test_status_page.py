"""What a person sees of the status page in a real browser, headless Chromium, in each state of a run.

Without a browser these tests fail: nothing else would notice a page that no browser shows.
"""

import functools
import http.server
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from segguided.status.page import page
from support.status_scenes import SCENES, scene

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


@functools.cache
def browser():
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert browser, f"no browser: install one of {', '.join(BROWSERS)} (Debian: apt-get install chromium)"
    return browser


class Seen(HTMLParser):
    """Text of a document as a browser left it, without what is never shown."""

    def __init__(self, document):
        super().__init__()
        self.hidden = 0
        self.parts = []
        self.classes = {}
        self.feed(document)
        self.text = " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag, attrs):
        self.classes[tag] = dict(attrs).get("class") or ""
        self.hidden += tag in ("script", "style", "title")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style", "title")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def opened(url, *options, width=1280):
    """The document after the browser has run it."""
    command = [browser(), *OPTIONS, f"--window-size={width},1600", *options, "--dump-dom", str(url)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seen(folder, text, **options):
    path = folder / "page.html"
    path.write_text(text)
    return Seen(opened(path.as_uri(), **options))


def fresh(name, folder):
    """A scene as if it were now."""
    return replace(scene(name, folder / name), now=time.time())


EXPECTED = {
    "nothing": ["Nothing has run here yet"],
    "starting": ["Snakemake is starting", "Process 77"],
    "running": [
        "Running",
        "3 of 6 jobs",
        "1 running · 2 waiting",
        "Training segguided on breast-phantom, seed 0 train_diffusion breast-phantom/segguided/seed0",
        "25 % step 1,500 of 6,000 loss 0.136 80 images/s 3 min left",
        "NVIDIA A100",
    ],
    "retrying": [
        "2 running · 1 queued · 1 failed 1.33 GPU hours",
        "43 % step 2,600 of 6,000 loss 0.102 5.3 images/s 42 min left",
        "SLURM 18 on n1 · limit in 5:34 · 2 × NVIDIA A100 · attempt 2",
        "In SLURM's queue",
        "pending: Resources",
        "Failed before and tried again",
        "time was up, saved at step 25",
        "out of memory",
        "Detected 1 oom-kill event",
    ],
    "finished": ["Finished", "10 of 10 jobs", "Every job is done"],
    "failed": [
        "Stopped with errors",
        "3 jobs failed for good",
        "Rows is missing",
        "RuntimeError: shapes do not match",
        "please report it with this log",
        "killed (SIGKILL), most likely out of memory",
        "To go on, in this folder snakemake results/",
    ],
    "group_failed": ["6 failed", "and 5 jobs of its group with it", "the mask has 5 slices, the image 6"],
    "interrupted": ["Interrupted", "by Ctrl-C", "Not finished 1", "--rerun-incomplete"],
    "orphaned": [
        "Snakemake was killed",
        "Still running, and no Snakemake waits for it 1",
        "train_diffusion breast-phantom/segguided/seed0 process 22185",
        "python scripts/resume.py results/",
        "Running without Snakemake 1",
    ],
    "slurm_orphaned": [
        "Snakemake was killed",
        "breast-phantom/spade/seed0, running SLURM 17",
        "python scripts/resume.py results/",
    ],
    "killed": [
        "Snakemake was killed",
        "Not finished 1",
        "stopped",
        "scripts/resume.py",
        "--rerun-incomplete",
    ],
    "away": ["No sign of life for 1 h 00 min", "look there", "Not visible from this host 3"],
}
NOTHING_RUNS = ("nothing", "finished", "failed", "group_failed", "interrupted", "killed", "away")


@pytest.mark.parametrize("name", SCENES)
def test_each_state_is_told(tmp_path, name):
    shown = seen(tmp_path, page(fresh(name, tmp_path), 60))
    for text in EXPECTED[name]:
        assert text in shown.text
    assert not shown.classes["body"], "a page of this moment is not old"
    if name in NOTHING_RUNS:
        assert not re.search(r"\d+ running|Running \d", shown.text)
    if name not in ("interrupted", "orphaned", "slurm_orphaned", "killed", "failed", "group_failed"):
        assert "To go on" not in shown.text


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("width", [500, 1280])
def test_nothing_sticks_out_of_the_window(tmp_path, name, width):
    wide = "document.body.prepend(`wide ${document.documentElement.scrollWidth} of ${innerWidth}`)"
    text = page(fresh(name, tmp_path), None).replace("</body>", f"<script>{wide}</script></body>")
    wide, window = map(
        int, re.search(r"wide (\d+) of (\d+)", seen(tmp_path, text, width=width).text).groups()
    )
    assert wide <= window == width


def test_a_page_that_nobody_rewrites_says_so(tmp_path):
    old = replace(scene("running", tmp_path / "a"), now=time.time() - 3000)
    shown = seen(tmp_path, page(old, 5))
    assert shown.classes["body"] == "old"
    assert "This page is 50 min old and shows what was then. status.py --watch has stopped" in shown.text


def test_text_from_logs_runs_no_script(tmp_path):
    shown = scene("failed", tmp_path / "a")
    evil = "</pre><script>document.body.dataset.state = 'owned'</script>"
    evil += "<img src=x onerror=\"document.title='owned'\">"
    shown.failed[0] = replace(shown.failed[0], lines=evil)
    path = tmp_path / "page.html"
    path.write_text(page(shown, None))
    document = opened(path.as_uri())
    assert 'data-state="failed"' in document
    assert "<title>owned" not in document
    assert "document.title='owned'" in Seen(document).text


def test_the_browser_loads_the_page_again_and_nothing_else(tmp_path):
    body = page(fresh("running", tmp_path), 1).encode()
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            browser(),
            *OPTIONS,
            "--remote-debugging-port=0",
            f"--user-data-dir={tmp_path / 'profile'}",
        ]
        process = subprocess.Popen(
            [*command, f"http://127.0.0.1:{server.server_port}/"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 60
            while len(asked) < 3 and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            server.shutdown()
    assert len(asked) >= 3
    assert set(asked) == {"/"}


def test_a_screenshot_can_be_taken(tmp_path):
    path = tmp_path / "page.html"
    picture = tmp_path / "page.png"
    path.write_text(page(fresh("retrying", tmp_path), None))
    command = [browser(), *OPTIONS, "--window-size=1280,1600", f"--screenshot={picture}", path.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert picture.stat().st_size > 20_000
