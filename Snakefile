# Mask-guided medical image generation: from raw volumes to the paper's tables and figures.

from pathlib import Path

from snakemake.exceptions import WorkflowError

if not Path(workflow.basedir).samefile(Path.cwd()):
    raise WorkflowError(
        f"this pipeline runs in its own folder, where its scripts and tables lie, and not in {Path.cwd()}; "
        f"give the command in {workflow.basedir}, or add --directory {workflow.basedir}; "
        "results may lie elsewhere: --config 'pathvars={results: FOLDER}'"
    )


include: "workflow/functions/config_files.smk"


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/functions/settings.smk"
include: "workflow/functions/resources.smk"
include: "workflow/functions/start.smk"
include: "workflow/functions/data.smk"
include: "workflow/functions/describe.smk"
include: "workflow/functions/models.smk"
include: "workflow/functions/shards.smk"
include: "workflow/functions/evaluation.smk"
include: "workflow/functions/partial.smk"
include: "workflow/functions/figures.smk"
include: "workflow/functions/applications.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/splits.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/controlnet.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/partial.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/partial_figures.smk"
include: "workflow/rules/pairing.smk"
include: "workflow/rules/rare.smk"
include: "workflow/rules/translation.smk"
include: "workflow/rules/interop.smk"


from segguided.status.explain import explain_failures
from segguided.status.journal import follow
from segguided.status.locked import lead_to_resume

JOURNAL = follow(logger)  # what `make status` reads
logger.addFilter(lead_to_resume)


onstart:
    refuse_leftovers()
    refuse_inputs(refuse_second_writer())
    discard_accepted()
    discard_when_accepted()
    JOURNAL.begin(RESULTS, left_out=LEFT_OUT)


onsuccess:
    discard_accepted()
    JOURNAL.end("finished")


onerror:
    discard_accepted()
    JOURNAL.end("failed")
    explain_failures(JOURNAL.path)


localrules:
    all,
    applications,


rule all:
    default_target: True
    input:
        collect(
            "<results>/data/{dataset}/{file}",
            dataset=CONFIG.grid.datasets,
            file=["splits.csv", "overview.png", "datacard.md"],
        ),
        collect(
            "<results>/table{table}.{format}",
            table=TABLES,
            format=["csv", "md", "png", "pdf"],
        ),
        collect(
            "<results>/figure{figure}.{format}", figure=FIGURES, format=["png", "pdf"]
        ),
        partial_measurements,
        left_out_figures,
        "<results>/showcase.png" if CONFIG.guided_models else [],


rule applications:  # what the paper names as applications: rare cases, paired images, translation
    input:
        application_files(),
        left_out_applications,
