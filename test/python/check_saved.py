"""python check_saved.py INPUTS TARGETS FOLDER...: of each saved folder, the log-probabilities that transformers' model of it gives to each target token."""
import json
import sys

import torch
from transformers import AutoModelForSeq2SeqLM

inputs, targets, *folders = sys.argv[1:]


def check(folder):
    model, loading = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    if model.config.model_type == "umt5":  # transformers 5 forces the flag to true, and scales by it
        model.config.tie_word_embeddings = json.load(open(folder + "/config.json")).get("tie_word_embeddings", True)
    log_probs = []
    with torch.no_grad():
        for ids, labels in zip(json.loads(inputs), json.loads(targets)):
            out = model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels]))
            log_probs.append(torch.log_softmax(out.logits[0], -1)[torch.arange(len(labels)), labels].tolist())
    return {"logProbs": log_probs, "missing": sorted(loading["missing_keys"]), "unexpected": sorted(loading["unexpected_keys"])}


print(json.dumps([check(folder) for folder in folders]))
