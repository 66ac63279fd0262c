"""Settings of what the paper shows beyond its tables."""

import pytest

from segguided.config.experiments import Similarity


@pytest.mark.parametrize("lambdas", [(0.5, 0.25), (0.5, 0.5), (0.0, 1.0), (0.5, 1.5)])
def test_lambdas_rise_in_the_half_open_interval(lambdas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected rising values|greater than 0|less than or equal to 1"):
        Similarity(model="m", timestep=240, lambdas=lambdas, steps=50, masks=1)
