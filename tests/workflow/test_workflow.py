"""The workflow's promises that need no run: dry-runs without data, lint, one name in five places."""

import re
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
import yaml

from support.miniature import MINIATURE, ROOT, copy_repository, jobs_of, snakemake
from support.rule_files import rule_sources

LARGEST_FILE = 150  # lines

DEMO = ["all", "--profile", "workflow/profiles/demo", "--configfile", "workflow/demo.yaml"]
SPADE = dict.fromkeys(("train_perceptual", "train_spade", "generate_spade"), 2)
CONTROLNET = dict.fromkeys(
    ("train_autoencoder", "train_latent_diffusion", "train_controlnet", "generate_controlnet"), 2
)
# Commands, and how often each trains networks other than segmenters.
CARD = (
    (["--profile", "slurm", "all"], SPADE | CONTROLNET | {"train_diffusion": 6}),
    (["results/table1.csv"], SPADE | CONTROLNET | {"train_diffusion": 6}),
    (DEMO, SPADE | {"train_diffusion": 4, "train_completer": 2}),
    (
        [*DEMO, "workflow/demo-full.yaml"],
        SPADE | CONTROLNET | {"train_diffusion": 8, "train_completer": 2, "train_regression": 2},
    ),
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The repository without any data, results or trained model."""
    return copy_repository(tmp_path_factory.mktemp("fresh"))


@pytest.mark.parametrize(("arguments", "expected"), CARD, ids=["slurm", "one-artefact", "demo", "demo-full"])
def test_dry_run_of_each_command_of_the_card_without_data(fresh, arguments, expected):
    result = snakemake(fresh, "-n", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    jobs = jobs_of(result)
    networks = re.compile("train_(?!segmenter)|generate_(spade|controlnet)")
    assert {rule: count for rule, count in jobs.items() if networks.match(rule)} == expected


@pytest.mark.parametrize(("channels", "networks"), [([16, 32, 64], 2), ([8, 16], 4)])
def test_a_diffusion_model_shares_the_perceptual_network_of_a_spade_whose_settings_are_its(
    fresh, channels, networks
):
    """On two datasets. Its images then wait for that network's training."""
    demo = yaml.safe_load((fresh / "workflow/demo.yaml").read_text())
    encoder = demo["models"]["spade"]["perceptual"]["encoder"] | {"channels": channels}
    losses = {"perceptual": 0.1, "perceptual_network": {"kind": "encoder", "encoder": encoder}}
    added = fresh / "perceptual.yaml"
    added.write_text(yaml.safe_dump({"models": {"segguided-plus": {"losses": losses}}}))
    result = snakemake(fresh, "-n", *DEMO, added.name)
    assert result.returncode == 0, result.stdout + result.stderr
    assert jobs_of(result)["train_perceptual"] == networks
    without = "grid={models: [segguided-plus], datasets: [breast-phantom]}"
    alone = snakemake(fresh, "-n", *DEMO, added.name, "--config", without)
    assert jobs_of(alone)["train_perceptual"] == 1, alone.stdout + alone.stderr


def test_shards_multiply_what_generates_and_add_what_gathers_and_one_changes_nothing(fresh):
    whole, one_shard, four_shards = (
        jobs_of(snakemake(fresh, "-n", "all", *options))
        for options in ([], ["--set-scatter", "generation=1"], ["--set-scatter", "generation=4"])
    )
    assert one_shard == whole
    assert "gather_images" not in whole
    generating = ("generate_diffusion", "generate_spade", "generate_controlnet")
    assert [four_shards[rule] for rule in generating] == [4 * whole[rule] for rule in generating]
    assert four_shards["gather_images"] == sum(whole[rule] for rule in generating)
    others = set(whole) - {*generating, "total"}
    assert {rule: four_shards[rule] for rule in others} == {rule: whole[rule] for rule in others}


def test_no_shards_are_refused(fresh):
    result = snakemake(fresh, "-n", "all", "--set-scatter", "generation=0")
    assert result.returncode == 1
    assert "expected 1 or more shards a set" in result.stdout + result.stderr


def test_a_grid_of_one_baseline_asks_for_nothing_of_other_models(fresh):
    """Figures and applications whose models the grid leaves out are left out with them."""
    result = snakemake(fresh, "-n", "all", "applications", "--config", "grid={models: [spade]}")
    assert result.returncode == 0, result.stdout + result.stderr
    jobs = jobs_of(result)
    assert {name for name in jobs if name.startswith("draw_")} == {
        "draw_figure2", "draw_figure5", "draw_overview", "draw_showcase", "draw_table",
    }  # fmt: skip
    assert not {name for name in jobs if "diffusion" in name or "partial" in name or "control" in name}


def test_as_shipped_it_is_the_paper(fresh):
    """100 Duke and 40 CT-ORG patients, each of the five systems on both."""
    result = snakemake(fresh, "-n", "all")
    assert result.returncode == 0, result.stdout + result.stderr
    jobs = jobs_of(result)
    assert (jobs["fetch_series"], jobs["fetch_volume"], jobs["prepare_patient"]) == (100, 40, 140)
    assert (jobs["train_segmenter"], jobs["evaluate_model"], jobs["list_split"]) == (12, 12, 6)
    assert not {"fetch_package", "write_phantom"} & set(jobs)


def test_paper_scale_dry_run_takes_under_5_s_and_never_imports_torch(fresh):
    """Three seeds, where importing torch, or what needs it, is an error; in CPU seconds, which are stable."""
    program = (
        "import sys, time\n"
        "for name in ('torch', 'diffusers', 'monai'): sys.modules[name] = None\n"
        "from snakemake.cli import main\n"
        "try: main(['-n', 'all', '-q', '--config', 'grid={seeds: [0, 1, 2]}'])\n"
        "finally: print('CPU seconds:', time.process_time())"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=fresh, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.split("CPU seconds:")[1]) < 5


def test_no_command_grows_with_the_patients(fresh):
    """What a shell is given ends at 128 KiB."""
    names = "".join(f"patient_with_a_long_name_{i:06}\n" for i in range(5000))
    (fresh / "many.tsv").write_text(f"patient\n{names}")
    many = {"manifest": "many.tsv", "split": {"seed": 0, "held_out": 1500, "test": 1500}}
    settings = yaml.safe_load((fresh / MINIATURE).read_text())
    for dataset in ("breast-phantom", "breast-phantom-t2"):
        settings["datasets"][dataset] = settings["datasets"][dataset] | many
    (fresh / "many.yaml").write_text(yaml.safe_dump(settings))
    result = snakemake(fresh, "-n", "-p", "all", "applications", "--configfile", "many.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    commands = re.findall(r"^Shell command: (.*(?:\n(?!\[|Building).+)*)", result.stdout, re.MULTILINE)
    jobs = jobs_of(result)
    assert len(commands) == sum(jobs.values())
    assert jobs["list_split"] == 4
    assert max(map(len, commands)) < 20_000


def test_lint(fresh):
    result = snakemake(fresh, "--lint")
    assert result.returncode == 0, result.stdout + result.stderr


@cache
def imported_by_few():
    """What each script imports from the library that at most two others import too: its own work."""
    pattern = r"^from segguided\.\S+ import (\([^)]*\)|.+)$"
    imports = {
        path.stem: set(re.findall(r"\w+", " ".join(re.findall(pattern, path.read_text(), re.MULTILINE))))
        for path in (ROOT / "scripts").glob("*.py")
    }
    scripts_of = Counter(name for names in imports.values() for name in names)
    return {script: {name for name in names if scripts_of[name] <= 3} for script, names in imports.items()}


@pytest.mark.parametrize("name", sorted(rule_sources()))
def test_one_verb_in_five_places(name):
    rule = rule_sources()[name]
    assert (ROOT / "scripts" / f"{name}.py").is_file()
    if name != "list_split":  # whose output its digest alone decides
        assert re.search(rf'library=library(_by_kind)?\("{name}"\)', rule["params"])
    assert f'script=script_file("{name}")' in rule["params"]
    if "pathvars" in rule:
        assert f'rule="{name}"' in rule["pathvars"], "it would log to the place of the rule it inherits from"
    own_place = name if "pathvars" not in rule else "<rule>"
    assert f'"<logs>/{own_place}' in rule["log"]
    assert f'"<benchmarks>/{own_place}' in rule["benchmark"]
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    words = set(re.findall(r"\w+", tests.replace(f'"{name}"', "")))
    assert words & {name, *imported_by_few()[name]}, f"no test names {name}, or what it alone imports"
    assert (ROOT / "scripts" / f"{name}.py").read_text().count(f"def {name}(") == 1


@pytest.mark.parametrize("name", sorted(rule_sources()))
@pytest.mark.parametrize(
    "directive", ["log", "benchmark", "conda", "threads", "resources", "message", "shell"]
)
def test_each_rule_has_each_directive(name, directive):
    rule = rule_sources()[name]
    assert rule[directive].strip()
    assert "> {log:q} 2>&1" in rule["shell"]


def test_rules_and_their_functions_are_in_files_of_one_name():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert f'include: "../functions/{path.name}"' in path.read_text()
    names = [
        {path.name for path in (ROOT / "workflow" / folder).iterdir()} for folder in ("rules", "functions")
    ]
    assert names[0] == names[1]


def test_no_file_of_the_workflow_is_too_large():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "workflow").rglob("*.smk")}
    assert not {name: length for name, length in lengths.items() if length > LARGEST_FILE}


def test_a_missing_script_stops_the_parsing_with_one_sentence(fresh):
    script = fresh / "scripts/measure_rare.py"
    text = script.read_text()
    script.unlink()
    result = snakemake(fresh, "-n", "results/table1.csv")
    script.write_text(text)
    assert result.returncode == 1
    assert "scripts/measure_rare.py is missing, but a rule runs it" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_the_workflow_in_its_own_folder_is_the_same(fresh):
    """The root's Snakefile only includes it, and names the target of a bare command."""
    named = jobs_of(snakemake(fresh, "-n", "all"))
    assert named["make_table"] == 3
    for arguments in ([], ["-s", "workflow/Snakefile"], ["all", "-s", "workflow/Snakefile"]):
        assert jobs_of(snakemake(fresh, "-n", *arguments)) == named


def test_each_reported_output_has_its_caption():
    captions = re.findall(
        r'reported\(\s*"[^"]+",\s*"(\w+)"', "".join(rule["output"] for rule in rule_sources().values())
    )
    assert {"table", "figure1", "figure2", "figure5", "overview", "datacard"} <= set(captions)
    for caption in captions:
        assert (ROOT / f"workflow/report/{caption}.rst").read_text().startswith(("**", "{%")), caption


def test_no_run_blocks_scripts_or_lambdas():
    for path in [*ROOT.glob("**/Snakefile"), *(ROOT / "workflow").rglob("*.smk")]:
        assert not re.search(r"^\s+(run|script):|lambda", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": {"models": ["spadee"]}}, "grid.models names 'spadee'"),
        ({"grid": {"datasets": ["brest-mri"]}}, "grid.datasets names 'brest-mri'"),
        ({"sampling": {"stepps": 3}}, "sampling.stepps"),
        (
            {"datasets": {"breast-mri": {"manifest": "nowhere.tsv"}}},
            "nowhere.tsv cannot be read (No such file or directory); name an existing text file",
        ),
    ],
)
def test_mistakes_in_the_config_stop_the_parsing_with_one_message(fresh, tmp_path, change, message):
    path = tmp_path / "change.yaml"
    path.write_text(yaml.safe_dump(change))
    result = snakemake(fresh, "-n", "all", "--configfile", path)
    assert result.returncode == 1
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


STEP_ROW = "grid={models: [segguided-mat, segguided-mat-step]}"


def test_a_row_of_shared_weights_generates_and_is_measured_but_trains_nothing(fresh):
    result = snakemake(fresh, "-n", "all", "--config", STEP_ROW)
    assert result.returncode == 0, result.stdout + result.stderr
    jobs = jobs_of(result)
    assert jobs["train_diffusion"] == 2, "one for each dataset"
    assert jobs["generate_diffusion"] == jobs["train_segmenter"] - 2 == jobs["evaluate_model"] - 2 == 4


def test_a_row_of_shared_weights_is_no_export_of_its_own(fresh):
    target = "results/exports/breast-mri/segguided-mat-step/seed0/README.md"
    result = snakemake(fresh, "-n", target, "--config", STEP_ROW)
    assert result.returncode == 1
    expected = "segguided-mat-step shares the weights of segguided-mat; name that model in the target"
    assert expected in result.stdout + result.stderr


def test_a_typo_in_a_target_fails_at_once(fresh):
    result = snakemake(fresh, "-n", "results/runs/breast-mri/segguidedd/seed0/model.safetensors")
    assert result.returncode == 1
    assert "No rule to produce" in result.stdout + result.stderr
