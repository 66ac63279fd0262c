# Training of segmenters, on real or generated images; it stops and continues as other trainings do.


include: "../functions/segment.smk"


rule train_segmenter:
    input:
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
        "<logs>/<rule>/{dataset}/{train_set}/seed{seed}.log",
    benchmark:
        "<benchmarks>/<rule>/{dataset}/{train_set}/seed{seed}.tsv"
    pathvars:
        rule="train_segmenter",
    wildcard_constraints:
        seed=one_of(map(str, SEGMENTER_SEEDS)),
    priority: 5
    conda:
        "../../envs/segguided.yaml"
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
        script=script_file("train_segmenter"),
        library=library("train_segmenter"),
        generated=generated_argument,
        segmenter=CONFIG.segmenter.to_json(),
        n_classes=count_classes,
        halves_seed=halves_seed(),
    message:
        "Training the segmenter of {wildcards.dataset} on {wildcards.train_set} images, seed {wildcards.seed}"
    shell:
        "python {params.script:q} --slices @{input.slices_list:q} {params.generated:q}"
        " --test @{input.test_list:q} --halves-seed {params.halves_seed:q} --segmenter {params.segmenter:q}"
        " --n-classes {params.n_classes:q} --seed {wildcards.seed:q} --threads {threads} --deterministic {resources.deterministic}"
        " --compile {resources.compile}"
        " --gpus {resources.gpu}"
        " --checkpoint-seconds {resources.checkpoint_seconds} --preview-every {resources.preview_every}"
        " --tensorboard {resources.tensorboard} --output {output.weights:q} > {log:q} 2>&1"
