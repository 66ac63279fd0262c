# The figures of partial masks and of similarity to a real image, from the grid's first seed.


include: "../functions/partial_figures.smk"


localrules:
    draw_figure3,
    draw_figure4,
    draw_figure6,


use rule draw_figure2 as draw_figure3 with:
    input:
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_partial_images,
    output:
        png=reported("figure3.png", "figure3", "images from masks with classes removed"),
        pdf="<results>/figure3.pdf",
    pathvars:
        rule="draw_figure3",
    params:
        script=script_file("draw_figure3"),
        library=library("draw_figure3"),
        datasets=partial_arguments,
        models=partial_columns,
        shown=[],
    message:
        "Drawing figure 3: masks with classes removed and images from them"


use rule draw_figure3 as draw_figure6 with:
    output:
        png=reported("figure6.png", "figure6", "more of figure 3"),
        pdf="<results>/figure6.pdf",
    pathvars:
        rule="draw_figure6",
    params:
        script=script_file("draw_figure6"),
        library=library("draw_figure6"),
        models=first_partial_column,
    message:
        "Drawing figure 6: more masks with classes removed"


rule draw_figure4:
    input:
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
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_figure4"),
        library=library("draw_figure4"),
        datasets=similarity_arguments,
        kept=kept_json(),
    message:
        "Drawing figure 4: images of adjustable similarity to real ones"
    shell:
        "python {params.script:q} {params.datasets:q} --kept {params.kept:q} --curves {input.curves:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"
