"""The output of Stable Diffusion's text encoder (CLIP, Radford et al. 2021) for the empty prompt.

A model without text needs only this: one forward pass of torch's transformer layers, with the weights of the
pipeline.
Shape letters: L tokens, D width.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segguided.models.controlnet.stable_diffusion import part_folder
from segguided.models.foreign import read_json, read_tensors

START = "<|startoftext|>"
END = "<|endoftext|>"


def empty_prompt(source: str) -> Tensor:
    """The embedding (1, L, D) of "", from the pipeline's text_encoder/ and tokenizer/.

    Raises ValueError if a file is missing, damaged, or not of CLIP's text model.
    """
    folder = part_folder(source, "text_encoder")
    tokenizer = part_folder(source, "tokenizer")
    config = read_json(folder / "config.json")
    weights = read_tensors(folder / "model.safetensors")
    weights = {name.removeprefix("text_model."): value.float() for name, value in weights.items()}
    try:
        tokens_L = empty_tokens(tokenizer, config["max_position_embeddings"])
        return encode_tokens(tokens_L, weights, config)
    except (LookupError, TypeError, AttributeError, RuntimeError, AssertionError) as error:
        # A missing key, a value of another type, or tensors that do not fit.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(
            f"{folder} and {tokenizer.name}/ do not hold CLIP's text model ({reason}); get both again"
        ) from error


def empty_tokens(tokenizer: Path, length: int) -> Tensor:
    """Token ids (L,) of the empty prompt: start, end, and padding up to `length`."""
    vocabulary = read_json(tokenizer / "vocab.json")
    special = read_json(tokenizer / "special_tokens_map.json")
    pad = special.get("pad_token", END)
    padding = vocabulary[pad["content"] if isinstance(pad, dict) else pad]
    return torch.tensor([vocabulary[START], vocabulary[END]] + [padding] * (length - 2))


@torch.no_grad()  # not inference mode: training uses the result
def encode_tokens(tokens_L: Tensor, weights: dict[str, Tensor], config: dict[str, Any]) -> Tensor:
    """The last hidden state (1, L, D) of the text transformer with these weights."""
    width = config["hidden_size"]
    length = len(tokens_L)
    embedded_LD = weights["embeddings.token_embedding.weight"][tokens_L]
    hidden_1LD = (embedded_LD + weights["embeddings.position_embedding.weight"][:length])[None]
    causal_LL = nn.Transformer.generate_square_subsequent_mask(length)
    for index in range(config["num_hidden_layers"]):
        layer = _layer(config)
        layer.load_state_dict(_layer_weights(weights, f"encoder.layers.{index}."))
        hidden_1LD = layer.eval()(hidden_1LD, src_mask=causal_LL, is_causal=True)
    scale = weights["final_layer_norm.weight"]
    shift = weights["final_layer_norm.bias"]
    return nn.functional.layer_norm(hidden_1LD, (width,), scale, shift, config["layer_norm_eps"])


def _layer(config: dict[str, Any]) -> nn.TransformerEncoderLayer:
    if config["hidden_act"] not in ACTIVATIONS:
        raise ValueError(
            f"expected a text encoder with {' or '.join(ACTIVATIONS)}, got {config['hidden_act']}; "
            "use a pipeline in Stable Diffusion's layout"
        )
    return nn.TransformerEncoderLayer(
        config["hidden_size"],
        config["num_attention_heads"],
        config["intermediate_size"],
        dropout=0.0,
        activation=ACTIVATIONS[config["hidden_act"]],
        layer_norm_eps=config["layer_norm_eps"],
        batch_first=True,
        norm_first=True,
    )


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"quick_gelu": _quick_gelu, "gelu": nn.functional.gelu}


def _layer_weights(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one layer under the names of torch's layer, which has q, k and v in one matrix."""
    renamed = {}
    for kind in ("weight", "bias"):
        qkv = [weights[f"{prefix}self_attn.{part}_proj.{kind}"] for part in "qkv"]
        renamed[f"self_attn.in_proj_{kind}"] = torch.cat(qkv)
        renamed[f"self_attn.out_proj.{kind}"] = weights[f"{prefix}self_attn.out_proj.{kind}"]
        for ours, theirs in (("norm", "layer_norm"), ("linear", "mlp.fc")):
            for number in (1, 2):
                renamed[f"{ours}{number}.{kind}"] = weights[f"{prefix}{theirs}{number}.{kind}"]
    return renamed
