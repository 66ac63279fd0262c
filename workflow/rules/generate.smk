# Synthetic sets: an image for every mask of the test and of the held-out patients.


rule generate_diffusion:
    input:
        script="scripts/generate_diffusion.py",
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
        of_shard("<logs>/generate_diffusion/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        of_shard("<benchmarks>/generate_diffusion/{dataset}/{model}/seed{seed}.tsv")
    wildcard_constraints:
        model=models_of("diffusion", "imported"),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        library=library("generate_diffusion"),
        sampling=CONFIG.sampling.to_json(),
        shard=shard_argument,
    message:
        "Generating images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --weights {input.weights:q} --sampling {params.sampling:q} {params.shard:q}"
        " --slices @{input.test_list:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --output {output.held_out:q}"
        " --seed {wildcards.seed:q} --threads {threads} > {log:q} 2>&1"


rule generate_spade:
    input:
        script="scripts/generate_spade.py",
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
        of_shard("<logs>/generate_spade/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        of_shard("<benchmarks>/generate_spade/{dataset}/{model}/seed{seed}.tsv")
    wildcard_constraints:
        model=models_of("spade"),
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        library=library("generate_spade"),
        sampling=CONFIG.sampling.generation_json(),
        shard=shard_argument,
    message:
        "Generating images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script:q} --weights {input.weights:q} --sampling {params.sampling:q} {params.shard:q}"
        " --slices @{input.test_list:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --output {output.held_out:q}"
        " --seed {wildcards.seed:q} --threads {threads} > {log:q} 2>&1"


rule gather_images:
    input:
        script="scripts/gather_images.py",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        test_shards=gather.generation(
            "<results>/generated/{{dataset}}/{{model}}/seed{{seed}}/{scatteritem}/test.npz"
        ),
        held_out=held_out_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
        held_out_shards=gather.generation(
            "<results>/generated/{{dataset}}/{{model}}/seed{{seed}}/{scatteritem}/held-out.npz"
        ),
    output:
        test="<results>/generated/{dataset}/{model}/seed{seed}/test.npz",
        held_out="<results>/generated/{dataset}/{model}/seed{seed}/held-out.npz",
    log:
        "<logs>/gather_images/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/gather_images/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=sharded_models(),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        library=library("gather_images"),
    message:
        "Gathering the images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script:q}"
        " --slices @{input.test_list:q} --shards {input.test_shards:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --shards {input.held_out_shards:q} --output {output.held_out:q}"
        " > {log:q} 2>&1"
