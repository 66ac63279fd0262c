# Comparisons within the grid: what each setting of a model adds, and how the value of one setting decides.


include: "../functions/ablation.smk"


localrules:
    ablation,
    sweeps,
    make_ablation,
    draw_ablation,
    draw_sweep,


rule ablation:  # what each setting of a model adds: `make ablation`
    input:
        ablation_files(),


rule sweeps:  # what is measured against the value of one setting
    input:
        sweep_files(),


rule time_training:
    input:
        train=training_slices,
        train_list="<results>/data/{dataset}/train.txt",
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{FIRST_SEED}/config.json",
        against=timed_against,
        perceptual=timed_perceptual,
    output:
        "<results>/times/{dataset}/{model}.json",
    log:
        "<logs>/time_training/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/time_training/{dataset}/{model}.tsv"
    wildcard_constraints:
        model=ablation_models(),
    conda:
        "../../envs/segguided.yaml"
    threads: 8
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(32000, most=2),
        runtime="24h",
    params:
        script=script_file("time_training"),
        library=library("time_training"),
        model=timed_settings,
        sampling=sampling_json,
        timing=timing_json,
        against=against_argument,
        perceptual=perceptual_argument,
        classes=class_names,
        seed=FIRST_SEED,
    message:
        "Timing the training of {wildcards.model} on {wildcards.dataset}"
    shell:
        "python {params.script:q} --dataset {wildcards.dataset:q} --model-name {wildcards.model:q}"
        " --model {params.model:q} --sampling {params.sampling:q} --timing {params.timing:q} {params.against:q}"
        " {params.perceptual:q}"
        " --train @{input.train_list:q} --test @{input.test_list:q} --evaluator {input.evaluator:q}"
        " --classes {params.classes:q} --seed {params.seed:q} --threads {threads}"
        " --deterministic {resources.deterministic} --output {output:q} > {log:q} 2>&1"


rule make_ablation:
    input:
        records=ablation_records,
        times=ablation_times,
    output:
        csv=reported("ablation.csv", "ablation", "all numbers"),
        markdown="<results>/ablation.md",
    log:
        "<logs>/make_ablation.log",
    benchmark:
        "<benchmarks>/make_ablation.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("make_ablation"),
        library=library("make_ablation"),
        times=time_arguments,
        settings=ablation_settings,
        share=ablation_share,
    message:
        "Writing the table of the ablation"
    shell:
        "python {params.script:q} --records {input.records:q} {params.times:q} --settings {params.settings:q}"
        " --share {params.share:q} --csv {output.csv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule draw_ablation:
    input:
        csv="<results>/ablation.csv",
    output:
        png=reported("ablation.png", "ablation", "as a figure"),
        pdf="<results>/ablation.pdf",
    log:
        "<logs>/draw_ablation.log",
    benchmark:
        "<benchmarks>/draw_ablation.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_ablation"),
        library=library("draw_ablation"),
    message:
        "Drawing the ablation"
    shell:
        "python {params.script:q} --csv {input.csv:q} --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_sweep:
    input:
        records=sweep_records,
    output:
        csv="<results>/sweeps/{sweep}.csv",
        png="<results>/sweeps/{sweep}.png",
        pdf="<results>/sweeps/{sweep}.pdf",
    log:
        "<logs>/draw_sweep/{sweep}.log",
    benchmark:
        "<benchmarks>/draw_sweep/{sweep}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_sweep"),
        library=library("draw_sweep"),
        settings=sweep_settings,
        sweep=sweep_json,
    message:
        "Drawing the sweep of {wildcards.sweep}"
    shell:
        "python {params.script:q} --records {input.records:q} --settings {params.settings:q}"
        " --sweep {params.sweep:q} --csv {output.csv:q} --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"
