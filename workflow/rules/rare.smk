# Rare-case augmentation: images of new masks with a rare class, and what a segmenter gains from them. The seed is one
# of applications.rare.seeds; the model that generates is of the grid's first seed.


include: "../functions/rare.smk"


use rule generate_partial as generate_rare with:
    input:
        weights=first_weights,
        config=first_description,
        slices=whole_held_out_slices,
        lists=["<results>/data/{dataset}/held-out.txt"],
    output:
        "<results>/applications/rare/{dataset}/{model}/seed{seed}/generated.npz",
    pathvars:
        rule="generate_rare",
    wildcard_constraints:
        model=masked_models(),
        seed=one_of(map(str, RARE_SEEDS)),
    params:
        script=script_file("generate_rare"),
        library=library("generate_rare"),
        options=rare_options,
    message:
        "Generating rare cases of {wildcards.dataset} with {wildcards.model}, seed {wildcards.seed}"


use rule train_segmenter as train_augmented with:
    input:
        slices=held_out_slices,
        slices_list="<results>/data/{dataset}/held-out.txt",
        generated=[
            "<results>/applications/rare/{dataset}/{model}/seed{seed}/generated.npz"
        ],
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
    output:
        weights="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/model.safetensors",
        config="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/config.json",
        history="<results>/applications/rare/{dataset}/{model}/seed{seed}/segmenter/history.csv",
    log:
        "<logs>/<rule>/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/<rule>/{dataset}/{model}/seed{seed}.tsv"
    pathvars:
        rule="train_augmented",
    wildcard_constraints:
        seed=one_of(map(str, RARE_SEEDS)),
    params:
        script=script_file("train_augmented"),
        library=library("train_augmented"),
        generated=generated_argument,
    message:
        "Training the segmenter of {wildcards.dataset} on real images and generated rare cases"


rule measure_rare:
    input:
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated=first_rare_set,
        without=real_segmenters("model.safetensors"),
        without_config=real_segmenters("config.json"),
        augmented=rare_segmenters("model.safetensors"),
        augmented_config=rare_segmenters("config.json"),
    output:
        "<results>/applications/rare/{dataset}/{model}.csv",
    log:
        "<logs>/measure_rare/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/measure_rare/{dataset}/{model}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("measure_rare"),
        library=library("measure_rare"),
        classes=class_names,
        halves_seed=halves_seed(),
    message:
        "Measuring what generated rare cases add on {wildcards.dataset}"
    shell:
        "python {params.script:q} --test @{input.test_list:q} --generated {input.generated:q}"
        " --without {input.without:q} --augmented {input.augmented:q} --classes {params.classes:q}"
        " --halves-seed {params.halves_seed:q} --threads {threads} --deterministic {resources.deterministic} --output {output:q} > {log:q} 2>&1"
