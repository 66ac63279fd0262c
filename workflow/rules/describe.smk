# What a person should see of a dataset before training on it: a contact sheet and a data card.


include: "../functions/describe.smk"


rule draw_overview:
    input:
        slices=overview_slices,
    output:
        reported(
            "data/{dataset}/overview.png",
            "overview",
            "mask outlines, patient by patient",
        ),
    log:
        "<logs>/draw_overview/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_overview/{dataset}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(30),
    params:
        script=script_file("draw_overview"),
        library=library("draw_overview"),
        dataset=overview_json,
    message:
        "Drawing mask outlines on the patients of {wildcards.dataset}"
    shell:
        "python {params.script:q} --dataset {params.dataset:q} --slices {input.slices:q}"
        " --png {output:q} > {log:q} 2>&1"


rule write_datacard:
    input:
        manifest=patient_table,
        splits="<results>/data/{dataset}/splits.csv",
        slices=all_slices,
    output:
        card=reported(
            "data/{dataset}/datacard.md", "datacard", "what the dataset holds"
        ),
        checksums="<results>/data/{dataset}/checksums.sha256",
    log:
        "<logs>/write_datacard/{dataset}.log",
    benchmark:
        "<benchmarks>/write_datacard/{dataset}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("write_datacard"),
        library=library("write_datacard"),
        card=card_json,
        folder=slices_folder,
    message:
        "Writing the data card of {wildcards.dataset}"
    shell:
        "python {params.script:q} --card {params.card:q} --splits {input.splits:q} --slices {params.folder:q}"
        " --manifest {input.manifest:q} --output {output.card:q} --checksums {output.checksums:q}"
        " > {log:q} 2>&1"
