"""The randomness of a training: a function of its seed and the step."""

import hashlib


def step_seed(seed: int, step: int) -> int:
    """The 63-bit seed of all randomness of one step."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=8).digest()) >> 1
