#!/usr/bin/env python3
"""Hugging Face's float32 generate, for the decode benches: answers one JSON request a line with one number a line.

    python decode_peer.py MODEL [--threads N]

{"batch": [{"input": [ids], "promptLength": n, "tokens": n}], "numBeams": n}: seconds to decode the batch, every row as long as the longest wants.
{"read": bytes}: bytes per second of a plain read (a sum) of so much memory, the median of some.
"""
import argparse
import json
import os
import statistics
import sys
import time

import torch
from transformers import AutoModelForSeq2SeqLM


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.inference_mode()
def decode(model, request):
    rows = request["batch"]
    embed = model.get_input_embeddings()
    # Prompts' values do not change the time: rows of noise.
    whole = [torch.cat([torch.rand(row["promptLength"], model.config.d_model) - 0.5, embed(torch.tensor(row["input"]))]) for row in rows]
    longest = max(len(row) for row in whole)
    embeds = torch.zeros(len(whole), longest, model.config.d_model)
    mask = torch.zeros(len(whole), longest, dtype=torch.long)
    for i, row in enumerate(whole):
        embeds[i, : len(row)], mask[i, : len(row)] = row, 1
    tokens = max(row["tokens"] for row in rows)
    return seconds(
        lambda: model.generate(
            inputs_embeds=embeds, attention_mask=mask, do_sample=False, num_beams=request["numBeams"], min_new_tokens=tokens, max_new_tokens=tokens
        )
    )


def read(size):
    numbers = torch.ones(size // 4)
    return size / statistics.median(seconds(numbers.sum) for _ in range(9))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = AutoModelForSeq2SeqLM.from_pretrained(args.model, dtype=torch.float32).eval()
    for line in sys.stdin:
        request = json.loads(line)
        print(read(request["read"]) if "read" in request else decode(model, request), flush=True)


if __name__ == "__main__":
    main()
