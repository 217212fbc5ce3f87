#!/usr/bin/env python3
"""A Hugging Face T5 as ONNX files for onnxruntime, in float32 and with weights of int8 (dynamic quantisation).

    python onnx_export.py MODEL OUT          needs torch, transformers, onnx, onnxscript, onnxruntime

OUT/encoder.DTYPE.onnx: embeds [B, S, d], mask [B, S] -> cross keys and values of each decoder block, [B, H, S, K].
OUT/decoder.DTYPE.onnx: ids [B, 1], mask, cross keys and values, keys and values so far [B, H, T, K] -> the likeliest next ids [B, 1], keys and values [B, H, T + 1, K].
"""
import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim
from transformers import AutoModelForSeq2SeqLM

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
from export_torchscript import Contract, scales  # noqa: E402


class Encoder(nn.Module):
    def __init__(self, t5):
        super().__init__()
        self.t5 = t5

    def forward(self, embeds, mask):
        hidden = self.t5.encode(embeds, mask)
        return [part for block in self.t5.decoder.block for part in block.cross(hidden)]


class Decoder(nn.Module):
    def __init__(self, t5):
        super().__init__()
        self.t5 = t5

    def forward(self, ids, mask, cross, past):
        t5, position = self.t5, past[0].shape[2]
        hidden, cross_bias = t5.shared(ids), t5.cross_bias(mask)
        bias = t5.decoder.block[0].layer[0].SelfAttention.position_bias(1, position + 1, position)
        present = []
        for i, block in enumerate(t5.decoder.block):
            own, other, feed_forward = block.layer
            x = own.layer_norm(hidden)
            k, v = (torch.cat(pair, 2) for pair in zip(past[2 * i : 2 * i + 2], own.SelfAttention.keys_values(x)))
            hidden = hidden + own.SelfAttention(x, k, v, bias)
            hidden = hidden + other.EncDecAttention(other.layer_norm(hidden), cross[2 * i], cross[2 * i + 1], cross_bias)
            hidden = feed_forward(hidden)
            present += [k, v]
        return [t5.logits(t5.decoder.final_layer_norm(hidden)).argmax(-1), *present]


def load(folder):
    config = {"model_type": "t5", "feed_forward_proj": "relu", **json.loads((Path(folder) / "config.json").read_text())}
    weights = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    t5 = Contract(config, config["model_type"] == "umt5", scales(config)).eval()
    t5.load_state_dict({name: value for name, value in weights.items() if not name.endswith("embed_tokens.weight")})
    return t5, config


def names(kind, count):
    return [f"{kind}.{i}" for i in range(count)]


def export(folder, out):
    t5, config = load(folder)
    heads, width, count = config["num_heads"], config["d_kv"], 2 * len(t5.decoder.block)
    rows, source, so_far = 2, 7, 3
    batch, length, position = Dim("batch", min=1), Dim("length", min=2), Dim("position", min=0)
    embeds, mask = torch.rand(rows, source, config["d_model"]), torch.ones(rows, source, dtype=torch.long)
    torch.onnx.export(
        Encoder(t5), (embeds, mask), str(out / "encoder.float32.onnx"), dynamo=True, external_data=True,
        input_names=["embeds", "mask"], output_names=names("cross", count),
        dynamic_shapes={"embeds": {0: batch, 1: length}, "mask": {0: batch, 1: length}},
    )
    cross = [torch.rand(rows, heads, source, width) for _ in range(count)]
    past = [torch.rand(rows, heads, so_far, width) for _ in range(count)]
    torch.onnx.export(
        Decoder(t5), (torch.ones(rows, 1, dtype=torch.long), mask, cross, past), str(out / "decoder.float32.onnx"), dynamo=True, external_data=True,
        input_names=["ids", "mask", *names("cross", count), *names("past", count)], output_names=["next", *names("present", count)],
        dynamic_shapes={
            "ids": {0: batch}, "mask": {0: batch, 1: length},
            "cross": [{0: batch, 2: length}] * count, "past": [{0: batch, 2: position}] * count,
        },
    )
    return t5, embeds, mask


def quantise(out):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for part in ("encoder", "decoder"):
        quantize_dynamic(out / f"{part}.float32.onnx", out / f"{part}.int8.onnx", weight_type=QuantType.QInt8, per_channel=True)


def check(out, t5, embeds, mask, steps=5):
    """The float32 files decode what the module itself decodes."""
    import onnxruntime

    encoder, decoder = (onnxruntime.InferenceSession(out / f"{part}.float32.onnx") for part in ("encoder", "decoder"))
    cross = encoder.run(None, {"embeds": embeds.numpy(), "mask": mask.numpy()})
    ids = torch.zeros(len(embeds), 1, dtype=torch.long)
    heads, width = cross[0].shape[1], cross[0].shape[3]
    past, following = [torch.zeros(len(embeds), heads, 0, width).numpy()] * len(cross), ids.numpy()
    for _ in range(steps):
        feeds = {"ids": following, "mask": mask.numpy(), **dict(zip(names("cross", len(cross)), cross)), **dict(zip(names("past", len(cross)), past))}
        following, *past = decoder.run(None, feeds)
        wanted = t5.logits(t5.decode(ids, t5.encode(embeds, mask), mask))[:, -1:].argmax(-1)
        if not torch.equal(torch.tensor(following), wanted):
            raise SystemExit("the ONNX decoder says something else than the module it was made from")
        ids = torch.cat([ids, wanted], 1)


@torch.inference_mode()
def main(folder, out):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    exported = export(folder, out)
    check(out, *exported)
    quantise(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
