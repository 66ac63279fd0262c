# Partial masks (figures 3 and 6) and adjustable similarity to a real image (figure 4), from the grid's first seed.


rule generate_partial:
    input:
        script="scripts/generate_partial.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
    output:
        "<results>/partial/{dataset}/{model}/seed{seed}.npz",
    log:
        "<logs>/generate_partial/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/generate_partial/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=masked_models(),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(240),
    params:
        library=library("generate_partial"),
        sampling=CONFIG.sampling.to_json(),
        n_classes=count_classes,
        partial_masks=partial_masks_json,
        counts=partial_counts(),
    message:
        "Generating images of {wildcards.dataset} from partial masks with {wildcards.model}"
    shell:
        "python {input.script:q} --weights {input.weights:q} --slices @{input.test_list:q}"
        " --sampling {params.sampling:q} --n-classes {params.n_classes:q}"
        " --partial-masks {params.partial_masks:q} {params.counts:q} --seed {wildcards.seed:q}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule measure_partial:
    input:
        script="scripts/measure_partial.py",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated=partial_images,
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/config.json",
    output:
        "<results>/partial/{dataset}.csv",
    log:
        "<logs>/measure_partial/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_partial/{dataset}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(60),
    params:
        library=library("measure_partial"),
        classes=class_names,
        models=CONFIG.partial_models,
    message:
        "Measuring what partial masks of {wildcards.dataset} keep and what they leave free"
    shell:
        "python {input.script:q} --dataset {wildcards.dataset:q} --models {params.models:q}"
        " --generated {input.generated:q} --slices @{input.test_list:q} --evaluator {input.evaluator:q}"
        " --classes {params.classes:q} --threads {threads} --output {output:q} > {log:q} 2>&1"


rule generate_similar:
    input:
        script="scripts/generate_similar.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
    output:
        "<results>/similarity/{dataset}/{model}/seed{seed}.npz",
    log:
        "<logs>/generate_similar/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/generate_similar/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=masked_models(),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(240),
    params:
        library=library("generate_similar"),
        sampling=CONFIG.sampling.generation_json(),
        similarity=similarity_json(),
        kept=first_partial_values,
    message:
        "Generating images of {wildcards.dataset} of adjustable similarity to real ones"
    shell:
        "python {input.script:q} --weights {input.weights:q} --slices @{input.test_list:q}"
        " --sampling {params.sampling:q} --similarity {params.similarity:q}"
        " --kept {params.kept:q} --seed {wildcards.seed:q}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule measure_similarity:
    input:
        script="scripts/measure_similarity.py",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated=similar_images,
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/config.json",
    output:
        "<results>/similarity/{dataset}.csv",
    log:
        "<logs>/measure_similarity/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_similarity/{dataset}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(60),
    params:
        library=library("measure_similarity"),
        classes=class_names,
    message:
        "Measuring the similarity of generated and real images of {wildcards.dataset} against λ"
    shell:
        "python {input.script:q} --dataset {wildcards.dataset:q} --generated {input.generated:q}"
        " --slices @{input.test_list:q} --evaluator {input.evaluator:q} --classes {params.classes:q}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"
