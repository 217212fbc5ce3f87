"""python check_peft.py MODEL ADAPTER INPUTS TARGETS: the log-probabilities that PEFT's model gives to each target token."""
import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, T5ForConditionalGeneration

if not hasattr(T5ForConditionalGeneration, "_prepare_encoder_decoder_kwargs_for_generation"):  # peft 0.21 wants the old name
    T5ForConditionalGeneration._prepare_encoder_decoder_kwargs_for_generation = (
        T5ForConditionalGeneration._prepare_text_encoder_decoder_kwargs_for_generation)

folder, adapter, inputs, targets = sys.argv[1:]
model = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32), adapter).eval()
inputs, targets = json.loads(inputs), json.loads(targets)
logits = []
with torch.no_grad():
    for ids, labels in zip(inputs, targets):
        out = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), labels=torch.tensor([labels]))
        logits.append(torch.log_softmax(out.logits[0], -1)[torch.arange(len(labels)), labels].tolist())
print(json.dumps({"rows": model.peft_config["default"].num_virtual_tokens, "logProbs": logits}))
