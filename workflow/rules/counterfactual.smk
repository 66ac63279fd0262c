# Counterfactual images: what a test patient's image would be, were a class of its mask removed, grown, moved, ….


include: "../functions/counterfactual.smk"


localrules:
    draw_counterfactual,


use rule generate_partial as generate_counterfactual with:
    input:
        weights=model_weights,
        config=model_description,
        slices=test_slices,
        lists=["<results>/data/{dataset}/test.txt"],
        donors=whole_held_out_slices,
        donors_list=["<results>/data/{dataset}/held-out.txt"],
    output:
        "<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.npz",
    pathvars:
        rule="generate_counterfactual",
    wildcard_constraints:
        model=masked_models(),
    params:
        script=script_file("generate_counterfactual"),
        library=library("generate_counterfactual"),
        lists=counterfactual_lists,
        sampling=CONFIG.sampling.generation_json(),
        options=counterfactual_options,
    message:
        "Generating counterfactual images of {wildcards.dataset} with {wildcards.model}"


rule measure_counterfactual:
    input:
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
        generated="<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.npz",
        evaluator=f"<results>/segmenters/{{dataset}}/{REAL}/seed{{seed}}/model.safetensors",
        evaluator_config=f"<results>/segmenters/{{dataset}}/{REAL}/seed{{seed}}/config.json",
    output:
        "<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.csv",
    log:
        "<logs>/measure_counterfactual/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/measure_counterfactual/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 4
    resources:
        gpu=1,
        deterministic=DETERMINISTIC,
        mem_mb=more_each_attempt(16000),
        runtime=more_each_attempt(60),
    params:
        script=script_file("measure_counterfactual"),
        library=library("measure_counterfactual"),
        edited=edited_value,
        classes=class_names,
    message:
        "Measuring what counterfactual images of {wildcards.dataset} change"
    shell:
        "python {params.script:q} --slices @{input.test_list:q} --generated {input.generated:q}"
        " --evaluator {input.evaluator:q} --edited-class {params.edited:q} --classes {params.classes:q}"
        " --threads {threads} --deterministic {resources.deterministic} --output {output:q} > {log:q} 2>&1"


rule draw_counterfactual:
    input:
        slices=test_slices,
        slices_list="<results>/data/{dataset}/test.txt",
        generated="<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.npz",
        measured="<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.csv",
    output:
        png="<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.png",
        markdown="<results>/applications/counterfactual/{dataset}/{model}/seed{seed}.md",
    log:
        "<logs>/draw_counterfactual/{dataset}/{model}/seed{seed}.log",
    benchmark:
        "<benchmarks>/draw_counterfactual/{dataset}/{model}/seed{seed}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_counterfactual"),
        library=library("draw_counterfactual"),
        dataset=counterfactual_json,
        edited=edited_class,
    message:
        "Drawing counterfactual images of {wildcards.dataset}"
    shell:
        "python {params.script:q} --dataset {params.dataset:q} --model {wildcards.model:q} --edited-class {params.edited:q}"
        " --measured {input.measured:q} --png {output.png:q} --markdown {output.markdown:q} > {log:q} 2>&1"
