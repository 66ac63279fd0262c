# The latent-diffusion baseline: an autoencoder, a UNet on its latents, a ControlNet that brings in the masks.
# Each stage resumes as the other trainings do; the last one's weights hold all three.


rule train_autoencoder:
    input:
        script="scripts/train_autoencoder.py",
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/history.csv",
    log:
        "<logs>/train_autoencoder/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_autoencoder/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("controlnet"),
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(32000, most=2),
        runtime="24h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_autoencoder"),
        stage=autoencoder_stage_json,
    message:
        "Training the autoencoder of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --stage {params.stage:q}"
        " --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule train_latent_diffusion:
    input:
        script="scripts/train_latent_diffusion.py",
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        autoencoder="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/model.safetensors",
        autoencoder_config="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/config.json",
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/latent/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/latent/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/latent/history.csv",
    log:
        "<logs>/train_latent_diffusion/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_latent_diffusion/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("controlnet"),
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(32000, most=2),
        runtime="48h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_latent_diffusion"),
        stage=latent_stage_json,
    message:
        "Training the UNet of {wildcards.model} on latents of {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --autoencoder {input.autoencoder:q}"
        " --stage {params.stage:q} --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule train_controlnet:
    input:
        script="scripts/train_controlnet.py",
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        autoencoder="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/model.safetensors",
        autoencoder_config="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/config.json",
        latent="<results>/runs/{dataset}/{model}/seed{seed}/latent/model.safetensors",
        latent_config="<results>/runs/{dataset}/{model}/seed{seed}/latent/config.json",
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/history.csv",
    log:
        "<logs>/train_controlnet/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train_controlnet/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("controlnet"),
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(32000, most=2),
        runtime="48h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,  # no parameter: another retrains nothing
    params:
        library=library("train_controlnet"),
        control=control_json,
        n_classes=count_classes,
    message:
        "Training the ControlNet of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --slices @{input.slices_list:q} --autoencoder {input.autoencoder:q}"
        " --latent {input.latent:q} --control {params.control:q} --n-classes {params.n_classes:q}"
        " --seed {wildcards.seed:q} --threads {threads} --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --output {output.weights:q} > {log:q} 2>&1"


rule generate_controlnet:
    input:
        script="scripts/generate_controlnet.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        held_out=held_out_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
    output:
        test=drawn("<results>/generated/{dataset}/{model}/seed{seed}/test.npz"),
        held_out=drawn("<results>/generated/{dataset}/{model}/seed{seed}/held-out.npz"),
    log:
        of_shard("<logs>/generate_controlnet/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        of_shard("<benchmarks>/generate_controlnet/{dataset}/{model}/seed{seed}.tsv")
    wildcard_constraints:
        model=models_of("controlnet"),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(32000),
        runtime=growing(480),
    params:
        library=library("generate_controlnet"),
        sampling=CONFIG.sampling.to_json(),
        shard=shard_argument,
    message:
        "Generating images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --weights {input.weights:q} --sampling {params.sampling:q} {params.shard:q}"
        " --slices @{input.test_list:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --output {output.held_out:q}"
        " --seed {wildcards.seed:q} --threads {threads} > {log:q} 2>&1"
