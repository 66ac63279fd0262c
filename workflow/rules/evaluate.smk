# Dice of generated images and of the segmenters trained on them; the tables.


include: "../functions/evaluate.smk"


localrules:
    make_table,
    draw_table,


rule evaluate_model:
    input:
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        train=training_slices,
        train_list="<results>/data/{dataset}/train.txt",
        generated=generated_test,
        repeated=generated_repeated,
        run=run_description,
        held_out=reference_slices,
        held_out_list=reference_list,
        evaluator="<results>/segmenters/{dataset}/real/seed{seed}/model.safetensors",
        evaluator_config="<results>/segmenters/{dataset}/real/seed{seed}/config.json",
        trained_on="<results>/segmenters/{dataset}/{model}/seed{seed}/model.safetensors",
        trained_on_config="<results>/segmenters/{dataset}/{model}/seed{seed}/config.json",
    output:
        "<results>/metrics/{dataset}/{model}/seed{seed}.json",
    log:
        "<logs>/evaluate_model/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/evaluate_model/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(120),
    params:
        script=script_file("evaluate_model"),
        library=library("evaluate_model"),
        generated=generated_argument,
        repeated=repeated_argument,
        run=run_argument,
        held_out=reference_argument,
        evaluation=evaluation_json,
        classes=class_names,
    message:
        "Measuring {wildcards.model} on {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python {params.script:q} --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {wildcards.seed:q}"
        " --test @{input.test_list:q} --train @{input.train_list:q} {params.generated:q} {params.repeated:q}"
        " {params.run:q} {params.held_out:q}"
        " --evaluator {input.evaluator:q} --trained-on {input.trained_on:q} --classes {params.classes:q}"
        " --evaluation {params.evaluation:q} --threads {threads} --deterministic {resources.deterministic} --output {output:q} > {log:q} 2>&1"


rule make_table:
    input:
        records=metrics_records,
        paper="workflow/paper_values.tsv",
    output:
        csv=reported("table{table}.csv", "table", "all numbers"),
        markdown="<results>/table{table}.md",
        comparisons=reported("table{table}_comparisons.csv", "table", "pairs of models"),
    log:
        "<logs>/make_table/{table}.log",
    benchmark:
        "<benchmarks>/make_table/{table}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("make_table"),
        library=library("make_table"),
        settings=table_settings_json,
    message:
        "Writing table {wildcards.table}"
    shell:
        "python {params.script:q} --table {wildcards.table:q} --records {input.records:q} --paper {input.paper:q}"
        " --settings {params.settings:q} --csv {output.csv:q} --markdown {output.markdown:q}"
        " --comparisons {output.comparisons:q} > {log:q} 2>&1"


rule draw_table:
    input:
        csv="<results>/table{table}.csv",
    output:
        png=reported("table{table}.png", "table", "as printed"),
        pdf="<results>/table{table}.pdf",
    log:
        "<logs>/draw_table/{table}.log",
    benchmark:
        "<benchmarks>/draw_table/{table}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_table"),
        library=library("draw_table"),
        settings=table_settings_json,
    message:
        "Typesetting table {wildcards.table}"
    shell:
        "python {params.script:q} --table {wildcards.table:q} --csv {input.csv:q}"
        " --settings {params.settings:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"
