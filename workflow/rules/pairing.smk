# Paired images: generated ones that share only some classes with real ones.


include: "../functions/pairing.smk"


use rule generate_partial as generate_paired with:
    input:
        weights=model_weights,
        config=model_description,
        completer=completer_files,
        slices=unseen_slices,
        lists=[
            "<results>/data/{dataset}/held-out.txt",
            "<results>/data/{dataset}/test.txt",
        ],
    output:
        "<results>/applications/paired/{dataset}/{model}/seed{seed}.npz",
    pathvars:
        rule="generate_paired",
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(480),
    params:
        script=script_file("generate_paired"),
        library=library_by_kind("generate_paired"),
        options=paired_options,
    message:
        "Generating images of {wildcards.dataset} that share some classes with real ones"


rule pair_images:
    input:
        slices=unseen_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
        test_list="<results>/data/{dataset}/test.txt",
        generated="<results>/applications/paired/{dataset}/{model}/seed{seed}.npz",
    output:
        "<results>/applications/paired/{dataset}/{model}/seed{seed}.zip",
    log:
        "<logs>/pair_images/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/pair_images/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(4000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("pair_images"),
        library=library("pair_images"),
        classes=class_names,
        kept=first_partial_mask,
    message:
        "Writing paired images of {wildcards.dataset} that share only {params.kept} with real ones"
    shell:
        "python {params.script:q} --slices @{input.held_out_list:q} @{input.test_list:q} --generated {input.generated:q}"
        " --classes {params.classes:q} --kept {params.kept:q} --output {output:q} > {log:q} 2>&1"
