# Paired images: generated ones that share only some classes with real ones.


rule generate_paired:
    input:
        script="scripts/generate_paired.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        slices=unseen_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
        test_list="<results>/data/{dataset}/test.txt",
    output:
        "<results>/applications/paired/{dataset}/{model}/seed{seed}.npz",
    log:
        "<logs>/generate_paired/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/generate_paired/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=masked_models(),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        library=library("generate_paired"),
        sampling=CONFIG.sampling.to_json(),
        kept=first_partial_values,
    message:
        "Drawing images of {wildcards.dataset} that share some classes with real ones"
    shell:
        "python {input.script:q} --weights {input.weights:q} --slices @{input.held_out_list:q} @{input.test_list:q}"
        " --sampling {params.sampling:q} --kept {params.kept:q} --seed {wildcards.seed:q}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule pair_images:
    input:
        script="scripts/pair_images.py",
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
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        library=library("pair_images"),
        classes=class_names,
        kept=first_partial_mask,
    message:
        "Writing paired images of {wildcards.dataset} that share only {params.kept} with real ones"
    shell:
        "python {input.script:q} --slices @{input.held_out_list:q} @{input.test_list:q} --generated {input.generated:q}"
        " --classes {params.classes:q} --kept {params.kept:q} --output {output:q} > {log:q} 2>&1"
