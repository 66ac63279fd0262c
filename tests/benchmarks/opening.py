"""What it costs a job to open the slices of many patients: small made-up files, for pixels are not read then.

PYTHONPATH=scripts:tests python tests/benchmarks/opening.py 1000 10000
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from segguided.data.slices import Stack, write_stack

OPEN = """
import os, resource, sys, time
from pathlib import Path
from segguided.data.slices import read_slices
def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
paths = sorted(Path(sys.argv[1]).iterdir())
memory, began = resident(), time.process_time()
slices = read_slices(paths)
files = len(os.listdir("/proc/self/fd"))
maps = Path("/proc/self/maps").read_text().count(sys.argv[1])
print(f"{len(paths)} patients, {len(slices)} slices: {time.process_time() - began:.2f} s of CPU, "
      f"{resident() - memory:.0f} MiB, {files} open files, {maps} memory maps")
"""


def write_patients(folder, patients):
    generator = np.random.default_rng(0)
    images_SHW = generator.integers(0, 256, (170, 8, 8), dtype=np.uint8)
    for number in range(patients):
        name = f"patient_{number:06}"
        provenance = {"preparation": "0" * 64, "patient": name}
        stack = Stack(name, images_SHW, images_SHW % 4, np.arange(170.0), provenance)
        write_stack(folder / f"{name}.npz", stack)


def main():
    for patients in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as scratch:
            write_patients(Path(scratch), patients)
            subprocess.run([sys.executable, "-c", OPEN, scratch], check=True, env=os.environ)
    print("limits: vm.max_map_count", Path("/proc/sys/vm/max_map_count").read_text().strip())


if __name__ == "__main__":
    main()
