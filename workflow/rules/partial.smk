# Partial masks (figures 3 and 6) and adjustable similarity to a real image (figure 4), from the grid's first seed.


include: "../functions/partial.smk"


# The rule that others inherit from: those that do not generate one image for each mask. Each has its own `options`.
rule generate_partial:
    input:
        weights=model_weights,
        config=model_description,
        completer=completer_files,
        slices=test_slices,
        lists=["<results>/data/{dataset}/test.txt"],
    output:
        "<results>/partial/{dataset}/{model}/seed{seed}.npz",
    log:
        "<logs>/<rule>/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/<rule>/{dataset}/{model}/seed{seed}.tsv"
    pathvars:
        rule="generate_partial",
    wildcard_constraints:
        model=guided_models(),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(240),
    params:
        script=script_file("generate_partial"),
        library=library_by_kind("generate_partial"),
        lists=lists_argument,
        completer=completer_argument,
        sampling=partial_sampling_json,
        options=partial_options,
    message:
        "Generating images of {wildcards.dataset} from partial masks with {wildcards.model}"
    shell:
        "python {params.script:q} --weights {input.weights:q} {params.lists:q} {params.completer:q} --sampling {params.sampling:q}"
        " {params.options:q} --seed {wildcards.seed:q} --threads {threads} --deterministic {resources.deterministic}"
        " --output {output:q} > {log:q} 2>&1"


use rule generate_partial as generate_similar with:
    output:
        "<results>/similarity/{dataset}/{model}/seed{seed}.npz",
    pathvars:
        rule="generate_similar",
    wildcard_constraints:
        model=masked_models(),
    params:
        script=script_file("generate_similar"),
        library=library("generate_similar"),
        sampling=CONFIG.sampling.generation_json(),
        options=similar_options,
    message:
        "Generating images of {wildcards.dataset} of adjustable similarity to real ones"


rule measure_partial:
    input:
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated=partial_images,
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/config.json",
    output:
        "<results>/partial/{dataset}.csv",
    log:
        "<logs>/<rule>/{dataset}.log",
    benchmark:
        "<benchmarks>/<rule>/{dataset}.tsv"
    pathvars:
        rule="measure_partial",
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("measure_partial"),
        library=library("measure_partial"),
        options=option("--models", CONFIG.partial_models),
        classes=class_names,
    message:
        "Measuring what partial masks of {wildcards.dataset} keep and what they leave free"
    shell:
        "python {params.script:q} --dataset {wildcards.dataset:q} {params.options:q} --generated {input.generated:q}"
        " --slices @{input.test_list:q} --evaluator {input.evaluator:q} --classes {params.classes:q}"
        " --threads {threads} --deterministic {resources.deterministic} --output {output:q} > {log:q} 2>&1"


use rule measure_partial as measure_similarity with:
    input:
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated=similar_images,
        train=training_slices,
        train_list=training_list,
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/config.json",
    output:
        "<results>/similarity/{dataset}.csv",
    pathvars:
        rule="measure_similarity",
    params:
        script=script_file("measure_similarity"),
        library=library("measure_similarity"),
        options=training_option,
    message:
        "Measuring similarity to real images and diversity of {wildcards.dataset} against λ"
