# The configuration files read strictly, before Snakemake reads them in YAML's lenient way. No rules.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Relative, so that Snakemake compares scripts by content and a moved checkout reruns nothing.
sys.path.insert(0, "scripts")

from segguided.config.checks.strict_yaml import check_files

try:
    # So far those of the command line; config.yaml may be absent where they replace it.
    check_files([Path("config.yaml"), *map(Path, workflow.configfiles)])
except ValueError as error:
    raise WorkflowError(str(error)) from None
