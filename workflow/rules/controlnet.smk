# The latent-diffusion baseline: an autoencoder, a UNet on its latents, a ControlNet that brings in the masks.
# Each stage resumes as other trainings do; the weights of the last one hold all three.


include: "../functions/controlnet.smk"


use rule train_diffusion as train_autoencoder with:
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/autoencoder/history.csv",
    pathvars:
        rule="train_autoencoder",
    wildcard_constraints:
        model=models_of("controlnet"),
    priority: 30
    params:
        script=script_file("train_autoencoder"),
        library=library("train_autoencoder"),
        options=autoencoder_options,
    message:
        "Training the autoencoder of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"


use rule train_diffusion as train_latent_diffusion with:
    input:
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        autoencoder=stage_file("autoencoder", autoencoder_stage, "model.safetensors"),
        autoencoder_config=stage_file("autoencoder", autoencoder_stage, "config.json"),
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/latent/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/latent/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/latent/history.csv",
    pathvars:
        rule="train_latent_diffusion",
    wildcard_constraints:
        model=models_of("controlnet"),
    priority: 30
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        compile=COMPILE,
        mem_mb=more_each_attempt(48000, most=2),
        runtime="48h",
        checkpoint_seconds=CONFIG.checkpoint_seconds,
        preview_every=CONFIG.preview_every,
        tensorboard=int(CONFIG.tensorboard),
    params:
        script=script_file("train_latent_diffusion"),
        library=library("train_latent_diffusion"),
        files=autoencoder_argument,
        options=latent_options,
    message:
        "Training the UNet of {wildcards.model} on latents of {wildcards.dataset}, seed {wildcards.seed}"


use rule train_latent_diffusion as train_controlnet with:
    input:
        slices=training_slices,
        slices_list="<results>/data/{dataset}/train.txt",
        autoencoder=stage_file("autoencoder", autoencoder_stage, "model.safetensors"),
        autoencoder_config=stage_file("autoencoder", autoencoder_stage, "config.json"),
        latent=stage_file("latent", both_stages, "model.safetensors"),
        latent_config=stage_file("latent", both_stages, "config.json"),
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/history.csv",
    pathvars:
        rule="train_controlnet",
    params:
        script=script_file("train_controlnet"),
        library=library("train_controlnet"),
        files=earlier_stages_argument,
        options=control_options,
    message:
        "Training the ControlNet of {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
