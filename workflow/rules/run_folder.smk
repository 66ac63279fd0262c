# run.json beside a model's weights: what scripts/generate.py needs. `all` makes none: a renamed class would make it
# again, and nothing of the tables needs it.


include: "../functions/run_folder.smk"


localrules:
    runs,


rule runs:  # all that scripts/generate.py needs of the grid's models
    input:
        run_files(),


rule write_run:
    input:
        weights=own_weights,
        config=model_description,
        completer=run_completer,
        train=training_slices,
        train_list="<results>/data/{dataset}/train.txt",
        held_out_list="<results>/data/{dataset}/held-out.txt",
        test_list="<results>/data/{dataset}/test.txt",
    output:
        "<results>/runs/{dataset}/{model}/seed{seed}/run.json",
    log:
        "<logs>/write_run/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/write_run/{dataset}/{model}/seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(own_models()),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(4000),
        runtime=more_each_attempt(30),
    params:
        script=script_file("write_run"),
        library=library("write_run"),
        settings=run_settings,
        completer=completer_argument,
    message:
        "Writing what {wildcards.model} of {wildcards.dataset}, seed {wildcards.seed}, is"
    shell:
        "python {params.script:q} --settings {params.settings:q} --weights {input.weights:q} {params.completer:q}"
        " --train @{input.train_list:q} --held-out-list {input.held_out_list:q} --test-list {input.test_list:q}"
        " --output {output:q} > {log:q} 2>&1"
