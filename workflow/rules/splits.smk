# Which patients train, are held out and test: a list a split for scripts to read, and a table of them all.


localrules:
    list_split,
    split_dataset,


rule list_split:
    input:
        # Neither script, library nor patient table make a list stale: the digest tells what it must hold.
        script=ancient("scripts/list_split.py"),
    output:
        "<results>/data/{dataset}/{split}.txt",
    log:
        "<logs>/list_split/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/list_split/{dataset}/{split}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
        manifest=patient_table,
        drawn=drawn_json,
    params:
        digest=split_digest,
        folder=slices_folder,
    message:
        "Listing the slices of {wildcards.dataset}, {wildcards.split}"
    shell:
        "python {input.script:q} --manifest {resources.manifest:q} --split {wildcards.split:q} --random-split {resources.drawn:q}"
        " --digest {params.digest:q} --folder {params.folder:q} --output {output:q} > {log:q} 2>&1"


rule split_dataset:
    input:
        script="scripts/split_dataset.py",
        slices=all_slices,
        train_list="<results>/data/{dataset}/train.txt",
        held_out_list="<results>/data/{dataset}/held-out.txt",
        test_list="<results>/data/{dataset}/test.txt",
    output:
        "<results>/data/{dataset}/splits.csv",
    log:
        "<logs>/split_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/split_dataset/{dataset}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        library=library("split_dataset"),
        halves_seed=halves_seed(),
        classes=class_names,
    message:
        "Listing the splits of {wildcards.dataset}"
    shell:
        "python {input.script:q} --train @{input.train_list:q} --held-out @{input.held_out_list:q}"
        " --test @{input.test_list:q} --halves-seed {params.halves_seed:q} --classes {params.classes:q}"
        " --output {output:q} > {log:q} 2>&1"
