"""The measures of Tables 1 to 3 that ablation and sweeps compare: their keys in a record, and their names."""

from segguided.config.reserved import MACRO

RATIO = "faithfulness.mask.ratio"  # Dice(m_gen, m) over that of real images
MEASURES = {
    "dice_over_ceiling": f"{RATIO}.{MACRO}",
    "downstream_over_ceiling": f"quality.model.ratio.{MACRO}",
    "kernel_unseen": "likeness.kernel.unseen",
    "kernel_segmenter": "likeness.kernel.segmenter",
    "diversity": f"likeness.diversity.{MACRO}",
    "high_power": "likeness.spectrum.high_power",
    "spectrum_distance": "likeness.spectrum.distance",
}
# As real images have them; of the kernel distances those of real held-out images are in the table.
AS_REAL = {"dice_over_ceiling": 1.0, "downstream_over_ceiling": 1.0, "diversity": 1.0, "high_power": 1.0}
HEADINGS = {
    "dice_over_ceiling": "Dice(m_gen, m) / ceiling",
    "downstream_over_ceiling": "downstream Dice / ceiling",
    "kernel_unseen": "kernel distance, unseen features",
    "kernel_segmenter": "kernel distance × 1,000, segmenter's features",
    "diversity": "diversity",
    "high_power": "high power",
    "spectrum_distance": "spectrum, dB",
}
