# Raw volumes → 2-D slices, one patient a job.


localrules:
    fetch_package,
    fetch_series,
    fetch_volume,


rule fetch_package:
    input:
        script="scripts/fetch_package.py",
    output:
        "<results>/downloads/{package}.tar.gz",
    log:
        "<logs>/fetch_package/{package}.log",
    benchmark:
        "<benchmarks>/fetch_package/{package}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        library=library("fetch_package"),
        sha256=lookup_sha256,
    message:
        "Downloading the source package {wildcards.package}"
    shell:
        "python {input.script:q} --requirement {wildcards.package:q} --sha256 {params.sha256:q}"
        " --output {output:q} > {log:q} 2>&1"


rule fetch_series:
    input:
        script="scripts/fetch_series.py",
    output:
        "<results>/raw/{dataset}/receipts/{patient}.json",
    log:
        "<logs>/fetch_series/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/fetch_series/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset=datasets_of("idc"),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
        download=1,  # at a time: as many as workflow/profiles/default allows
        endpoint=endpoint,  # no parameter: a series is the same from any server, so that another reruns nothing
    params:
        library=library("fetch_series"),
        row=source_row,
        folder=mask_folder,
        masks=mask_files,
    message:
        "Downloading the series of {wildcards.patient}"
    shell:
        "python {input.script:q} --row {params.row:q} --mask-folder {params.folder:q}"
        " --masks {params.masks:q} --endpoint {resources.endpoint:q} --receipt {output:q}"
        " > {log:q} 2>&1"


rule fetch_volume:
    input:
        script="scripts/fetch_volume.py",
        local=local_volumes,
    output:
        "<results>/raw/{dataset}/receipts/{patient}.json",
    log:
        "<logs>/fetch_volume/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/fetch_volume/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset=datasets_of("ct-org"),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(150),
        download=1,  # at a time: as many as workflow/profiles/default allows
        settings=source_json,  # no parameter: the local files are inputs, and any mirror sends the same
    params:
        library=library("fetch_volume"),
        row=source_row,
    message:
        "Fetching {wildcards.patient} of {wildcards.dataset}"
    shell:
        "python {input.script:q} --row {params.row:q} --settings {resources.settings:q} --receipt {output:q}"
        " > {log:q} 2>&1"


rule write_phantom:
    input:
        script="scripts/write_phantom.py",
    output:
        "<results>/raw/{dataset}/receipts/{patient}.json",
    log:
        "<logs>/write_phantom/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/write_phantom/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset=datasets_of("phantom"),
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(3),
        in_turn=in_turn,
    params:
        library=library("write_phantom"),
        settings=source_json,
    message:
        "Writing the digital phantom {wildcards.patient} as DICOM"
    shell:
        "python {input.script:q} --patient {wildcards.patient:q} --settings {params.settings:q}"
        " --receipt {output:q} > {log:q} 2>&1"


rule prepare_patient:
    input:
        script="scripts/prepare_patient.py",
        raw=raw_files,
    output:
        "<results>/slices/{dataset}/{patient}.npz",
    log:
        "<logs>/prepare_patient/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/prepare_patient/{dataset}/{patient}.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(3),
        in_turn=in_turn,
    params:
        library=library("prepare_patient"),
        raw=raw_argument,
        preparation=preparation_json,
        row=slicing_row,
    message:
        "Slicing {wildcards.patient} of {wildcards.dataset}"
    shell:
        "python {input.script:q} --row {params.row:q} --preparation {params.preparation:q}"
        " --raw {params.raw:q} --output {output:q} > {log:q} 2>&1"
