# Reads the configuration files strictly, before Snakemake reads them in YAML's lenient way.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Relative, so that Snakemake sees no absolute path in a rule and a moved checkout reruns nothing.
sys.path.insert(0, "scripts")

from segguided.config.checks.strict_yaml import check_files

try:
    # Only the files of the command line: config.yaml may be missing where they replace it.
    check_files([Path("config.yaml"), *map(Path, workflow.configfiles)])
except ValueError as error:
    raise WorkflowError(str(error)) from None
