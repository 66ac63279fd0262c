# What a person should see of a dataset before training on it: a contact sheet and a data card.


rule draw_overview:
    input:
        script="scripts/draw_overview.py",
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
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        library=library("draw_overview"),
        dataset=overview_json,
    message:
        "Drawing mask outlines on the patients of {wildcards.dataset}"
    shell:
        "python {input.script:q} --dataset {params.dataset:q} --slices {input.slices:q}"
        " --png {output:q} > {log:q} 2>&1"


rule write_datacard:
    input:
        script="scripts/write_datacard.py",
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
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        library=library("write_datacard"),
        card=card_json,
        folder=slices_folder,
    message:
        "Writing the data card of {wildcards.dataset}"
    shell:
        "python {input.script:q} --card {params.card:q} --splits {input.splits:q} --slices {params.folder:q}"
        " --manifest {input.manifest:q} --output {output.card:q} --checksums {output.checksums:q}"
        " > {log:q} 2>&1"
