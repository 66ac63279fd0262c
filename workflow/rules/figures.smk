# The figures: real images, masks and generated images of test patients, from the grid's first seed.


include: "../functions/figures.smk"


localrules:
    draw_figure1,
    draw_figure2,
    draw_figure5,
    draw_showcase,


rule draw_figure2:
    input:
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_images,
    output:
        png=reported("figure2.png", "figure2", "each model's images from test masks"),
        pdf="<results>/figure2.pdf",
    log:
        "<logs>/<rule>.log",
    benchmark:
        "<benchmarks>/<rule>.tsv"
    pathvars:
        rule="draw_figure2",
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_figure2"),
        library=library("draw_figure2"),
        datasets=figure_arguments,
        models=guided_columns,
        shown=option("--shown", [CONFIG.figures.to_json()]),
    message:
        "Drawing figure 2: each model's images from the same test masks"
    shell:
        "python {params.script:q} {params.datasets:q} {params.models:q} {params.shown:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


use rule draw_figure2 as draw_figure1 with:
    input:
        slices=figure_slices,
        lists=figure_lists,
        generated=figure1_images,
        free=free_images,
    output:
        png=reported("figure1.png", "figure1", "images with a mask and without one"),
        pdf="<results>/figure1.pdf",
    pathvars:
        rule="draw_figure1",
    params:
        script=script_file("draw_figure1"),
        library=library("draw_figure1"),
        datasets=figure1_arguments,
        models=figure1_columns,
        shown=[],
    message:
        "Drawing figure 1: real and mask-guided images, and images of no mask"


# Masks that a model's completer makes from nothing, and their images.
use rule generate_partial as generate_free with:
    output:
        "<results>/free/{dataset}/{model}/seed{seed}.npz",
    pathvars:
        rule="generate_free",
    wildcard_constraints:
        model=models_with_completer(),
    params:
        script=script_file("generate_free"),
        library=library("generate_free"),
        options=free_options,
    message:
        "Generating masks and images of {wildcards.dataset} from nothing"


use rule draw_figure2 as draw_figure5 with:
    output:
        png=reported("figure5.png", "figure5", "more of figure 2"),
        pdf="<results>/figure5.pdf",
    pathvars:
        rule="draw_figure5",
    params:
        script=script_file("draw_figure5"),
        library=library("draw_figure5"),
    message:
        "Drawing figure 5: more of figure 2, from other test masks"


rule draw_showcase:
    input:
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_images,
    output:
        "<results>/showcase.png",
    log:
        "<logs>/draw_showcase.log",
    benchmark:
        "<benchmarks>/draw_showcase.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=more_each_attempt(2000),
        runtime=more_each_attempt(10),
    params:
        script=script_file("draw_showcase"),
        library=library("draw_showcase"),
        datasets=figure_arguments,
        models=guided_columns,
        real=publishable_datasets(),
    message:
        "Drawing the picture of the README"
    shell:
        "python {params.script:q} {params.datasets:q} {params.models:q} {params.real:q}"
        " --png {output:q} > {log:q} 2>&1"
