# The figures of partial masks and of similarity to a real image, from the grid's first seed.


localrules:
    draw_figure3,
    draw_figure4,
    draw_figure6,


rule draw_figure3:
    input:
        script="scripts/draw_figure3.py",
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_partial_images,
    output:
        png=reported("figure3.png", "figure3", "images from masks with classes removed"),
        pdf="<results>/figure3.pdf",
    log:
        "<logs>/draw_figure3.log",
    benchmark:
        "<benchmarks>/draw_figure3.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_figure3"),
        datasets=partial_arguments,
        models=partial_columns,
    message:
        "Drawing figure 3: masks with classes removed and images from them"
    shell:
        "python {input.script:q} {params.datasets:q} {params.models:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure4:
    input:
        script="scripts/draw_figure4.py",
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_similar_images,
        curves=similarity_measurements,
    output:
        png=reported("figure4.png", "figure4", "similarity to a real image, by λ"),
        pdf="<results>/figure4.pdf",
    log:
        "<logs>/draw_figure4.log",
    benchmark:
        "<benchmarks>/draw_figure4.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_figure4"),
        datasets=similarity_arguments,
        kept=kept_json(),
    message:
        "Drawing figure 4: images of adjustable similarity to real ones"
    shell:
        "python {input.script:q} {params.datasets:q} --kept {params.kept:q} --curves {input.curves:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure6:
    input:
        script="scripts/draw_figure6.py",
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_partial_images,
    output:
        png=reported("figure6.png", "figure6", "more of figure 3"),
        pdf="<results>/figure6.pdf",
    log:
        "<logs>/draw_figure6.log",
    benchmark:
        "<benchmarks>/draw_figure6.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_figure6"),
        datasets=partial_arguments,
        models=first_partial_column,
    message:
        "Drawing figure 6: more masks with classes removed"
    shell:
        "python {input.script:q} {params.datasets:q} {params.models:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"
