# Which patients train, are held out and test: a list for each split, which scripts read, and a table of all.


include: "../functions/splits.smk"


localrules:
    list_split,
    split_dataset,


rule list_split:
    output:
        "<results>/data/{dataset}/{split}.txt",
    log:
        "<logs>/list_split/{dataset}/{split}.log",
    benchmark:
        "<benchmarks>/list_split/{dataset}/{split}.tsv"
    priority: 40
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(500),
        runtime=more_each_attempt(10),
        # Resources and no parameters, and no `library` below: only another digest makes a list stale.
        manifest=patient_table,
        random_split=random_split_json,
    params:
        script=script_file("list_split"),
        digest=split_digest,
        folder=slices_folder,
    message:
        "Listing the slices of {wildcards.dataset}, {wildcards.split}"
    shell:
        "python {params.script:q} --manifest {resources.manifest:q} --split {wildcards.split:q}"
        " --random-split {resources.random_split:q} --digest {params.digest:q} --folder {params.folder:q} --output {output:q} > {log:q} 2>&1"


rule split_dataset:
    input:
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
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(30),
    params:
        script=script_file("split_dataset"),
        library=library("split_dataset"),
        halves_seed=halves_seed(),
        classes=class_names,
    message:
        "Listing the splits of {wildcards.dataset}"
    shell:
        "python {params.script:q} --train @{input.train_list:q} --held-out @{input.held_out_list:q}"
        " --test @{input.test_list:q} --halves-seed {params.halves_seed:q} --classes {params.classes:q}"
        " --output {output:q} > {log:q} 2>&1"
