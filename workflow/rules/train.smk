# Training on GPU nodes. A training stops itself before its time limit, keeps resume.pt beside its output
# and ends nonzero; the same command, or the profile's retry, continues it.


include: "../functions/train.smk"


# Other trainings inherit from this rule. In `params`, `files` are the words of the command line that name inputs, and
# `options` those that hold settings: Snakemake compares only the settings with those of the last run.
rule train_diffusion:
    input:
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        perceptual=perceptual_network,
        beginning=beginning_files,
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/history.csv",
    log:
        "<logs>/<rule>/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/<rule>/{dataset}/{model}/seed{seed}.tsv"
    pathvars:
        rule="train_diffusion",
    wildcard_constraints:
        model=models_of("diffusion"),
    # Before other ready jobs: images, a segmenter and the measuring of both follow.
    priority: 10
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        compile=COMPILE,
        mem_mb=more_each_attempt(32000, most=2),
        runtime="24h",
        # Resources and no parameters: another value retrains nothing.
        checkpoint_seconds=CONFIG.checkpoint_seconds,
        preview_every=CONFIG.preview_every,
        tensorboard=int(CONFIG.tensorboard),
    params:
        script=script_file("train_diffusion"),
        library=library("train_diffusion"),
        files=perceptual_argument,
        options=model_options,
    message:
        "Training {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {params.script:q} --slices @{input.slices_list:q} {params.files:q} {params.options:q}"
        " --seed {wildcards.seed:q} --threads {threads} --deterministic {resources.deterministic}"
        " --compile {resources.compile}"
        " --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --preview-every {resources.preview_every}"
        " --tensorboard {resources.tensorboard} --output {output.weights:q} > {log:q} 2>&1"


use rule train_diffusion as train_regression with:
    pathvars:
        rule="train_regression",
    wildcard_constraints:
        model=models_of("regression"),
    params:
        script=script_file("train_regression"),
        library=library("train_regression"),


use rule train_diffusion as train_perceptual with:
    input:
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
    output:
        weights="<results>/perceptual/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/perceptual/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/perceptual/{dataset}/{model}/seed{seed}/history.csv",
    pathvars:
        rule="train_perceptual",
    wildcard_constraints:
        model=models_of("spade", "diffusion"),
    priority: 30
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        compile=COMPILE,
        mem_mb=more_each_attempt(16000, most=2),
        runtime="8h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,
        preview_every=CONFIG.preview_every,
        tensorboard=int(CONFIG.tensorboard),
    params:
        script=script_file("train_perceptual"),
        library=library("train_perceptual"),
        files=[],
        options=perceptual_options,
    message:
        "Training the perceptual network of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"


use rule train_diffusion as train_completer with:
    input:
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
    output:
        weights="<results>/completers/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/completers/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/completers/{dataset}/{model}/seed{seed}/history.csv",
    pathvars:
        rule="train_completer",
    wildcard_constraints:
        model=models_with_completer(),
    # After all other trainings but segmenters: sets of partial masks alone wait for it.
    priority: 7
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        compile=COMPILE,
        mem_mb=more_each_attempt(16000, most=2),
        runtime="8h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,
        preview_every=CONFIG.preview_every,
        tensorboard=int(CONFIG.tensorboard),
    params:
        script=script_file("train_completer"),
        library=library("train_completer"),
        files=[],
        options=completer_options,
    message:
        "Training the mask completer of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"


use rule train_diffusion as train_spade with:
    input:
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        perceptual=perceptual_network,
        beginning=beginning_files,
    pathvars:
        rule="train_spade",
    wildcard_constraints:
        model=models_of("spade"),
    priority: 20
    params:
        script=script_file("train_spade"),
        library=library("train_spade"),
