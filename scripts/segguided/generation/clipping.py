"""The cut of x0 in DDIM's steps, where a model from elsewhere was drawn with another one."""

from typing import TypeVar

from diffusers import DDIMScheduler, SchedulerMixin

from segguided.config.models.diffusion import DenoiserSettings
from segguided.config.models.imported import ImportedModel

Scheduler = TypeVar("Scheduler", bound=SchedulerMixin)


def clip_as_stated(scheduler: Scheduler, model: DenoiserSettings) -> Scheduler:
    """The scheduler, which cuts x0 as an imported `model` says; other samplers than DDIM never do."""
    if isinstance(scheduler, DDIMScheduler) and isinstance(model, ImportedModel):
        limit = model.clip_sample_range
        scheduler.register_to_config(clip_sample=limit is not None, clip_sample_range=limit or 1.0)
    return scheduler
