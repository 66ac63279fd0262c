# So that `snakemake` in this folder finds the pipeline: the real file is workflow/Snakefile.


include: "workflow/Snakefile"


# The target of a bare `snakemake`: an included file cannot set it.
workflow.default_target = "all"
