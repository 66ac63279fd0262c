# Mask-guided medical image generation: from raw volumes to the paper's tables and figures.


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/parameters.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/partial.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/applications.smk"
include: "workflow/rules/rare.smk"
include: "workflow/rules/translation.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        collect("<results>/data/{dataset}/splits.csv", dataset=CONFIG.grid.datasets),
        collect(
            "<results>/table{table}.{format}",
            table=TABLES,
            format=["csv", "md", "png", "pdf"],
        ),
        collect(
            "<results>/figure{figure}.{format}", figure=FIGURES, format=["png", "pdf"]
        ),
        "<results>/showcase.png",
