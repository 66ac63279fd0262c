"""Whatever the configuration holds reaches each rule's script as it is: no shell acts on it.

One configuration asks for every rule; a dry-run prints its commands, and bash reads them, with a `python`
that only writes down its arguments.
"""

import json
import re
import shlex
import subprocess

import pytest
import yaml

from support.miniature import ARGUMENTS, MINIATURE, ROOT, copy_repository, jobs_of, snakemake
from support.rule_files import rule_sources

RULES = set(rule_sources())
# Of Snakemake, or checked as numbers.
NUMBERS = {"threads", "resources.gpu", "resources.checkpoint_seconds", "resources.deterministic"}
NUMBERS |= {"resources.preview_every", "resources.tensorboard", "resources.compile"}
TARGETS = ("all", "applications", "ablation", "sweeps", "runs")
PLAIN = "plainword"
HOSTILE = {
    "spaces-and-substitution": "own  $(touch PWNED)`touch PWNED`$HOME $0 $$ $' \\n' ",
    "quotes-and-operators": "it's \"so\" \\ \\'; touch PWNED & touch PWNED | touch PWNED > PWNED < x ||",
    "globs-and-letters": "*?[a-z]* ~ !x #y %s für 肝臓 – ß√ù \\(x\\)",
}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("words"))


def in_address(word):
    """The word without what ends the path of an address, which is refused there."""
    return word.replace("?", "%").replace("#", "+")


def everything(word):
    """Settings that ask for every rule, with `word` in each path and text that may hold any."""
    settings = yaml.safe_load((ROOT / "tests/support/miniature.yaml").read_text())
    phantom = settings["datasets"]["breast-phantom"]
    labels = {"intensity": {"kind": "window", "low": 0, "high": 1}, "image_size": 32}
    split = {"split": {"seed": 0, "held_out": 1, "test": 1, "column": None}}
    names = [{"name": "body", "label": 1}, {"name": "bone", "label": 2}]
    for anatomy in phantom["classes"]:
        anatomy["segment"] = f"{word} {anatomy['segment']}"
    path = in_address(word)
    phantom["manifest"] = f"user {word}/phantom.tsv"
    settings["datasets"] |= {
        "duke": {
            **phantom,
            "source": {
                "kind": "idc", "masks": f"user {word}/masks", "endpoint": f"https://host/{path}/x",
            },
            "manifest": f"user {word}/idc.tsv",
            **split,
        },
        "organs": {
            "source": {"kind": "ct-org", "folder": f"user {word}", "mirror": f"https://host/{path}"},
            "manifest": f"user {word}/ct-org.tsv",
            "classes": names,
            **labels,
            **split,
        },
        "nifti": {
            "source": {"kind": "nifti", "folder": f"user {word}", "image": "{patient} {extra}.nii.gz"},
            "manifest": f"user {word}/nifti.tsv",
            "classes": names,
            **labels,
            **split,
        },
        "torso": {
            "source": {"kind": "demo-ct"},
            "manifest": f"user {word}/demo-ct.tsv",
            "classes": [{"name": name} for name in ("body", "lungs", "bone")],
            **labels,
            **split,
        },
    }  # fmt: skip
    settings["models"]["theirs"] = {
        "kind": "imported", "folder": f"user {word}/model", "conditioning": "index255",
    }  # fmt: skip
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())["models"]["spade"]
    perceptual = {"kind": "vgg19", "weights": f"user {word}/vgg.pth"}
    settings["models"]["vgg"] = {**shipped, **settings["models"]["spade"], "perceptual": perceptual}
    for name, model in settings["models"].items():
        model["title"] = f"{name} {word} {{x}}"
    settings["grid"]["datasets"] = ["breast-phantom", "duke", "organs", "nifti", "torso"]
    settings["models"]["regression"] = {"unet": settings["models"]["segguided"]["unet"]}
    settings["grid"]["models"] += ["theirs", "vgg", "regression"]
    settings["partial_masks"] |= {"models": ["segguided-mat"]}
    settings["similarity"] |= {"model": "segguided-mat"}
    settings["pathvars"] = {name: f"{name} {word}" for name in ("results", "logs", "benchmarks")}
    return settings


def write_tables(repository, word):
    """The patient tables and files of `everything`, below the folder it names."""
    user = repository / f"user {word}"
    user.mkdir(parents=True)
    numbers = range(3)
    tables = {
        "phantom": [{"patient": f"p.{n}"} for n in range(4)],
        "idc": [
            {
                "patient": f"p{n}", "series_uid": f"1.{n}", "series_url": f"s3://bucket/{word}/*",
                "instances": "3", "size_MB": "1",
            }
            for n in numbers
        ],
        "ct-org": [
            {"patient": f"p{n}", "case": str(n), "sha256_volume": "", "sha256_labels": ""} for n in numbers
        ],
        "nifti": [{"patient": f"p{n}", "extra": word} for n in numbers],
        "demo-ct": [
            {
                "patient": f"p{n}", "package": "pack==1.0", "sha256": "ab" * 32, "member": f"{word}/ct.nii",
                "blood": "",
                "slices": "",
            }
            for n in numbers
        ],
    }  # fmt: skip
    for name, rows in tables.items():
        lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
        (user / f"{name}.tsv").write_text("".join(f"{line}\n" for line in lines))
    for n in numbers:
        for name in (
            f"volume-{n}.nii.gz", f"labels-{n}.nii.gz", f"p{n}_mask.nii.gz",
            f"{tables['nifti'][n]['patient']} {tables['nifti'][n]['extra']}.nii.gz",
        ):  # fmt: skip
            (user / name).touch()
    (user / "vgg.pth").touch()
    (user / "model").mkdir()


