"""Whether a model reaches the time step at which generated and real images are mixed."""

from dataclasses import dataclass

from segguided.config.experiments import Mixing


@dataclass(frozen=True)
class MixingModel:
    """A model that mixes images, as a key of the configuration names it."""

    key: str
    name: str
    weights_of: str  # the model whose weights it has
    timesteps: int  # of its noise schedule
    few_calls: bool  # it generates in very few calls, so that mixing takes a call of its own


def check_own_weights(model: MixingModel) -> None:
    """Raise ValueError for a model that only samples otherwise than another, with its weights."""
    if model.weights_of != model.name:
        raise ValueError(
            f"{model.key} names '{model.name}', but figure 4 samples in a way of its own; "
            f"name {model.weights_of}, whose weights it shares"
        )


def check_mixing(where: str, mixing: Mixing, model: MixingModel) -> None:
    """Raise ValueError unless the model can mix at `mixing.timestep`, a key of the section `where`."""
    if model.few_calls:
        if mixing.timestep >= model.timesteps:
            raise ValueError(
                f"{where}.timestep is {mixing.timestep}, but the noise schedule of "
                f"models.{model.weights_of} has only {model.timesteps} timesteps; lower it"
            )
        return
    stride = model.timesteps // mixing.steps
    if mixing.timestep >= model.timesteps or not stride or mixing.timestep % stride:
        raise ValueError(
            f"{where}.timestep is {mixing.timestep}, which {mixing.steps} DDIM steps of {model.timesteps} "
            f"never reach; choose steps so that it is a multiple of {model.timesteps} // steps"
        )
