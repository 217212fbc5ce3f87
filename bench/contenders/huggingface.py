#!/usr/bin/env python3
"""Hugging Face transformers and PEFT as a process that answers the benches' requests, one JSON line each, as softprompt.mjs does.

    python huggingface.py MODEL DTYPE THREADS [--compile]          needs torch, transformers and, for train, peft

`--compile`: the model that `train` runs goes through torch.compile, with shapes that may change.
"""
import json
import re
import sys
import time

import torch
from transformers import AutoModelForSeq2SeqLM, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

# PEFT 0.21 asks for a method that transformers 5.18 has under another name.
if not hasattr(T5ForConditionalGeneration, "_prepare_encoder_decoder_kwargs_for_generation"):
    T5ForConditionalGeneration._prepare_encoder_decoder_kwargs_for_generation = (
        T5ForConditionalGeneration._prepare_text_encoder_decoder_kwargs_for_generation
    )


def resident_bytes(field):
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(field + r":\s+(\d+)", file.read())[1])


def seconds(work):
    """How long the work took, and what it used of the processors, all threads together."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - used}


def padded(rows, fill):
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


class Contender:
    def __init__(self, path, dtype, compiled):
        self.before = resident_bytes("VmRSS")
        self.loading = seconds(lambda: self.load(path, getattr(torch, dtype)))
        self.compile = (lambda model: torch.compile(model, dynamic=True)) if compiled else (lambda model: model)
        self.tuned = None  # (length, PEFT's model, as it is called, optimizer)

    def load(self, path, dtype):
        self.model = AutoModelForSeq2SeqLM.from_pretrained(path, dtype=dtype).eval()

    def loaded(self):
        return self.loading

    def memory(self):
        return {"before": self.before, "peak": resident_bytes("VmHWM")}

    def prompted(self, rows):
        """Embeddings [rows, longest, d_model] of (ids, rows of noise in front of them), and their mask."""
        model = self.model
        embed, width = model.get_input_embeddings(), model.config.d_model
        whole = [torch.cat([torch.rand(length, width, dtype=model.dtype), embed(torch.tensor(ids))]) for ids, length in rows]
        mask = torch.zeros(len(whole), max(map(len, whole)), dtype=torch.long)
        embeds = torch.zeros(*mask.shape, width, dtype=model.dtype)
        for i, row in enumerate(whole):
            embeds[i, : len(row)], mask[i, : len(row)] = row, 1
        return embeds, mask

    def tuning(self, length):
        from peft import PromptTuningConfig, TaskType, get_peft_model

        if self.tuned is None or self.tuned[0] != length:
            config = PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=length, num_transformer_submodules=1)
            model = get_peft_model(self.model, config).eval()
            learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
            self.tuned = (length, model, self.compile(model), torch.optim.AdamW(learned, lr=1e-3, weight_decay=0.0))
        return self.tuned[2:]

    def train(self, batches, length):
        model, optimizer = self.tuning(length)

        def steps():
            for batch in batches:
                ids, labels = padded([row["input"] for row in batch], 0), padded([row["target"] for row in batch], -100)
                model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss.backward()
                optimizer.step()
                optimizer.zero_grad()

        return seconds(steps)

    @torch.inference_mode()
    def decode(self, rows, numBeams):
        embeds, mask = self.prompted([(row["input"], row["length"]) for row in rows])
        tokens = max(row["tokens"] for row in rows)
        rules = dict(do_sample=False, num_beams=numBeams, min_new_tokens=tokens, max_new_tokens=tokens)
        return seconds(lambda: self.model.generate(inputs_embeds=embeds, attention_mask=mask, **rules))

    @torch.inference_mode()
    def classify(self, inputs, labels, length, each=False):
        """With `each`, every label is a pass of its own through encoder and decoder; else the encoder runs once."""
        model = self.model
        embeds, mask = self.prompted([(ids, length) for ids in inputs])

        def scores():
            hidden = None if each else BaseModelOutput(model.encoder(inputs_embeds=embeds, attention_mask=mask).last_hidden_state)
            for label in labels:
                target = torch.tensor([label] * len(inputs))
                source = dict(inputs_embeds=embeds) if each else dict(encoder_outputs=hidden)
                logits = model(**source, attention_mask=mask, labels=target).logits
                logits.float().log_softmax(-1).gather(-1, target[..., None]).sum((1, 2))

        return seconds(scores)


def rate(work, amount, enough=0.4):
    """The most of `amount` a second that some calls reach."""
    work()
    most, begun = 0.0, time.perf_counter()
    while time.perf_counter() < begun + enough:
        most = max(most, amount / seconds(work)["seconds"])
    return most


def peaks(size=2048, read=2**29):
    """Operations a second of square matrix products, and bytes a second of a plain read (a sum): what the machine reaches now, through PyTorch."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    whole = [torch.randint(-127, 128, (size, size), dtype=torch.int8) for _ in range(2)]
    numbers = torch.ones(read // 4)
    products = 2 * size**3
    return {
        "float32": rate(lambda: a @ b, products),
        "bfloat16": rate(lambda a=a.bfloat16(), b=b.bfloat16(): a @ b, products),
        "int8": rate(lambda: torch._int_mm(*whole), products),
        "read": rate(numbers.sum, read),
    }


def main(path, dtype, threads, compiled=None):
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    contender = None if path == "-" else Contender(path, dtype, compiled == "--compile")
    works = {"peaks": peaks, "versions": versions}
    for line in sys.stdin:
        request = json.loads(line)
        work = request.pop("work")
        try:
            answer = (works.get(work) or getattr(contender, work))(**request)
        except Exception as error:  # whatever a library throws is the answer
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        print(json.dumps(answer), flush=True)


def versions():
    from importlib.metadata import PackageNotFoundError, version

    def installed(name):
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {name: installed(name) for name in ("torch", "transformers", "peft")}


if __name__ == "__main__":
    main(*sys.argv[1:])
