# Models and images to and from other programs: the paper authors' PNG layout and checkpoints, plain diffusers.
# `all` makes no export; workflow/docs/interoperability.md names the targets.


include: "../functions/interop.smk"


localrules:
    export_layout,


rule import_model:
    input:
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
        mem_mb=more_each_attempt(8000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("import_model"),
        library=library("import_model"),
        options=import_options,
        image_size=image_size,
    message:
        "Importing {wildcards.model} for {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {params.script:q} {params.options:q} --image-size {params.image_size:q}"
        " --seed {wildcards.seed:q} --output {output.weights:q} > {log:q} 2>&1"


rule export_model:
    input:
        weights=own_weights,
        config=model_description,
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
        mem_mb=more_each_attempt(8000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("export_model"),
        library=library("export_model"),
        timestep_spacing=CONFIG.sampling.timestep_spacing,
    message:
        "Exporting {wildcards.model} of {wildcards.dataset}, seed {wildcards.seed}, for plain diffusers"
    shell:
        "python {params.script:q} --weights {input.weights:q} --timestep-spacing {params.timestep_spacing:q}"
        " --readme {output.readme:q} > {log:q} 2>&1"


rule export_program:
    input:
        weights=own_weights,
        config=model_description,
    output:
        readme="<results>/exports/{dataset}/{model}/seed{seed}/program/README.md",
        program="<results>/exports/{dataset}/{model}/seed{seed}/program/program.pt2",
    log:
        "<logs>/export_program/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/export_program/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(8000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("export_program"),
        library=library("export_program"),
        sampling=sampling_json,
    message:
        "Exporting {wildcards.model} of {wildcards.dataset}, seed {wildcards.seed}, for plain PyTorch"
    shell:
        "python {params.script:q} --weights {input.weights:q} --sampling {params.sampling:q}"
        " --output {output.program:q} --readme {output.readme:q} > {log:q} 2>&1"


rule export_layout:
    input:
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
        mem_mb=more_each_attempt(4000),
        runtime=more_each_attempt(120),
    params:
        script=script_file("export_layout"),
        library=library("export_layout"),
        train=exported_training_argument,
        generated=exported_argument,
    message:
        "Writing the {wildcards.model} images of {wildcards.dataset} as PNG files"
    shell:
        "python {params.script:q} {params.train:q} --slices held-out @{input.held_out_list:q}"
        " --slices test @{input.test_list:q} {params.generated:q} --receipt {output:q} > {log:q} 2>&1"
