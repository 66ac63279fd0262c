# Cross-modality translation: a model of one dataset draws from the masks of another.


localrules:
    draw_translation,


rule translate_masks:
    input:
        script="scripts/translate_masks.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        masks=translated_slices,
        masks_list="<results>/data/{masks}/test.txt",
    output:
        "<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.npz",
    log:
        "<logs>/translate_masks/{masks}-to-{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/translate_masks/{masks}-to-{dataset}/{model}/seed{seed}.tsv"
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
        library=library("translate_masks"),
        sampling=CONFIG.sampling.to_json(),
        values=translated_values,
    message:
        "Drawing {wildcards.dataset} images from masks of {wildcards.masks}"
    shell:
        "python {input.script:q} --weights {input.weights:q} --slices @{input.masks_list:q}"
        " --sampling {params.sampling:q} --values {params.values:q}"
        " --seed {wildcards.seed:q} --threads {threads} --output {output:q} > {log:q} 2>&1"


rule measure_translation:
    input:
        script="scripts/measure_translation.py",
        masks=translated_slices,
        masks_list="<results>/data/{masks}/test.txt",
        own=own_slices,
        own_lists=own_lists,
        generated="<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.npz",
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{{seed}}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{{seed}}/config.json",
    output:
        "<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.csv",
    log:
        "<logs>/measure_translation/{masks}-to-{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/measure_translation/{masks}-to-{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(60),
    params:
        library=library("measure_translation"),
        own=own_argument,
        mask_classes=mask_classes,
        classes=class_names,
    message:
        "Measuring {wildcards.dataset} images drawn from masks of {wildcards.masks}"
    shell:
        "python {input.script:q} --slices @{input.masks_list:q} --generated {input.generated:q} {params.own:q}"
        " --evaluator {input.evaluator:q} --mask-classes {params.mask_classes:q} --classes {params.classes:q}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule draw_translation:
    input:
        script="scripts/draw_translation.py",
        masks=translated_slices,
        masks_list="<results>/data/{masks}/test.txt",
        own=own_slices,
        own_lists=own_lists,
        generated="<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.npz",
    output:
        "<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.png",
    log:
        "<logs>/draw_translation/{masks}-to-{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/draw_translation/{masks}-to-{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_translation"),
        source=translation_json,
        own=own_argument,
    message:
        "Drawing the translation of {wildcards.masks} to {wildcards.dataset}"
    shell:
        "python {input.script:q} --source {params.source:q} --target {wildcards.dataset:q} {params.own:q}"
        " --png {output:q} > {log:q} 2>&1"
