# Models and data to and from elsewhere: the paper authors' PNG layout and checkpoints, and plain diffusers.
# `all` asks for none of the exports; workflow/docs/interoperability.md names them.


localrules:
    export_layout,


rule import_model:
    input:
        script="scripts/import_model.py",
        files=imported_files,
    output:
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
        history="<results>/runs/{dataset}/{model}/seed{seed}/history.csv",
    log:
        "<logs>/import_model/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/import_model/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_of("imported"),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(10),
    params:
        library=library("import_model"),
        model=model_json,
        n_classes=count_classes,
        image_size=image_size,
    message:
        "Importing {wildcards.model} for {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --model {params.model:q} --n-classes {params.n_classes:q}"
        " --image-size {params.image_size:q} --seed {wildcards.seed:q} --output {output.weights:q}"
        " > {log:q} 2>&1"


rule export_model:
    input:
        script="scripts/export_model.py",
        weights="<results>/runs/{dataset}/{model}/seed{seed}/model.safetensors",
        config="<results>/runs/{dataset}/{model}/seed{seed}/config.json",
    output:
        readme="<results>/exports/{dataset}/{model}/seed{seed}/README.md",
        config="<results>/exports/{dataset}/{model}/seed{seed}/unet/config.json",
        weights="<results>/exports/{dataset}/{model}/seed{seed}/unet/diffusion_pytorch_model.safetensors",
        scheduler="<results>/exports/{dataset}/{model}/seed{seed}/scheduler/scheduler_config.json",
    log:
        "<logs>/export_model/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/export_model/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(10),
    params:
        library=library("export_model"),
        timestep_spacing=CONFIG.sampling.timestep_spacing,
    message:
        "Exporting {wildcards.model} of {wildcards.dataset}, seed {wildcards.seed}, for plain diffusers"
    shell:
        "python {input.script:q} --weights {input.weights:q} --timestep-spacing {params.timestep_spacing:q}"
        " --readme {output.readme:q} > {log:q} 2>&1"


rule export_layout:
    input:
        script="scripts/export_layout.py",
        train=exported_training_slices,
        train_list=exported_training_list,
        held_out=held_out_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated=exported_images,
    output:
        "<results>/exports/{dataset}/{model}/seed{seed}/layout/receipt.tsv",
    log:
        "<logs>/export_layout/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/export_layout/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        library=library("export_layout"),
        train=exported_training_argument,
        generated=exported_argument,
    message:
        "Writing the {wildcards.model} images of {wildcards.dataset} as PNG files"
    shell:
        "python {input.script:q} {params.train:q} --slices held-out @{input.held_out_list:q}"
        " --slices test @{input.test_list:q} {params.generated:q} --receipt {output:q} > {log:q} 2>&1"
