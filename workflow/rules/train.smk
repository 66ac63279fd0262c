# Training on GPU nodes. A run stops itself before its time limit, keeps resume.pt beside its output
# and ends nonzero; the same command, or the profile's retry, continues it.


rule train_diffusion:
    input:
        script="scripts/train_diffusion.py",
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/history.csv",
    log:
        "<logs>/train_diffusion/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_diffusion/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("diffusion"),
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(32000, most=2),
        runtime="24h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_diffusion"),
        model=model_json,
        n_classes=count_classes,
    message:
        "Training {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --model {params.model:q}"
        " --n-classes {params.n_classes:q} --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule train_perceptual:
    input:
        script="scripts/train_perceptual.py",
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
    output:
        weights="<results>/perceptual/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/perceptual/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/perceptual/{dataset}/{model}/seed{seed}/history.csv",
    log:
        "<logs>/train_perceptual/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_perceptual/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("spade"),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000, most=2),
        runtime="8h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_perceptual"),
        segmenter=perceptual_segmenter_json,
        n_classes=count_classes,
    message:
        "Training the perceptual network of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --segmenter {params.segmenter:q}"
        " --n-classes {params.n_classes:q} --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule train_spade:
    input:
        script="scripts/train_spade.py",
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        perceptual=perceptual_network,
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/history.csv",
    log:
        "<logs>/train_spade/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_spade/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("spade"),
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(32000, most=2),
        runtime="24h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_spade"),
        model=model_json,
        perceptual=perceptual_argument,
        n_classes=count_classes,
    message:
        "Training {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --model {params.model:q} {params.perceptual:q}"
        " --n-classes {params.n_classes:q} --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule train_segmenter:
    input:
        script="scripts/train_segmenter.py",
        slices=held_out_slices,
        slices_list="<results>/data/{dataset}/held-out.txt",
        generated=generated_held_out,
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
    output:
        weights="<results>/segmenters/{dataset}/{train_set}/seed{seed}/model.safetensors",
        config="<results>/segmenters/{dataset}/{train_set}/seed{seed}/config.json",
        history="<results>/segmenters/{dataset}/{train_set}/seed{seed}/history.csv",
    log:
        "<logs>/train_segmenter/{dataset}/{train_set}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_segmenter/{dataset}/{train_set}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000, most=2),
        runtime="8h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_segmenter"),
        generated=generated_argument,
        segmenter=CONFIG.segmenter.to_json(),
        n_classes=count_classes,
        halves_seed=halves_seed(),
    message:
        "Training the segmenter of {wildcards.dataset} on {wildcards.train_set} images, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} {params.generated:q}"
        " --test @{input.test_list:q} --halves-seed {params.halves_seed:q} --segmenter {params.segmenter:q}"
        " --n-classes {params.n_classes:q} --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"
