# This run beside the paper, claim by claim: workflow/docs/reproduction.md for the user's own results.


include: "../functions/reproduction.smk"


localrules:
    write_reproduction,


rule write_reproduction:
    input:
        records=metrics_records,
        splits=split_tables,
        partial=partial_measurements(),
        similarity=similarity_measurements,
        claims="workflow/paper_claims.yaml",
        paper="workflow/paper_values.tsv",
    output:
        csv=report(
            "<results>/reproduction.csv",
            caption="../report/reproduction.rst",
            category="Tables",
            labels={"table": "paper", "shows": "all numbers", "format": "csv"},
        ),
        markdown=report(
            "<results>/reproduction.md",
            caption="../report/reproduction.rst",
            category="Tables",
            labels={"table": "paper", "shows": "claim by claim", "format": "md"},
        ),
    log:
        "<logs>/write_reproduction.log",
    benchmark:
        "<benchmarks>/write_reproduction.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("write_reproduction"),
        library=library("write_reproduction"),
        files=reproduction_files,
        settings=table_settings_json,
        sizes=image_sizes_json,
    message:
        "Holding this run against the paper, claim by claim"
    shell:
        "python {params.script:q} --claims {input.claims:q} --paper {input.paper:q} --records {input.records:q}"
        " {params.files:q} --settings {params.settings:q} --sizes {params.sizes:q}"
        " --csv {output.csv:q} --markdown {output.markdown:q} > {log:q} 2>&1"
