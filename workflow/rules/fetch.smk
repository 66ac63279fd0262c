# Raw volumes from elsewhere.


include: "../functions/fetch.smk"


localrules:
    fetch_package,
    fetch_series,
    fetch_volume,


rule fetch_package:
    output:
        "<results>/downloads/{package}.tar.gz",
    log:
        "<logs>/fetch_package/{package}.log",
    benchmark:
        "<benchmarks>/fetch_package/{package}.tsv"
    priority: 40
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(500),
        runtime=more_each_attempt(10),
    params:
        script=script_file("fetch_package"),
        library=library("fetch_package"),
        sha256=package_sha256,
    message:
        "Downloading the source package {wildcards.package}"
    shell:
        "python {params.script:q} --requirement {wildcards.package:q} --sha256 {params.sha256:q}"
        " --output {output:q} > {log:q} 2>&1"


rule fetch_series:
    output:
        "<results>/raw/{dataset}/receipts/{patient}.json",
    log:
        "<logs>/fetch_series/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/fetch_series/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset=datasets_of("idc"),
    priority: 40
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(120),
        download=1,  # workflow/profiles/default says how many run at a time
        # A resource and no parameter: every server sends the same files, so another one reruns nothing.
        endpoint=endpoint,
    params:
        script=script_file("fetch_series"),
        library=library("fetch_series"),
        row=source_row,
        folder=mask_folder,
        masks=mask_files,
    message:
        "Downloading the series of {wildcards.patient}"
    shell:
        "python {params.script:q} --row {params.row:q} --mask-folder {params.folder:q}"
        " --masks {params.masks:q} --endpoint {resources.endpoint:q} --receipt {output:q}"
        " > {log:q} 2>&1"


rule fetch_volume:
    input:
        local=local_volumes,
    output:
        "<results>/raw/{dataset}/receipts/{patient}.json",
    log:
        "<logs>/fetch_volume/{dataset}/{patient}.log",
    benchmark:
        "<benchmarks>/fetch_volume/{dataset}/{patient}.tsv"
    wildcard_constraints:
        dataset=datasets_of("ct-org"),
    priority: 40
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(500),
        runtime=more_each_attempt(150),
        download=1,
        # As above, for the mirror; the local files are inputs.
        settings=source_json,
    params:
        script=script_file("fetch_volume"),
        library=library("fetch_volume"),
        row=source_row,
    message:
        "Fetching {wildcards.patient} of {wildcards.dataset}"
    shell:
        "python {params.script:q} --row {params.row:q} --settings {resources.settings:q} --receipt {output:q}"
        " > {log:q} 2>&1"
