"""The settings of a mask completer that trains in a second."""

from segguided.config.models.completer import MaskCompleter


def tiny_completer(steps: int) -> MaskCompleter:
    """Two stages, in cells of four pixels and of one."""
    unet = {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1}
    stages = [{"cell": cell, "unet": unet, "steps": 3} for cell in (4, 1)]
    training = {"steps": steps, "batch_size": 4, "learning_rate": 1e-2, "precision": "fp32"}
    return MaskCompleter.model_validate({"stages": stages, "training": training})
