#!/usr/bin/env python3
"""Compares a .pt made by `softprompt convert` with Hugging Face's model of the same folder.

    python check_torchscript.py FOLDER MODEL.pt         needs torch and transformers
"""
import sys

import torch
from transformers import AutoModelForSeq2SeqLM

folder, path = sys.argv[1:]
reference = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
module = torch.jit.load(path).float()
torch.manual_seed(0)
vocabulary = reference.config.vocab_size
input_ids = torch.randint(3, vocabulary, (3, 17))
mask = torch.ones_like(input_ids)
mask[1, 9:] = mask[2, 1:] = 0
decoder_ids = torch.randint(3, vocabulary, (3, 6))

with torch.no_grad():
    expected = reference(input_ids=input_ids, attention_mask=mask, decoder_input_ids=decoder_ids).logits
    teacher_forced = module(input_ids, mask, decoder_ids)
    hidden = module.encode(module.embed(input_ids), mask.bool())
    cache = module.start_cache(hidden, decoder_ids.shape[1])
    stepped = torch.stack([module.logits(module.step(decoder_ids[:, t], t, cache, mask.bool())) for t in range(6)], 1)

missing = set(module.state_dict()) - set(reference.state_dict())
print("names unknown to Hugging Face:", sorted(missing) or "none")
for name, found in dict(teacher_forced=teacher_forced, stepped=stepped).items():
    print(f"{name}: largest difference {(found - expected).abs().max().item() / expected.abs().max().item():.1e} of the largest logit")
