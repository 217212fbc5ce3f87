#!/usr/bin/env python3
"""Pre-trains one of the study's T5s by span corruption in PyTorch, for a given time, to compare with.

    node -e "import('./scripts/study/family.mjs').then(({ FAMILY }) => console.log(JSON.stringify(FAMILY['3m'])))" > config.json
    python scripts/study/peer.py config.json models/nano-t5/spiece.model build/study/corpus --seconds 1800

transformers' T5 and Adafactor, the same text, windows, batch, schedule and loss as `npm run study:models`. How many steps fit is measured in the first of them, so that the rate comes down to
0 at the end of the time. Prints a JSON line: steps, tokens a second (of the training alone) and the loss in nats a held-out target token.
"""
import argparse
import json
import math
import os
import random
import time

import sentencepiece
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.optimization import Adafactor

NOISE_DENSITY, MEAN_SPAN = 0.15, 3.0
WARMING, MEASURED = 5, 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("tokenizer")
    parser.add_argument("corpus")
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="bfloat16: autocast, float32 weights")
    return parser.parse_args()


def window_tokens(length):
    """The longest window whose corrupted input has `length` tokens, and the length of its target (T5's random_spans_helper)."""

    def lengths(tokens):
        noise = round(tokens * NOISE_DENSITY)
        spans = round(noise / MEAN_SPAN)
        return tokens - noise + spans + 1, noise + spans + 1

    tokens = length
    while lengths(tokens + 1)[0] <= length:
        tokens += 1
    return tokens


def segments(total, count, rng):
    """`total` in `count` parts of at least 1."""
    cuts = sorted(rng.sample(range(1, total), count - 1))
    return [b - a for a, b in zip([0] + cuts, cuts + [total])]


def corrupt(window, sentinels, rng):
    noise = min(max(round(len(window) * NOISE_DENSITY), 1), len(window) - 1)
    count = max(round(noise / MEAN_SPAN), 1)
    kept, taken = segments(len(window) - noise, count, rng), segments(noise, count, rng)
    source, target, at = [], [], 0
    for i, (keep, take) in enumerate(zip(kept, taken)):
        source += window[at : at + keep] + [sentinels[i]]
        target += [sentinels[i]] + window[at + keep : at + keep + take]
        at += keep + take
    return source + [1], target + [1]


def windows_of(folder, pieces, length):
    tokens = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    tokens += pieces.encode(line.strip()) + [1]
    return [tokens[i : i + length] for i in range(0, len(tokens) - length + 1, length)]


def batch_of(windows, sentinels, rng):
    pairs = [corrupt(window, sentinels, rng) for window in windows]
    pad = lambda rows, fill: torch.tensor([row + [fill] * (max(map(len, rows)) - len(row)) for row in rows])
    source = pad([a for a, _ in pairs], 0)
    return dict(input_ids=source, attention_mask=(source != 0).long(), labels=pad([b for _, b in pairs], -100)), sum(len(a) + len(b) for a, b in pairs)


@torch.inference_mode()
def held_out_loss(model, windows, sentinels, batch):
    model.eval()
    rng, nats, count = random.Random(1), 0.0, 0
    for start in range(0, len(windows), batch):
        inputs, _ = batch_of(windows[start : start + batch], sentinels, rng)
        tokens = (inputs["labels"] != -100).sum().item()
        nats += model(**inputs).loss.item() * tokens
        count += tokens
    return nats / count


def main():
    a = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(a.threads)
    pieces = sentencepiece.SentencePieceProcessor(model_file=a.tokenizer)
    sentinels = [pieces.vocab_size() + 99 - i for i in range(100)]
    length = window_tokens(a.window)
    train, held_out = (windows_of(os.path.join(a.corpus, part), pieces, length) for part in ("train", "held-out"))
    with open(a.config, encoding="utf-8") as file:
        config = T5Config(**{"dropout_rate": 0.0, "decoder_start_token_id": 0, **json.load(file)})
    model = T5ForConditionalGeneration(config).train()
    optimizer = Adafactor(model.parameters(), lr=a.rate, scale_parameter=True, relative_step=False, warmup_init=False, weight_decay=0.0)
    rng, order, steps, done, tokens, seconds = random.Random(0), [], None, 0, 0, 0.0
    while steps is None or done < steps:
        if len(order) < a.batch:
            order = rng.sample(train, len(train))
        inputs, count = batch_of([order.pop() for _ in range(a.batch)], sentinels, rng)
        progress = 0 if steps is None else max(0, done - a.warmup) / max(1, steps - a.warmup)
        optimizer.param_groups[0]["lr"] = a.rate * min(1, (done + 1) / a.warmup) * 0.5 * (1 + math.cos(math.pi * progress))
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=a.dtype == "bfloat16"):
            out = model(**inputs)
        (out.loss + 1e-4 * (out.logits.float().logsumexp(-1)[inputs["labels"] != -100] ** 2).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
        done += 1
        if done > WARMING:
            seconds, tokens = seconds + time.perf_counter() - began, tokens + count
        if done == WARMING + MEASURED:
            steps = max(done + 1, int(a.seconds / (seconds / MEASURED)))
    print(json.dumps({"steps": done, "tokensPerSecond": round(tokens / seconds), "loss": round(held_out_loss(model, held_out, sentinels, a.batch), 4), "seconds": round(seconds, 1), "dtype": a.dtype, "threads": a.threads, "torch": torch.__version__}))


main()
