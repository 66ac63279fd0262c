"""How long Snakemake takes to plan the paper for many patients: a dry-run on a made-up patient table.

Run by `make bench`, or with a number of patients: python tests/benchmarks/dry_run.py 10000 [--profile].
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from support.miniature import MINIATURE, copy_repository

PROGRAM = """
import cProfile, pstats, sys
from snakemake.cli import main
profile = cProfile.Profile()
try: profile.runcall(main, sys.argv[1:])
except SystemExit: pass
def ours(function): return function[0].endswith(".smk") or "/segguided/" in function[0]
stats = pstats.Stats(profile)
own = {
    function: sum(spent[3] for caller, spent in callers.items() if not ours(caller))
    for function, (_, _, _, _, callers) in stats.stats.items() if ours(function)
}
print(f"of {stats.total_tt:.1f} s, {sum(own.values()):.1f} s in our functions; those called back count twice")
for (file, line, name), seconds in sorted(own.items(), key=lambda item: -item[1])[:15]:
    calls = stats.stats[file, line, name][1]
    print(f"{seconds:8.2f} s {calls:8} calls  {name} ({file.rpartition('/')[2]}:{line})")
stats.sort_stats("tottime").print_stats(25)
stats.sort_stats("cumtime").print_stats(60)
"""


def write_settings(repository, patients):
    """So many phantoms in place of config.yaml's patients; of a hundred 70, 15 and 15 in the splits."""
    names = "".join(f"patient_{i:06}\n" for i in range(patients))
    (repository / "workflow/manifests/many.tsv").write_text(f"patient\n{names}")
    part = max(1, patients * 15 // 100)
    dataset = yaml.safe_load((repository / MINIATURE).read_text())["datasets"]["breast-phantom"] | {
        "image_size": 256,
        "manifest": "workflow/manifests/many.tsv",
        "split": {"seed": 0, "held_out": part, "test": part},
    }
    path = repository / "many.yaml"
    path.write_text(yaml.safe_dump({"grid": {"datasets": ["many"]}, "datasets": {"many": dataset}}))
    return path


def main():
    patients = next((int(argument) for argument in sys.argv[1:] if argument.isdecimal()), 10_000)
    start = ["-c", PROGRAM] if "--profile" in sys.argv else ["-m", "snakemake"]
    with tempfile.TemporaryDirectory() as scratch:
        repository = copy_repository(Path(scratch))
        settings = write_settings(repository, patients)
        command = [sys.executable, *start, "-n", "all", "--configfile", settings.name]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
        wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    if "--profile" in sys.argv:
        print(done.stdout)
    seconds = used.ru_utime + used.ru_stime
    print(f"{patients} patients: {wall:.1f} s, {seconds:.1f} s of CPU, {used.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
