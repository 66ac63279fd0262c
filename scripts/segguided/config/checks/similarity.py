"""Whether the model of figure 4 reaches the time step at which images are mixed."""

from segguided.config.experiments import Similarity


def check_similarity(similarity: Similarity, weights_of: str, timesteps: int, few_calls: bool) -> None:
    """Raise ValueError unless it can mix at `similarity.timestep`.

    `weights_of`: the model whose weights it has; `timesteps`: of its noise schedule; `few_calls`: whether it
    generates in very few calls, so that mixing takes a call of its own.
    """
    if weights_of != similarity.model:
        raise ValueError(
            f"similarity.model names '{similarity.model}', but figure 4 samples in a way of its own; "
            f"name {weights_of}, whose weights it shares"
        )
    if few_calls:
        if similarity.timestep >= timesteps:
            raise ValueError(
                f"similarity.timestep is {similarity.timestep}, but the noise schedule of "
                f"models.{similarity.model} has only {timesteps} timesteps; lower it"
            )
        return
    stride = timesteps // similarity.steps
    if similarity.timestep >= timesteps or not stride or similarity.timestep % stride:
        raise ValueError(
            f"similarity.timestep is {similarity.timestep}, which {similarity.steps} DDIM steps of "
            f"{timesteps} never reach; choose steps so that it is a multiple of {timesteps} // steps"
        )
