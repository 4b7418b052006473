"""Writes a small Llama of random weights with a tokenizer of whole words: vllm_model.py DIRECTORY

Weights are saved with safetensors, the rest as the JSON files that Transformers reads. It runs in the environment of vLLM.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = 2048
WIDTH = 256
LAYERS = 6
HEADS = 4
INNER = 704
CONTEXT = 2048
SEED = 17

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}


def write_tokenizer(directory: Path) -> int:
    """Writes the tokenizer; returns the number of its tokens."""
    words = ["<unk>", "<s>", "</s>", *(f"word{index}" for index in range(WORDS))]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(words[:3])
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "model_max_length": CONTEXT,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(words)


def weights(tokens: int) -> dict[str, torch.Tensor]:
    """The weights by the names that Transformers gives them."""
    chance = torch.Generator().manual_seed(SEED)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=chance) / columns**0.5

    tensors = {
        "model.embed_tokens.weight": matrix(tokens, WIDTH),
        "model.norm.weight": torch.ones(WIDTH),
        "lm_head.weight": matrix(tokens, WIDTH),
    }
    for layer in range(LAYERS):
        block = f"model.layers.{layer}"
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{block}.{name}.weight"] = torch.ones(WIDTH)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            tensors[f"{block}.self_attn.{name}.weight"] = matrix(WIDTH, WIDTH)
        for name in ("gate_proj", "up_proj"):
            tensors[f"{block}.mlp.{name}.weight"] = matrix(INNER, WIDTH)
        tensors[f"{block}.mlp.down_proj.weight"] = matrix(WIDTH, INNER)
    return tensors


def write(directory: Path) -> int:
    """Writes all files; returns the number of parameters."""
    directory.mkdir(parents=True, exist_ok=True)
    tokens = write_tokenizer(directory)
    (directory / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": tokens}))
    tensors = weights(tokens)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return sum(tensor.numel() for tensor in tensors.values())


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1])) / 1e6:.1f} million parameters")
