# Raw volumes → 2-D slices; a job for each patient.


include: "../functions/data.smk"


rule write_phantom:
    output:
        "<results>/raw/{dataset}/receipts/{patient}.json",
    log:
        "<logs>/write_phantom/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/write_phantom/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset=datasets_of("phantom"),
    priority: 40  # before all others, because everything waits for the slices
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(1000),
        runtime=more_each_attempt(3),
        one_by_one=one_by_one,
    params:
        script=script_file("write_phantom"),
        library=library("write_phantom"),
        settings=source_json,
    message:
        "Writing the digital phantom {wildcards.patient} as DICOM"
    shell:
        "python {params.script:q} --patient {wildcards.patient:q} --settings {params.settings:q}"
        " --receipt {output:q} > {log:q} 2>&1"


rule prepare_patient:
    input:
        raw=raw_files,
    output:
        "<results>/slices/{dataset}/{patient}.npz",
    log:
        "<logs>/prepare_patient/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/prepare_patient/{dataset}/{patient}.tsv"
    priority: 40
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(4000),
        runtime=more_each_attempt(3),
        one_by_one=one_by_one,
    params:
        script=script_file("prepare_patient"),
        library=library("prepare_patient"),
        raw=raw_argument,
        preparation=preparation_json,
        row=slicing_row,
        not_annotated=not_annotated_option,
    message:
        "Slicing {wildcards.patient} of {wildcards.dataset}"
    shell:
        "python {params.script:q} --row {params.row:q} --preparation {params.preparation:q}"
        " --raw {params.raw:q} {params.not_annotated:q} --output {output:q} > {log:q} 2>&1"
