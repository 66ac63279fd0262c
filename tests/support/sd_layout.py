"""A tiny pipeline in the folder layout of Stable Diffusion 1.5, with weights from a formula."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file

TEXT = {
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 7,
    "vocab_size": 12,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}


def text_weights() -> dict[str, torch.Tensor]:
    """Weights of a CLIP text transformer of TEXT's size, in the names of Stable Diffusion's file."""
    width = TEXT["hidden_size"]
    inner = TEXT["intermediate_size"]
    shapes = {
        "embeddings.token_embedding.weight": (TEXT["vocab_size"], width),
        "embeddings.position_embedding.weight": (TEXT["max_position_embeddings"], width),
    }
    for index in range(TEXT["num_hidden_layers"]):
        layer = f"encoder.layers.{index}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"{layer}self_attn.{name}.weight"] = (width, width)
            shapes[f"{layer}self_attn.{name}.bias"] = (width,)
        shapes |= {f"{layer}layer_norm{n}.{kind}": (width,) for n in (1, 2) for kind in ("weight", "bias")}
        shapes |= {f"{layer}mlp.fc1.weight": (inner, width), f"{layer}mlp.fc1.bias": (inner,)}
        shapes |= {f"{layer}mlp.fc2.weight": (width, inner), f"{layer}mlp.fc2.bias": (width,)}
    shapes |= {"final_layer_norm.weight": (width,), "final_layer_norm.bias": (width,)}
    return {
        f"text_model.{name}": 0.5 * torch.sin(1.7 * torch.arange(torch.Size(shape).numel()) + k).view(shape)
        for k, (name, shape) in enumerate(shapes.items())
    }


def write_pipeline(folder: Path, latent_channels: int = 2) -> Path:
    """Write vae/, unet/, text_encoder/ and tokenizer/ of a pipeline for images of any small size."""
    torch.manual_seed(0)
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        latent_channels=latent_channels,
        norm_num_groups=4,
        scaling_factor=0.5,
    ).save_pretrained(folder / "vae")
    UNet2DConditionModel(
        in_channels=2,
        out_channels=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=TEXT["hidden_size"],
        attention_head_dim=2,
    ).save_pretrained(folder / "unet")
    (folder / "text_encoder").mkdir()
    save_file(text_weights(), folder / "text_encoder/model.safetensors")
    (folder / "text_encoder/config.json").write_text(json.dumps(TEXT))
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer/vocab.json").write_text(json.dumps({"<|startoftext|>": 10, "<|endoftext|>": 11}))
    (folder / "tokenizer/special_tokens_map.json").write_text(json.dumps({"pad_token": "<|endoftext|>"}))
    return folder
