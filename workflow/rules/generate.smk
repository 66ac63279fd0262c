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
        test="<results>/generated/{dataset}/{model}/seed{seed}/test.npz",
        held_out="<results>/generated/{dataset}/{model}/seed{seed}/held-out.npz",
    log:
        "<logs>/generate_diffusion/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/generate_diffusion/{dataset}/{model}/seed{seed}.tsv"
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
    message:
        "Generating images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script} --weights {input.weights:q} --sampling {params.sampling:q}"
        " --slices @{input.test_list:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --output {output.held_out:q}"
        " --seed {wildcards.seed} --threads {threads} > {log:q} 2>&1"


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
        test="<results>/generated/{dataset}/{model}/seed{seed}/test.npz",
        held_out="<results>/generated/{dataset}/{model}/seed{seed}/held-out.npz",
    log:
        "<logs>/generate_spade/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/generate_spade/{dataset}/{model}/seed{seed}.tsv"
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
        sampling=CONFIG.sampling.to_json(),
    message:
        "Generating images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {input.script} --weights {input.weights:q} --sampling {params.sampling:q}"
        " --slices @{input.test_list:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --output {output.held_out:q}"
        " --seed {wildcards.seed} --threads {threads} > {log:q} 2>&1"
