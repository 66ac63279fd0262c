# Mask-guided medical image generation: from raw volumes to the paper's tables and figures.


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

JOURNAL = follow(logger)  # what `make status` reads


onstart:
    refuse_leftovers()
    refuse_inputs(refuse_second_writer())
    discard_accepted()
    discard_when_accepted()
    JOURNAL.begin(CONFIG.pathvars.get("results", "results"))


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
        "<results>/showcase.png" if CONFIG.guided_models else [],


rule applications:  # what the paper names as applications: rare cases, paired images, translation
    input:
        application_files(),
