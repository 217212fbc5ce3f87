#!/usr/bin/env python3
"""Writes a Hugging Face T5 as a TorchScript module that keeps softprompt's contract (docs/torchscript.md).

    python export_torchscript.py FOLDER OUT.pt          needs torch and transformers

`softprompt convert` does this without Python. This script is for modules of your own: change the network here, keep the
six methods, and load the file with `T5.load('OUT.pt', { trust: true })`.
"""
import json
import math
import sys
from pathlib import Path
from typing import Final, List, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForSeq2SeqLM


class Norm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        variance = x.float().pow(2).mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + self.eps)).to(self.weight.dtype)


class Attention(nn.Module):
    """No biases, no 1/sqrt(d_kv). Letters: B rows, T queries, S keys, H heads, K d_kv."""

    has_bias: Final[bool]
    both_directions: Final[bool]

    def __init__(self, c, has_bias: bool, both_directions: bool):
        super().__init__()
        inner = c["num_heads"] * c["d_kv"]
        self.q, self.k, self.v = (nn.Linear(c["d_model"], inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, c["d_model"], bias=False)
        self.heads, self.width = c["num_heads"], c["d_kv"]
        self.has_bias, self.both_directions = has_bias, both_directions
        self.buckets, self.farthest = c.get("relative_attention_num_buckets", 32), c.get("relative_attention_max_distance", 128)
        if has_bias:
            self.relative_attention_bias = nn.Embedding(self.buckets, self.heads)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.heads, self.width).transpose(1, 2)

    @torch.jit.export
    def keys_values(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        return self.split(self.k(x)), self.split(self.v(x))

    @torch.jit.export
    def position_bias(self, queries: int, keys: int, offset: int) -> Tensor:
        """[1, H, T, S] of queries at offset, offset + 1 ... and keys at 0, 1 ..."""
        device = self.q.weight.device
        distance = torch.arange(keys, device=device)[None, :] - torch.arange(offset, offset + queries, device=device)[:, None]
        buckets = self.buckets
        bucket = torch.zeros_like(distance)
        if self.both_directions:
            buckets = buckets // 2
            bucket = (distance > 0).long() * buckets
            distance = distance.abs()
        else:
            distance = (-distance).clamp(min=0)
        exact = buckets // 2
        far = exact + (torch.log(distance.clamp(min=1).float() / exact) / math.log(self.farthest / exact) * (buckets - exact)).long()
        bucket = bucket + torch.where(distance < exact, distance, far.clamp(max=buckets - 1))
        if self.has_bias:
            return F.embedding(bucket, self.relative_attention_bias.weight).permute(2, 0, 1).unsqueeze(0)
        return torch.empty(0)

    def forward(self, x: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        context = F.scaled_dot_product_attention(self.split(self.q(x)), k, v, attn_mask=bias.to(x.dtype), scale=1.0)
        return self.o(context.transpose(1, 2).flatten(2))


class SelfAttentionLayer(nn.Module):
    def __init__(self, c, has_bias: bool, both_directions: bool):
        super().__init__()
        self.SelfAttention = Attention(c, has_bias, both_directions)
        self.layer_norm = Norm(c["d_model"], c.get("layer_norm_epsilon", 1e-6))


class CrossAttentionLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.EncDecAttention = Attention(c, False, False)
        self.layer_norm = Norm(c["d_model"], c.get("layer_norm_epsilon", 1e-6))


class Dense(nn.Module):
    gated: Final[bool]
    kind: Final[str]

    def __init__(self, c):
        super().__init__()
        self.gated, self.kind = c["feed_forward_proj"].startswith("gated-"), c["feed_forward_proj"].split("-")[-1]
        for name in ("wi_0", "wi_1") if self.gated else ("wi",):
            setattr(self, name, nn.Linear(c["d_model"], c["d_ff"], bias=False))
        self.wo = nn.Linear(c["d_ff"], c["d_model"], bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.gated:
            if self.kind == "gelu":
                return self.wo(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))
            return self.wo(F.silu(self.wi_0(x)) * self.wi_1(x))
        return self.wo(F.relu(self.wi(x)))


class FeedForwardLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.DenseReluDense = Dense(c)
        self.layer_norm = Norm(c["d_model"], c.get("layer_norm_epsilon", 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.DenseReluDense(self.layer_norm(x))


class EncoderBlock(nn.Module):
    has_bias: Final[bool]

    def __init__(self, c, has_bias: bool):
        super().__init__()
        self.has_bias = has_bias
        self.layer = nn.ModuleList([SelfAttentionLayer(c, has_bias, True), FeedForwardLayer(c)])

    def forward(self, hidden: Tensor, bias: Tensor, hidden_keys: Tensor) -> Tuple[Tensor, Tensor]:
        if self.has_bias:
            length = hidden.size(1)
            bias = self.layer[0].SelfAttention.position_bias(length, length, 0).masked_fill(hidden_keys, -1e9)
        x = self.layer[0].layer_norm(hidden)
        k, v = self.layer[0].SelfAttention.keys_values(x)
        hidden = hidden + self.layer[0].SelfAttention(x, k, v, bias)
        return self.layer[1](hidden), bias


class DecoderBlock(nn.Module):
    has_bias: Final[bool]

    def __init__(self, c, has_bias: bool):
        super().__init__()
        self.has_bias = has_bias
        self.layer = nn.ModuleList([SelfAttentionLayer(c, has_bias, False), CrossAttentionLayer(c), FeedForwardLayer(c)])

    @torch.jit.export
    def cross(self, encoder_hidden: Tensor) -> Tuple[Tensor, Tensor]:
        """Keys and values of the encoder, [B, H, S, K]."""
        return self.layer[1].EncDecAttention.keys_values(encoder_hidden)

    def forward(self, hidden: Tensor, bias: Tensor, k: Tensor, v: Tensor, position: int, cross_k: Tensor, cross_v: Tensor,
                cross_bias: Tensor) -> Tuple[Tensor, Tensor]:
        """Positions `position` and on; writes their keys and values into k and v, [B, H, position + T, K]."""
        queries = hidden.size(1)
        if self.has_bias:
            future = torch.ones(queries, position + queries, dtype=torch.bool, device=hidden.device).triu(position + 1)
            bias = self.layer[0].SelfAttention.position_bias(queries, position + queries, position).masked_fill(future, -1e9)
        x = self.layer[0].layer_norm(hidden)
        k[:, :, position:], v[:, :, position:] = self.layer[0].SelfAttention.keys_values(x)
        hidden = hidden + self.layer[0].SelfAttention(x, k, v, bias)
        hidden = hidden + self.layer[1].EncDecAttention(self.layer[1].layer_norm(hidden), cross_k, cross_v, cross_bias)
        return self.layer[2](hidden), bias


class Stack(nn.Module):
    def __init__(self, c, blocks: List[nn.Module]):
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.final_layer_norm = Norm(c["d_model"], c.get("layer_norm_epsilon", 1e-6))


class Contract(nn.Module):
    def __init__(self, c, every_block: bool, scaled: bool):
        super().__init__()
        self.shared = nn.Embedding(c["vocab_size"], c["d_model"])
        self.lm_head = nn.Linear(c["d_model"], c["vocab_size"], bias=False)
        self.encoder = Stack(c, [EncoderBlock(c, i == 0 or every_block) for i in range(c["num_layers"])])
        layers = c.get("num_decoder_layers") or c["num_layers"]
        self.decoder = Stack(c, [DecoderBlock(c, i == 0 or every_block) for i in range(layers)])
        self.scale: float = c["d_model"] ** -0.5 if scaled else 1.0
        self.heads, self.width = c["num_heads"], c["d_kv"]

    @torch.jit.export
    def embed(self, ids: Tensor) -> Tensor:
        return self.shared(ids)

    @torch.jit.export
    def encode(self, embeds: Tensor, mask: Tensor) -> Tensor:
        hidden, bias = embeds.to(self.shared.weight.dtype), torch.empty(0)
        hidden_keys = mask.logical_not()[:, None, None, :]
        for block in self.encoder.block:
            hidden, bias = block(hidden, bias, hidden_keys)
        return self.encoder.final_layer_norm(hidden)

    def cross_bias(self, mask: Tensor) -> Tensor:
        return torch.zeros(mask.shape, device=mask.device).masked_fill(mask.logical_not(), -1e9)[:, None, None, :]

    @torch.jit.export
    def decode(self, ids: Tensor, encoder_hidden: Tensor, mask: Tensor) -> Tensor:
        hidden, bias, cross_bias = self.shared(ids), torch.empty(0), self.cross_bias(mask)
        for block in self.decoder.block:
            cross_k, cross_v = block.cross(encoder_hidden)
            # Buffers of its own for each block: autograd must find what was written.
            k = torch.zeros(ids.size(0), self.heads, ids.size(1), self.width, dtype=hidden.dtype, device=hidden.device)
            hidden, bias = block(hidden, bias, k, k.clone(), 0, cross_k, cross_v, cross_bias)
        return self.decoder.final_layer_norm(hidden)

    @torch.jit.export
    def logits(self, decoder_hidden: Tensor) -> Tensor:
        return self.lm_head(decoder_hidden * self.scale)

    @torch.jit.export
    def start_cache(self, encoder_hidden: Tensor, capacity: int) -> List[Tensor]:
        cache: List[Tensor] = []
        for block in self.decoder.block:
            cross_k, cross_v = block.cross(encoder_hidden)
            empty = encoder_hidden.new_zeros([encoder_hidden.size(0), self.heads, capacity, self.width])
            cache.extend([empty, empty.clone(), cross_k, cross_v])
        return cache

    @torch.jit.export
    def step(self, ids: Tensor, position: int, cache: List[Tensor], mask: Tensor) -> Tensor:
        hidden, bias, cross_bias = self.shared(ids.unsqueeze(1)), torch.empty(0), self.cross_bias(mask)
        at = 0
        for block in self.decoder.block:
            k, v = cache[at][:, :, : position + 1], cache[at + 1][:, :, : position + 1]
            hidden, bias = block(hidden, bias, k, v, position, cache[at + 2], cache[at + 3], cross_bias)
            at += 4
        return self.decoder.final_layer_norm(hidden).squeeze(1)


def scales(c) -> bool:
    """Whether the logits are made from hidden x d_model^-0.5: never in mT5, else as the config says."""
    scaled = c.get("scale_decoder_outputs")
    return c["model_type"] != "mt5" and (c.get("tie_word_embeddings", True) if scaled is None else scaled)


def main(folder: str, out: str) -> None:
    text = (Path(folder) / "config.json").read_text()
    config = {"model_type": "t5", "feed_forward_proj": "relu", **json.loads(text)}
    weights = AutoModelForSeq2SeqLM.from_pretrained(folder).state_dict()
    module = Contract(config, config["model_type"] == "umt5", scales(config)).eval()
    module.load_state_dict({name: value for name, value in weights.items() if not name.endswith("embed_tokens.weight")})
    torch.jit.script(module.to(weights["shared.weight"].dtype)).save(out, _extra_files={"config.json": text})


if __name__ == "__main__":
    main(*sys.argv[1:])
