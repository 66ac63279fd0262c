# So that `snakemake` in this folder finds the pipeline: the real file is workflow/Snakefile.


include: "workflow/Snakefile"
