"""What more patients would need: a table of workflow/docs/cost.md, counted from the page's other numbers."""

from dataclasses import dataclass

TIMES = (1, 10, 1000)  # as many patients as the paper's
SLICE_BYTES = 2 * 256 * 256  # image and mask, uint8
# Of planning, benchmarks.md: a straight line through 1,000 and 10,000 patients.
PLANNING_S = (1.5, 0.0046)  # CPU seconds at the start, and for each patient
PLANNING_MB = (142, 0.0575)
OPENING_S = 0.29e-3  # CPU seconds a patient's file, besides its checksum: tests/benchmarks/opening.py
OPENING_MB = 0.034  # for the names and positions of 170 slices, and the maps' own pages
CHECKSUM_BYTES_S = 6.0e9  # of one core, from the page cache
EVALUATION_MB = (1040, 0.61)  # at the start, and for each test or held-out slice
STEP_IMAGES_S = {"generate_diffusion": 211, "generate_controlnet": 171}  # one of 50 steps, H100
SEGMENTER_STEPS_S = 66
FIXED_GB = 2 * (1.4 + 9.0 + 0.4 + 0.5 + 0.4)  # weights, partial masks, similarity, counterfactuals


@dataclass(frozen=True)
class Dataset:
    """One of the paper's datasets at 256×256 and what it costs, by the page's other tables."""

    patients: int
    training_patients: int
    training: int  # slices
    measured: int  # test and held-out slices
    slicing_s: float  # CPU seconds a patient, with the process's start
    raw_gb: float
    training_h: float  # H100: three diffusion models, ControlNet's stages, SPADE
    segmenter_steps: int  # of six segmenters and SPADE's perceptual network

    def training_hours(self) -> float:
        """Of one GPU, with as many epochs as `config.yaml` asks for."""
        return self.training_h + self.segmenter_steps / SEGMENTER_STEPS_S / 3600

    def generating_hours(self) -> float:
        """Of one GPU: the images of all test and held-out masks, by three diffusion models and ControlNet."""
        rates = STEP_IMAGES_S
        seconds = 3 / rates["generate_diffusion"] + 1 / rates["generate_controlnet"]
        return self.measured * 50 * seconds / 3600


BREAST = Dataset(100, 70, 11_996, 4_988, 1.2, 8.5, 3 * 16.5 + 9.9 + 8.7 + 5.7 + 1.3, 6 * 31_900 + 149_900)
CT_ORG = Dataset(40, 24, 10_886, 7_258, 5.9, 3.6, 3 * 15.0 + 9.0 + 7.95 + 5.2 + 1.2, 6 * 45_300 + 136_000)
BOTH = (BREAST, CT_ORG)


def digits(number: float) -> str:
    """Two significant digits, with commas: 4.6, 46, 4,600."""
    rounded = float(f"{number:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def needs(times: int) -> dict[str, float]:
    """Each row of the table by its name, for so many times the patients of both datasets."""
    patients = times * sum(data.patients for data in BOTH)
    slices = times * sum(data.training + data.measured for data in BOTH)
    resident = times * max(data.training for data in BOTH) * SLICE_BYTES
    opened = times * max(data.training_patients for data in BOTH)
    images_gb = times * sum(5 * data.measured for data in BOTH) * SLICE_BYTES / 2 / 1e9
    raw_gb = times * sum(data.raw_gb for data in BOTH)
    training_h = sum(data.training_hours() for data in BOTH)
    return {
        "patients": patients,
        "slicing, hours of one core": times * sum(data.patients * data.slicing_s for data in BOTH) / 3600,
        "slices on disk, GB": slices * SLICE_BYTES / 1e9,
        "all on disk, GB": raw_gb + slices * SLICE_BYTES / 1e9 + images_gb + FIXED_GB,
        "planning, CPU minutes": (PLANNING_S[0] + PLANNING_S[1] * patients) / 60,
        "planning, memory in GB": (PLANNING_MB[0] + PLANNING_MB[1] * patients) / 1e3,
        "files that a training opens": opened,
        "… memory of the machine for them, GB": opened * OPENING_MB / 1e3,
        "… CPU seconds until it begins": opened * OPENING_S + resident / CHECKSUM_BYTES_S,
        "training slices on the GPU, GB": resident / 1e9,
        "training, GPU hours, as many steps": training_h,
        "training, GPU hours, as many epochs": times * training_h,
        "images of test and held-out masks, GPU hours": times * sum(d.generating_hours() for d in BOTH),
        "`evaluate_model`, memory in GB": (
            EVALUATION_MB[0] + EVALUATION_MB[1] * times * max(data.measured for data in BOTH)
        )
        / 1e3,
    }


def lines() -> list[str]:
    """The rows of the table, as the page has them."""
    columns = [needs(times) for times in TIMES]
    return [f"| {name} | {' | '.join(digits(column[name]) for column in columns)} |" for name in columns[0]]
