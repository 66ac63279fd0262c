# A picture of the run itself, for its report: `make demo` asks for it, `all` does not.


include: "../functions/run.smk"


localrules:
    draw_run,


rule draw_run:
    input:
        all_files,  # so that it is the last job; what it shows is in the journal of the run
    output:
        reported("run.png", "run", "when each job worked"),
    log:
        "<logs>/draw_run.log",
    benchmark:
        "<benchmarks>/draw_run.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_run"),
        library=library("draw_run"),
        results=results_folder,
    message:
        "Drawing when each job of this run worked"
    shell:
        "python {params.script:q} --results {params.results:q} --png {output:q} > {log:q} 2>&1"
