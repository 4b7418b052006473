"""Writes a Llama of random weights for a GPU: transformers_model.py DIRECTORY [BILLIONS]

Weights are made on the GPU in bfloat16 where there is one. The tokenizer knows whole words, as in vllm_model.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig
from vllm_model import write_tokenizer

# Name: width, layers, heads, heads of keys and values, inner width.
SHAPES = {
    "tiny": (64, 2, 4, 2, 128),
    "1.2": (2048, 20, 32, 8, 7168),
    "2.9": (3072, 26, 24, 8, 8192),
}
CONTEXT = 2048
SEED = 17


def write(directory: Path, shape: str) -> int:
    """Writes all files; returns the number of parameters."""
    directory.mkdir(parents=True, exist_ok=True)
    tokens = write_tokenizer(directory)
    width, layers, heads, groups, inner = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=tokens,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        bos_token_id=1,
        # No answer ends before it has all the tokens that were asked for.
        eos_token_id=None,
    )
    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(directory)
    return sum(tensor.numel() for tensor in model.parameters())


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]), sys.argv[2]) / 1e9:.2f} billion parameters")
