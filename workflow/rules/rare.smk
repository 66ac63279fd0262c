# Rare-case augmentation: masks with a rare class drawn more often, and what a segmenter gains from it.


rule generate_rare:
    input:
        script="scripts/generate_rare.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        held_out=held_out_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
    output:
        "<results>/applications/rare/{dataset}/{model}/seed{seed}/drawn.npz",
    log:
        "<logs>/generate_rare/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/generate_rare/{dataset}/{model}/seed{seed}.tsv"
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
        library=library("generate_rare"),
        sampling=CONFIG.sampling.to_json(),
        n_classes=count_classes,
        rare_class=rare_value,
        images=rare_images(),
    message:
        "Drawing rare cases of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --weights {input.weights:q} --slices @{input.held_out_list:q}"
        " --sampling {params.sampling:q} --n-classes {params.n_classes:q} --rare-class {params.rare_class:q}"
        " --images {params.images:q} --seed {wildcards.seed:q} --threads {threads} --output {output:q} > {log:q} 2>&1"


rule train_augmented:
    input:
        script="scripts/train_augmented.py",
        slices=held_out_slices,
        slices_list="<results>/data/{dataset}/held-out.txt",
        drawn="<results>/applications/rare/{dataset}/{model}/seed{seed}/drawn.npz",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
    output:
        weights="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/model.safetensors",
        config="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/config.json",
        history="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/history.csv",
    log:
        "<logs>/train_augmented/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_augmented/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000, most=2),
        runtime="8h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_augmented"),
        segmenter=CONFIG.segmenter.to_json(),
        n_classes=count_classes,
        halves_seed=halves_seed(),
    message:
        "Training the segmenter of {wildcards.dataset} on real images and drawn rare cases"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --generated {input.drawn:q} --test @{input.test_list:q}"
        " --halves-seed {params.halves_seed:q} --segmenter {params.segmenter:q} --n-classes {params.n_classes:q}"
        " --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule measure_rare:
    input:
        script="scripts/measure_rare.py",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        without=f"<results>/segmenters/{{dataset}}/{REAL}/seed{{seed}}/model.safetensors",
        without_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{{seed}}/config.json",
        augmented="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/model.safetensors",
        augmented_config="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/config.json",
    output:
        "<results>/applications/rare/{dataset}/{model}/seed{seed}.csv",
    log:
        "<logs>/measure_rare/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/measure_rare/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(60),
    params:
        library=library("measure_rare"),
        classes=class_names,
        rare_class=rare_class,
        evaluation=resampling_json,
    message:
        "Measuring what drawn rare cases add on {wildcards.dataset}"
    shell:
        "python {input.script:q} --test @{input.test_list:q} --without {input.without:q} --augmented {input.augmented:q}"
        " --classes {params.classes:q} --rare-class {params.rare_class:q}"
        " --evaluation {params.evaluation:q} --threads {threads} --output {output:q} > {log:q} 2>&1"
