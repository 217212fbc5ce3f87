#!/usr/bin/env python3
"""The same work with Hugging Face transformers and PEFT, for the ratios that the other benches print.

    python peer.py train MODEL ROWS.json [--dtype float32] [--batch 32] [--length 100] [--rounds 7] [--threads N]

ROWS.json: [{"input": [ids], "target": [ids]}]. Prints a JSON array of rates, one a round: examples per second of tuning steps
(forward, backward, AdamW; dropout off). Needs torch, transformers and peft.
"""
import argparse
import json
import os
import sys
import time

import torch
from peft import PromptTuningConfig, TaskType, get_peft_model
from transformers import AutoModelForSeq2SeqLM, T5ForConditionalGeneration

STEPS_A_ROUND = 5  # as in train.mjs

# PEFT 0.21 asks for a method that transformers 5.18 has under another name.
if not hasattr(T5ForConditionalGeneration, "_prepare_encoder_decoder_kwargs_for_generation"):
    T5ForConditionalGeneration._prepare_encoder_decoder_kwargs_for_generation = (
        T5ForConditionalGeneration._prepare_text_encoder_decoder_kwargs_for_generation
    )


def padded(rows, fill):
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def batch_at(rows, index, size):
    part = [rows[(index * size + i) % len(rows)] for i in range(size)]
    ids = padded([row["input"] for row in part], 0)
    return ids, (ids != 0).long(), padded([row["target"] for row in part], -100)


def timed(rounds, work):
    """work(round) -> how many things it did. One round goes before, untimed."""
    work(0)
    rates = []
    for i in range(1, rounds + 1):
        start = time.perf_counter()
        done = work(i)
        rates.append(done / (time.perf_counter() - start))
    return rates


def train(model, rows, args):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.3, weight_decay=0.0)

    def steps(index):
        for i in range(STEPS_A_ROUND):
            ids, mask, labels = batch_at(rows, index * STEPS_A_ROUND + i, args.batch)
            model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return STEPS_A_ROUND * args.batch

    return timed(args.rounds, steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["train"])
    parser.add_argument("model")
    parser.add_argument("rows")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with open(args.rows) as file:
        rows = json.load(file)
    base = AutoModelForSeq2SeqLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype))
    config = PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=args.length, num_transformer_submodules=1)
    model = get_peft_model(base, config).eval()
    json.dump({"train": train}[args.task](model, rows, args), sys.stdout)


if __name__ == "__main__":
    main()
