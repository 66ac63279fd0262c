# Cross-modality translation: a model of one dataset generates images from the masks of another.


include: "../functions/translation.smk"


localrules:
    draw_translation,


use rule generate_partial as translate_masks with:
    input:
        weights=model_weights,
        config=model_description,
        slices=translated_slices,
        lists=["<results>/data/{masks}/test.txt"],
    output:
        "<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.npz",
    log:
        "<logs>/<rule>/{masks}-to-{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/<rule>/{masks}-to-{dataset}/{model}/seed{seed}.tsv"
    pathvars:
        rule="translate_masks",
    wildcard_constraints:
        model=masked_models(),
    params:
        script=script_file("translate_masks"),
        library=library("translate_masks"),
        options=translation_options,
    message:
        "Generating {wildcards.dataset} images from masks of {wildcards.masks}"


use rule generate_partial as translate_images with:
    input:
        weights=model_weights,
        config=model_description,
        slices=translated_slices,
        lists=["<results>/data/{masks}/test.txt"],
        train=training_slices,
        train_list=["<results>/data/{dataset}/train.txt"],
    output:
        "<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}-from-images.npz",
    log:
        "<logs>/<rule>/{masks}-to-{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/<rule>/{masks}-to-{dataset}/{model}/seed{seed}.tsv"
    pathvars:
        rule="translate_images",
    wildcard_constraints:
        model=masked_models(),
    params:
        script=script_file("translate_images"),
        library=library("translate_images"),
        lists=start_lists,
        sampling=CONFIG.sampling.generation_json(),
        options=start_options,
    message:
        "Generating {wildcards.dataset} images from images of {wildcards.masks}"


rule measure_translation:
    input:
        masks=translated_slices,
        masks_list="<results>/data/{masks}/test.txt",
        own=own_slices,
        own_lists=own_lists,
        generated="<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.npz",
        from_images="<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}-from-images.npz",
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
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("measure_translation"),
        library=library("measure_translation"),
        own=own_argument,
        mask_classes=mask_classes,
        classes=class_names,
        half=measuring_half_option(),
    message:
        "Measuring {wildcards.dataset} images generated from masks of {wildcards.masks}"
    shell:
        "python {params.script:q} --slices @{input.masks_list:q} --generated {input.generated:q}"
        " --from-images {input.from_images:q} {params.own:q}"
        " --evaluator {input.evaluator:q} --mask-classes {params.mask_classes:q} --classes {params.classes:q} {params.half:q}"
        " --threads {threads} --deterministic {resources.deterministic} --output {output:q} > {log:q} 2>&1"


rule draw_translation:
    input:
        masks=translated_slices,
        masks_list="<results>/data/{masks}/test.txt",
        own=own_slices,
        own_lists=own_lists,
        generated="<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}.npz",
        from_images="<results>/applications/translation/{masks}-to-{dataset}/{model}/seed{seed}-from-images.npz",
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
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_translation"),
        library=library("draw_translation"),
        source=translation_json,
        own=own_argument,
    message:
        "Drawing the translation of {wildcards.masks} to {wildcards.dataset}"
    shell:
        "python {params.script:q} --source {params.source:q} --target {wildcards.dataset:q} {params.own:q}"
        " --from-images {input.from_images:q} --png {output:q} > {log:q} 2>&1"
