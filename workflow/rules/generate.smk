# Generated sets: an image for every mask of the test and of the held-out patients, and several of some test masks.


include: "../functions/generate.smk"


rule generate_diffusion:
    input:
        weights=model_weights,
        config=model_description,
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        held_out=held_out_slices,
        held_out_list="<results>/data/{dataset}/held-out.txt",
        repeated="<results>/data/{dataset}/repeated.npz",
    output:
        test=generated_set("<results>/generated/{dataset}/{model}/seed{seed}/test.npz"),
        held_out=generated_set(
            "<results>/generated/{dataset}/{model}/seed{seed}/held-out.npz"
        ),
        repeated=generated_set(
            "<results>/generated/{dataset}/{model}/seed{seed}/repeated.npz"
        ),
    log:
        by_shard("<logs>/<rule>/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        by_shard("<benchmarks>/<rule>/{dataset}/{model}/seed{seed}.tsv")
    pathvars:
        rule="generate_diffusion",
    wildcard_constraints:
        model=models_of("diffusion", "imported", "shared_weights"),
    # Before segmenters that could wait: one that learns from these images, and its measuring, follow.
    priority: 8
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        compile=COMPILE,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(480),
    params:
        script=script_file("generate_diffusion"),
        library=library("generate_diffusion"),
        sampling=sampling_json,
        shard=shard_argument,
    message:
        "Generating images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {params.script:q} --weights {input.weights:q} --sampling {params.sampling:q} {params.shard:q}"
        " --slices @{input.test_list:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --output {output.held_out:q}"
        " --slices {input.repeated:q} --output {output.repeated:q}"
        " --seed {wildcards.seed:q} --threads {threads} --deterministic {resources.deterministic}"
        " --compile {resources.compile} > {log:q} 2>&1"


use rule generate_diffusion as generate_controlnet with:
    pathvars:
        rule="generate_controlnet",
    wildcard_constraints:
        model=models_of("controlnet"),
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        compile=COMPILE,
        mem_mb=more_each_attempt(32000),
        runtime=more_each_attempt(480),
    params:
        script=script_file("generate_controlnet"),
        library=library("generate_controlnet"),


use rule generate_diffusion as generate_regression with:
    pathvars:
        rule="generate_regression",
    wildcard_constraints:
        model=models_of("regression"),
    params:
        script=script_file("generate_regression"),
        library=library("generate_regression"),
        sampling=CONFIG.sampling.generation_json(),


use rule generate_diffusion as generate_spade with:
    pathvars:
        rule="generate_spade",
    wildcard_constraints:
        model=models_of("spade"),
    params:
        script=script_file("generate_spade"),
        library=library("generate_spade"),
        sampling=CONFIG.sampling.generation_json(),


rule gather_images:
    input:
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
        repeated="<results>/data/{dataset}/repeated.npz",
        repeated_shards=gather.generation(
            "<results>/generated/{{dataset}}/{{model}}/seed{{seed}}/{scatteritem}/repeated.npz"
        ),
    output:
        test="<results>/generated/{dataset}/{model}/seed{seed}/test.npz",
        held_out="<results>/generated/{dataset}/{model}/seed{seed}/held-out.npz",
        repeated="<results>/generated/{dataset}/{model}/seed{seed}/repeated.npz",
    log:
        "<logs>/gather_images/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/gather_images/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=models_in_shards(),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(8000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("gather_images"),
        library=library("gather_images"),
    message:
        "Gathering the images of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python {params.script:q}"
        " --slices @{input.test_list:q} --shards {input.test_shards:q} --output {output.test:q}"
        " --slices @{input.held_out_list:q} --shards {input.held_out_shards:q} --output {output.held_out:q}"
        " --slices {input.repeated:q} --shards {input.repeated_shards:q} --output {output.repeated:q}"
        " > {log:q} 2>&1"
