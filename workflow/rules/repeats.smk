# Test masks that each model generates several images of: how much these vary is in table 3.


include: "../functions/repeats.smk"


localrules:
    repeat_masks,


rule repeat_masks:
    input:
        test=test_slices,
        test_list="<results>/data/{dataset}/test.txt",
    output:
        "<results>/data/{dataset}/repeated.npz",
    log:
        "<logs>/repeat_masks/{dataset}.log",
    benchmark:
        "<benchmarks>/repeat_masks/{dataset}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(4000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("repeat_masks"),
        library=library("repeat_masks"),
        options=repeats_options,
    message:
        "Choosing masks of {wildcards.dataset} for several images each"
    shell:
        "python {params.script:q} --slices @{input.test_list:q} {params.options:q} --output {output:q}"
        " > {log:q} 2>&1"
