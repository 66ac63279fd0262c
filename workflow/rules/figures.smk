# The figures: real images, masks and generated images of test patients, from the grid's first seed.


localrules:
    draw_figure1,
    draw_figure2,
    draw_figure3,
    draw_figure4,
    draw_figure5,
    draw_figure6,
    draw_showcase,


rule draw_figure1:
    input:
        script="scripts/draw_figure1.py",
        library=library("draw_figure1"),
        slices=figure_slices,
        generated=figure_images,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=figure_arguments,
    message:
        "Drawing figure 1: real, mask-guided and unconditional images"
    shell:
        "python {input.script} {params.datasets} --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure2:
    input:
        script="scripts/draw_figure2.py",
        library=library("draw_figure2"),
        slices=figure_slices,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=figure_arguments,
        models=column_arguments(CONFIG.guided_models),
    message:
        "Drawing figure 2: each model's images from the same test masks"
    shell:
        "python {input.script} {params.datasets} {params.models}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure5:
    input:
        script="scripts/draw_figure5.py",
        library=library("draw_figure5"),
        slices=figure_slices,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=figure_arguments,
        models=column_arguments(CONFIG.guided_models),
    message:
        "Drawing figure 5: more of figure 2, from other test masks"
    shell:
        "python {input.script} {params.datasets} {params.models}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure3:
    input:
        script="scripts/draw_figure3.py",
        library=library("draw_figure3"),
        slices=figure_slices,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=partial_arguments,
        models=column_arguments(CONFIG.partial_models),
    message:
        "Drawing figure 3: masks with classes removed and images from them"
    shell:
        "python {input.script} {params.datasets} {params.models}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure4:
    input:
        script="scripts/draw_figure4.py",
        library=library("draw_figure4"),
        slices=figure_slices,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=similarity_arguments,
        kept=kept_json(),
    message:
        "Drawing figure 4: images of adjustable similarity to real ones"
    shell:
        "python {input.script} {params.datasets} --kept {params.kept:q} --curves {input.curves:q}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_figure6:
    input:
        script="scripts/draw_figure6.py",
        library=library("draw_figure6"),
        slices=figure_slices,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=partial_arguments,
        models=column_arguments(CONFIG.partial_models[:1]),
    message:
        "Drawing figure 6: more masks with classes removed"
    shell:
        "python {input.script} {params.datasets} {params.models}"
        " --png {output.png:q} --pdf {output.pdf:q} > {log:q} 2>&1"


rule draw_showcase:
    input:
        script="scripts/draw_showcase.py",
        library=library("draw_showcase"),
        slices=figure_slices,
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
        mem_mb=2000,
        runtime="10m",
    params:
        datasets=figure_arguments,
        models=column_arguments(CONFIG.guided_models),
        real=publishable_datasets(),
    message:
        "Drawing the picture of the README"
    shell:
        "python {input.script} {params.datasets} {params.models} {params.real}"
        " --png {output:q} > {log:q} 2>&1"