def commands(repository, word):
    """Every command of a dry-run, by the name of its rule."""
    write_tables(repository, word)
    settings = everything(word)
    (repository / "every.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True))
    results = settings["pathvars"]["results"]
    run = f"{results}/exports/breast-phantom/segguided/seed0"
    targets = [*TARGETS, f"{run}/README.md", f"{run}/layout/receipt.tsv"]
    targets += [f"{results}/run.png", f"{results}/exports/breast-phantom/real/seed0/layout/receipt.tsv"]
    targets += [f"{results}/exports/breast-phantom/segguided-plus/seed0/program/README.md"]
    options = ("--configfile", "every.yaml", "--set-scatter", "generation=2")
    result = snakemake(repository, "-n", "-p", *targets, *options)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    printed = re.findall(r"^Shell command: (python .*)$", result.stdout, re.MULTILINE)
    jobs = jobs_of(result)
    assert {*jobs} == RULES | {*TARGETS}, "each rule has a job"
    assert len(printed) == sum(jobs.values()) - len(TARGETS)
    return printed


WRITES_ARGUMENTS = """
python() { printf '%s\\0' "$@" $'\\n' >&3; }
"""


def words_of(repository, printed):
    """The arguments that bash gives `python` for each command, whose redirections go where they say."""
    for command in printed:
        *_, arrow, log, both = shlex.split(command)
        assert (arrow, both) == (">", "2>&1")
        (repository / log).parent.mkdir(parents=True, exist_ok=True)
    (repository / "script.sh").write_text(WRITES_ARGUMENTS + "\n".join(printed))
    command = ["bash", "-c", "exec 3>arguments; . ./script.sh"]
    done = subprocess.run(command, cwd=repository, capture_output=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, b"")
    records = (repository / "arguments").read_bytes().decode().split("\0\n\0")
    return sorted(record.split("\0") for record in records if record)


@pytest.fixture(scope="module")
def plain(fresh):
    """The arguments for a word that no shell would touch."""
    return words_of(fresh, commands(fresh, PLAIN))


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_every_rule_hands_its_script_what_the_configuration_holds(plain, fresh, word):
    given = words_of(fresh, commands(fresh, word))
    expected = sorted([placed(argument, word) for argument in arguments] for arguments in plain)
    assert len(given) == len(expected)
    for arguments, expected_arguments in zip(given, expected, strict=True):
        assert arguments == expected_arguments
    assert not list(fresh.rglob("PWNED*"))
    logs = list((fresh / f"logs {word}").rglob("*.log"))
    assert len(logs) == len(given), "each log is where it should be"


def placed(argument, word):
    """An argument as it should be with this word: JSON arguments escape it."""
    is_json = argument[:1] in ("{", "[") and argument[-1:] in ("}", "]")
    word, address = [json.dumps(text)[1:-1] if is_json else text for text in (word, in_address(word))]
    return argument.replace(f"https://host/{PLAIN}", f"https://host/{address}").replace(PLAIN, word)


def fields(text):
    """The fields of a rule's shell command, as `threads` or `input.slices:q`."""
    return re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", text)


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_field_of_a_command_is_quoted(name):
    command = rule_sources()[name]["shell"]
    assert "{log:q}" in command
    loose = {field for field in fields(command) if not field.endswith(":q")}
    assert loose <= NUMBERS, f"write {{…:q}} for {loose - NUMBERS}"
    assert not re.search(r"[\"']\{|\}[\"'][^\n ]", command.replace('"\n', "").replace('        "', "")), (
        "quotes around a quoted field would open it again"
    )


def test_slices_and_their_card_come_to_a_folder_of_any_name(tmp_path):
    """Not only read, but run; the name is below a folder that the name's own slash makes."""
    repository = copy_repository(tmp_path)
    places = {name: f'{name}/it\'s $(touch PWNED) "*" 肝' for name in ("results", "logs", "benchmarks")}
    settings = yaml.safe_load((repository / MINIATURE).read_text()) | {"pathvars": places}
    (repository / "named.yaml").write_text(yaml.safe_dump(settings))
    card = f"{places['results']}/data/breast-phantom/datacard.md"
    result = snakemake(repository, card, "--configfile", "named.yaml", *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not list(repository.rglob("PWNED"))
    results = repository / places["results"]
    assert sorted(path.name for path in (results / "slices/breast-phantom").iterdir()) == [
        f"tiny_{n}.npz" for n in (1, 2, 3, 4)
    ]
    assert "tiny_4" in (results / "data/breast-phantom/splits.csv").read_text()
    check = re.search(r"^\(cd .*$", (repository / card).read_text(), re.MULTILINE)[0]
    assert subprocess.run(check, shell=True, cwd=repository).returncode == 0
    assert not jobs_of(snakemake(repository, "-n", card, "--configfile", "named.yaml"))


def test_a_row_whose_file_name_snakemake_would_change_is_refused(fresh):
    """A name made of a patient's row; Snakemake would take braces for wildcards."""
    write_tables(fresh, "row")
    table = fresh / "user row/nifti.tsv"
    table.write_text(table.read_text().replace("p1\trow", "p1\t{dataset}"))
    (fresh / "every.yaml").write_text(yaml.safe_dump(everything("row")))
    result = snakemake(fresh, "-n", "results row/slices/nifti/p1.npz", "--configfile", "every.yaml")
    assert result.returncode == 1
    assert "patient p1: the path 'user row/p1 {dataset}.nii.gz' holds braces" in result.stdout + result.stderr
