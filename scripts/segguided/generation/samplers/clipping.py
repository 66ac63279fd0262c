"""How DDIM's steps cut x0: an imported model may state another limit, or none."""

from typing import TypeVar

from diffusers import DDIMScheduler, SchedulerMixin

from segguided.config.models.diffusion import DenoiserSettings
from segguided.config.models.imported import ImportedModel

AnyScheduler = TypeVar("AnyScheduler", bound=SchedulerMixin)


def clip_as_stated(scheduler: AnyScheduler, model: DenoiserSettings) -> AnyScheduler:
    """The scheduler, set to cut x0 as an imported `model` says; only DDIM cuts x0 at all."""
    if isinstance(scheduler, DDIMScheduler) and isinstance(model, ImportedModel):
        limit = model.clip_sample_range
        scheduler.register_to_config(clip_sample=limit is not None, clip_sample_range=limit or 1.0)
    return scheduler
