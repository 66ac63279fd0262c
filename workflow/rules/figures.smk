# The figures: real images, masks and generated images of test patients, from the grid's first seed.


localrules:
    draw_figure1,
    draw_figure2,
    draw_figure5,
    draw_showcase,


rule draw_figure1:
    input:
        script="scripts/draw_figure1.py",
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_compared_images,
    output:
        png=reported(
            "figure1.png", "figure1", "real, mask-guided and unconditional images"
        ),
        pdf="<results>/figure1.pdf",
    log:
        "<logs>/draw_figure1.log",
    benchmark:
        "<benchmarks>/draw_figure1.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_figure1"),
        datasets=figure_arguments,
    message:
        "Drawing figure 1: real, mask-guided and unconditional images"
    shell:
        "python {input.script:q} {params.datasets:q} --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure2:
    input:
        script="scripts/draw_figure2.py",
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_images,
    output:
        png=reported("figure2.png", "figure2", "each model's images from test masks"),
        pdf="<results>/figure2.pdf",
    log:
        "<logs>/draw_figure2.log",
    benchmark:
        "<benchmarks>/draw_figure2.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_figure2"),
        datasets=figure_arguments,
        models=guided_columns,
    message:
        "Drawing figure 2: each model's images from the same test masks"
    shell:
        "python {input.script:q} {params.datasets:q} {params.models:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure5:
    input:
        script="scripts/draw_figure5.py",
        slices=figure_slices,
        lists=figure_lists,
        generated=figure_images,
    output:
        png=reported("figure5.png", "figure5", "more of figure 2"),
        pdf="<results>/figure5.pdf",
    log:
        "<logs>/draw_figure5.log",
    benchmark:
        "<benchmarks>/draw_figure5.tsv"
    conda:
        "../../envs/segguided.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_figure5"),
        datasets=figure_arguments,
        models=guided_columns,
    message:
        "Drawing figure 5: more of figure 2, from other test masks"
    shell:
        "python {input.script:q} {params.datasets:q} {params.models:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_showcase:
    input:
        script="scripts/draw_showcase.py",
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
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        library=library("draw_showcase"),
        datasets=figure_arguments,
        models=guided_columns,
        real=publishable_datasets(),
    message:
        "Drawing the picture of the README"
    shell:
        "python {input.script:q} {params.datasets:q} {params.models:q} {params.real:q}"
        " --png {output:q} > {log:q} 2>&1"
