#!/usr/bin/env python3
"""Trains nano-t5 (a T5 v1.1 of 5.2 million parameters) so that soft prompts can steer it. Needs torch, numpy, sentencepiece, safetensors.

    python pretrain_nano.py DATA OUT --start model.safetensors --spiece spiece.model --align --soften [--minutes 60]      first
    python pretrain_nano.py DATA OUT --start OUT/latest.pt    --spiece spiece.model --readout --words-beside 1 ...               then, with longer texts each time

DATA holds corpus/books.txt and corpus/textbooks.txt (a paragraph a line), data/banking77/train.csv (text,category), data/subj/train.jsonl and
data/xquad/train.jsonl (input, target). It starts from weights pre-trained with span corruption and prefix LM on the same corpus. No row of any other
set is read.

Four kinds of batches are mixed (--mix):
  soft   Live tasks, each told only by a soft prompt of its own. Prompts and model learn together, the prompts with a rate hundreds of times larger, as a user's
         would; after its lifetime a task is replaced by a fresh one with a fresh prompt. A young prompt trains only itself: the weights must not
         memorise in its place which labels are in use.
  made   A fresh task for each row, with a prompt that is composed, not learned: a row of it is the mean embedding of words of one class plus a learned vector of the
         class's label. It cannot be memorised, and teaches the text to look itself up in the prompt and the decoder to say what it found there.
  lm     Span corruption and prefix LM.
  copy   Repeating a list of pieces.

Three one-time repairs of the weights, each named by its flag, come before the training (see the functions): --align, --soften, --readout.
The stages that have been run, and what came of them, are in models/nano-t5/README.md: the recipe is unfinished.

OUT/hf is the model in Hugging Face's layout (bfloat16; the running mean of the weights), OUT/latest.pt the float32 weights, both rewritten every three minutes.
"""
import argparse, collections, csv, functools, gc, json, math, os, queue, random, re, shutil, threading, time
import numpy as np
import sentencepiece as spm
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

VOCAB, PIECES, D, HEADS, LAYERS, DECODER_LAYERS = 4224, 4000, 192, 6, 4, 3   # 4,000 pieces, 100 sentinels from 4099 down, padding
SENTINEL, LONGEST, LONG_SLOTS = PIECES + 99, 100, 3
OWN = 1000                                            # a made row's label: a number of texts.common, or OWN + a piece
CONFIG = {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "vocab_size": VOCAB, "d_model": D, "d_kv": D // HEADS, "d_ff": 512, "num_layers": LAYERS,
          "num_decoder_layers": DECODER_LAYERS, "num_heads": HEADS, "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "dropout_rate": 0.1,
          "layer_norm_epsilon": 1e-6, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "pad_token_id": 0, "eos_token_id": 1,
          "decoder_start_token_id": 0, "is_encoder_decoder": True, "use_cache": True, "torch_dtype": "bfloat16"}
TOKENIZER_CONFIG = {"model_max_length": 512, "extra_ids": 100, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


# ---------------------------------------------------------------------------------------------------------------------- the model
# T5 v1.1 on a dict of bfloat16 tensors under Hugging Face's names: about 1.7 times as fast on a CPU as the class under autocast, and equal to it in float32.

@functools.lru_cache(None)
def buckets(length, bidirectional):
    relative = torch.arange(length)[None] - torch.arange(length)[:, None]
    n, bucket = 32, torch.zeros_like(relative)
    if bidirectional:
        n = 16
        bucket, relative = (relative > 0).long() * n, relative.abs()
    else:
        relative = (-relative).clamp(min=0)
    exact = n // 2
    far = exact + (torch.log(relative.float().clamp(min=1) / exact) / math.log(128 / exact) * (n - exact)).long()
    return bucket + torch.where(relative < exact, relative, far.clamp(max=n - 1))


def rms_norm(x):                                      # the norms' weights are folded into what follows
    return x * (x.float().square().mean(-1, keepdim=True) + 1e-6).rsqrt().to(x.dtype)


def drop(x, p):
    return F.dropout(x, p) if p else x


def split_heads(x, batch, n):
    return x.view(batch, -1, n, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)


def attend(q, k, v, bias, p):
    batch, _, length, _ = q.shape
    scores = q @ k.transpose(-1, -2) + bias           # T5 does not scale
    return (drop(scores.softmax(-1), p) @ v).transpose(1, 2).reshape(batch, length, D)


def self_attention(w, at, x, bias, p):
    a = at + "SelfAttention."
    qkv = torch.cat([w[a + "q.weight"], w[a + "k.weight"], w[a + "v.weight"]]) * w[at + "layer_norm.weight"]
    q, k, v = split_heads(rms_norm(x) @ qkv.t(), len(x), 3)
    return x + drop(attend(q, k, v, bias, p) @ w[a + "o.weight"].t(), p)


def cross_attention(w, at, x, encoded, bias, p):
    a = at + "EncDecAttention."
    q = split_heads(rms_norm(x) @ (w[a + "q.weight"] * w[at + "layer_norm.weight"]).t(), len(x), 1)[0]
    k, v = split_heads(encoded @ torch.cat([w[a + "k.weight"], w[a + "v.weight"]]).t(), len(x), 2)
    return x + drop(attend(q, k, v, bias, p) @ w[a + "o.weight"].t(), p)


def feed_forward(w, at, x, p):
    d = at + "DenseReluDense."
    gate, value = (rms_norm(x) @ (torch.cat([w[d + "wi_0.weight"], w[d + "wi_1.weight"]]) * w[at + "layer_norm.weight"]).t()).chunk(2, -1)
    return x + drop(drop(F.gelu(gate, approximate="tanh") * value, p) @ w[d + "wo.weight"].t(), p)


def forward(w, embedded, mask, labels, p=0.):
    """embedded [B, S, D], mask [B, S] bool, labels [B, T] (-100: padding) -> logits [B, T, VOCAB]"""
    relative = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    hidden = torch.zeros(len(mask), 1, 1, mask.shape[1], dtype=embedded.dtype).masked_fill(~mask[:, None, None], -1e4)
    bias = F.embedding(buckets(mask.shape[1], True), w["encoder." + relative]).permute(2, 0, 1)[None] + hidden
    x = drop(embedded, p)
    for i in range(LAYERS):
        x = self_attention(w, f"encoder.block.{i}.layer.0.", x, bias, p)
        x = feed_forward(w, f"encoder.block.{i}.layer.1.", x, p)
    encoded = drop(rms_norm(x) * w["encoder.final_layer_norm.weight"], p)
    n = labels.shape[1]
    bias = F.embedding(buckets(n, False), w["decoder." + relative]).permute(2, 0, 1)[None] + torch.full((n, n), -1e4, dtype=embedded.dtype).triu(1)
    x = drop(F.embedding(F.pad(labels.clamp(min=0)[:, :-1], (1, 0)), w["shared.weight"]), p)
    for i in range(DECODER_LAYERS):
        at = f"decoder.block.{i}.layer."
        x = feed_forward(w, at + "2.", cross_attention(w, at + "1.", self_attention(w, at + "0.", x, bias, p), encoded, hidden, p), p)
    return drop(rms_norm(x) * w["decoder.final_layer_norm.weight"], p) @ w["lm_head.weight"].t()


def align(weights):
    """Gives the input embeddings a part that is a rotation of the output head. After the first pre-training no linear map led from one to the other (R2 below 0
    on held-out pieces), so that a word of the input could hardly be said, and pieces used alike had unrelated embeddings."""
    generator = torch.Generator().manual_seed(0)
    head = weights["lm_head.weight"][:PIECES] - weights["lm_head.weight"][3:PIECES].mean(0)
    u, s, vt = torch.linalg.svd(head, full_matrices=False)
    flat = u * s.sqrt() @ vt                          # half whitened: frequency fills the first directions
    turned = flat / flat.norm(dim=1, keepdim=True) * 13.6 @ torch.linalg.qr(torch.randn(D, D, generator=generator))[0]
    table = weights["shared.weight"]
    table[3:PIECES] = 0.7 * table[3:PIECES] + 0.75 * turned[3:]


def soften(weights):
    """Lets the embeddings through. After the first pre-training the encoder's layers wrote 6 to 20 times the embedding's norm into the residual stream (14 at the input,
    97 after one layer, 300 at the end), so that a prompt's row reached the decoder only through strong nonlinearities."""
    for k, v in weights.items():
        if k.startswith("encoder.block") and k.endswith(("SelfAttention.o.weight", "wo.weight")):
            v /= 7
        elif k.startswith("decoder.block") and k.endswith("wo.weight"):
            v *= .4


def encode(w, embedded, mask):
    hidden = torch.zeros(len(mask), 1, 1, mask.shape[1]).masked_fill(~mask[:, None, None], -1e4)
    bias = F.embedding(buckets(mask.shape[1], True), w["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]).permute(2, 0, 1)[None] + hidden
    for i in range(LAYERS):
        embedded = feed_forward(w, f"encoder.block.{i}.layer.1.", self_attention(w, f"encoder.block.{i}.layer.0.", embedded, bias, 0.), 0.)
    return rms_norm(embedded) * w["encoder.final_layer_norm.weight"]


@torch.no_grad()
def readout(weights, texts, sp, rng, size=200.):
    """Lets the decoder say any word of the prompt: the values and outputs of its last cross-attention become the least-squares map from the encoder's output
    at a prompt row (a label's embedding, often plus another word's) to the direction that the head needs for that label. Queries and keys stay."""
    head = weights["lm_head.weight"][:PIECES] - weights["lm_head.weight"][3:PIECES].mean(0)
    u, s, vt = torch.linalg.svd(head[3:], full_matrices=False)
    wanted = F.pad(u * s.pow(.3) @ vt, (0, 0, 3, 0))
    wanted = wanted / wanted.norm(dim=1, keepdim=True).clamp(min=1e-6) * D ** .5
    last = weights["decoder.final_layer_norm.weight"]
    wanted, table, inputs, labels, n = wanted / last.clamp(min=last.median() * .3), weights["shared.weight"], [], [], 12
    for _ in range(60):
        label, key = torch.randint(3, PIECES, (2, 48, n))
        size_of = lambda *shape: torch.exp(torch.randn(*shape, 1) * .3)
        rows = (table[label] * size_of(48, n) + (torch.rand(48, 1, 1) < .6) * table[key] * size_of(48, n)) * size_of(48, 1)
        text, _ = pad([sp.encode(rng.choice(texts.short if rng.random() < .5 else texts.sentences))[:20] + [1] for _ in range(48)], [[1]] * 48)
        inputs.append(encode(weights, torch.cat([rows, table[text]], 1), torch.cat([torch.ones(48, n, dtype=torch.bool), text != 0], 1))[:, :n].reshape(-1, D))
        labels.append(label.view(-1))
    x, y = torch.cat(inputs), wanted[torch.cat(labels)]
    x = x - x.mean(0)
    square = x.T @ x
    solution = torch.linalg.solve(square + .01 * square.diagonal().mean() * torch.eye(D), x.T @ y)
    solution *= size / (x @ solution).norm(dim=1).mean()
    turn, gain = torch.linalg.qr(torch.randn(D, D))[0], (solution.norm() / D ** .5).sqrt()
    at = f"decoder.block.{DECODER_LAYERS - 1}.layer.1.EncDecAttention."
    weights[at + "v.weight"], weights[at + "o.weight"] = (turn * gain).T.contiguous(), (turn.T @ solution / gain).T.contiguous()


# ---------------------------------------------------------------------------------------------------------------------- texts and classes

WORD = re.compile(r"[A-Za-z]{3,}")
KINDS = {"keyword": .36, "region": .22, "intent": .24, "first": .05, "wh": .04, "mark": .03, "source": .04, "subj": .02}


class Texts:
    """All that tasks are made of."""
    def __init__(self, data, sp):
        paragraphs = {k: [l.strip() for l in open(os.path.join(data, "corpus", k + ".txt")) if l.strip()] for k in ("books", "textbooks")}
        split = re.compile(r"(?<=[.!?][\"'”’])\s+|(?<=[.!?])\s+")
        sentences = {k: [s for p in ps for s in split.split(p) if 4 <= s.count(" ") + 1 <= 30] for k, ps in paragraphs.items()}
        self.sentences, self.books = sentences["books"] + sentences["textbooks"], len(sentences["books"])   # in the corpus' order
        self.bank, self.subj = collections.defaultdict(list), collections.defaultdict(list)
        for r in csv.DictReader(open(os.path.join(data, "data/banking77/train.csv"))):
            self.bank[r["category"].replace("_", " ").replace("?", "").lower()].append(r["text"])
        rows = lambda name: (json.loads(l) for l in open(os.path.join(data, "data", name, "train.jsonl")))
        for r in rows("subj"):
            self.subj[r["target"]].append(r["input"])
        self.questions = [r["input"].split(" context: ")[0].replace("question: ", "") for r in rows("xquad")]
        self.intents, self.utterances = sorted(self.bank), [t for v in self.bank.values() for t in v]
        self.short = self.utterances + self.questions * 3

        index, self.first, self.mark = collections.defaultdict(list), collections.defaultdict(list), {"?": [], "!": [], '"': []}
        for i, s in enumerate(self.sentences):        # word -> sentences with it; first word, last mark -> sentences
            for word in set(WORD.findall(s.lower())):
                index[word].append(i)
            self.first[s.split()[0].strip("\"'“‘")].append(i)
            mark = s[-1] if s[-1] in "?!" else '"' if s[-1] in "\"'”’" else None
            if mark:
                self.mark[mark].append(i)
        self.index = {word: at for word, at in index.items() if 12 <= len(at) <= 6000}
        self.short_index = collections.defaultdict(list)
        for i, s in enumerate(self.short):
            for word in set(WORD.findall(s.lower())):
                self.short_index[word].append(i)
        self.words = sorted(self.index)
        self.bank_words = sorted(word for word, at in self.short_index.items() if 8 <= len(at) <= 700)
        self.firsts = sorted(word for word, at in self.first.items() if len(at) >= 60 and word)

        size = {word: len(sp.encode(word)) for word in self.words}
        self.labels = [word for word in self.words if len(word) <= 12 and len(self.index[word]) >= 25 and size[word] <= 3]
        self.one_piece = [word for word in self.labels if size[word] == 1]
        pick = random.Random(7)                       # the labels of made prompts
        self.common = sorted(pick.sample(self.one_piece, 300) + pick.sample([word for word in self.labels if size[word] == 2], 60))
        self.streams = {k: np.fromiter((t for p in sp.encode(ps) for t in p + [1]), np.int32) for k, ps in paragraphs.items()}


class Tasks:
    """Makes random classification tasks: classes (each a sampler of texts) and arbitrary words as their labels."""
    def __init__(self, texts, rng):
        self.texts, self.rng = texts, rng
        self.sources = [self.rows(r) for r in (texts.questions, texts.utterances, texts.sentences[:texts.books], texts.sentences[texts.books:], texts.subj["subjective"])]

    def crop(self, text, at=None, low=4, high=14):
        words, n = text.split(), self.rng.randint(low, high)
        if len(words) <= n:
            return text
        o = self.rng.randrange(len(words) - n + 1) if at is None else min(max(0, at - self.rng.randrange(n)), len(words) - n)
        return " ".join(words[o:o + n])

    # -- classes: dicts of text() -> a text of the class, hint() -> a few words that tell of it, keywords, name
    def make_class(self, text, hint=None, keywords=(), name=None):
        return {"text": text, "hint": hint or (lambda: self.crop(text(), low=4, high=8)), "keywords": set(keywords), "name": name}

    def keyword(self, keywords):
        """Texts with one of some words: real ones, or any with the word put in."""
        t, rng = self.texts, self.rng
        def text():
            word, homes = rng.choice(keywords), []
            if rng.random() < .7:
                homes = [h for h in ((t.sentences, t.index), (t.short, t.short_index)) if word in h[1]]
            if homes:
                pool, index = rng.choice(homes)
                s = pool[rng.choice(index[word])]
                return self.crop(s, next((j for j, x in enumerate(s.split()) if word in x.lower()), None))
            return self.inserted(word, 14)
        return self.make_class(text, lambda: " ".join(rng.sample(keywords, min(len(keywords), rng.randint(1, 3)))), keywords)

    def inserted(self, word, high):
        words = self.crop(self.rng.choice(self.texts.short if self.rng.random() < .5 else self.texts.sentences), low=max(1, min(4, high)), high=max(1, high)).split()[:high]
        words.insert(self.rng.randint(0, len(words)), word)
        return " ".join(words)

    def rows(self, rows, name=None):
        text = lambda: self.crop(self.rng.choice(rows), low=8, high=15)
        return self.make_class(text, (lambda: name if self.rng.random() < .5 else self.crop(text(), low=4, high=8)) if name else None, name=name)

    def ends(self, ids, tail):
        def text():
            words, n = self.texts.sentences[self.rng.choice(ids)].split(), self.rng.randint(5, 14)
            return " ".join(words[-n:] if tail else words[:n])
        return self.make_class(text)

    def intent(self, names):
        return self.rows([x for n in names for x in self.texts.bank[n]], names[0])

    def near_words(self):
        t, o = self.texts, self.rng.randrange(len(self.texts.sentences) - 30)
        count = collections.Counter(w for s in t.sentences[o:o + 25] for w in set(WORD.findall(s.lower())) if len(t.index.get(w, ())) in range(1, 1500))
        return [w for w, _ in count.most_common(14)]

    def a_class(self, kind):
        t, rng = self.texts, self.rng
        if kind == "keyword":
            r, n = rng.random(), rng.choice([1, 1, 2, 2, 3, 4, 6, 8])
            pool = t.words if r < .4 else t.bank_words if r < .75 else self.near_words() or t.words
            return self.keyword(rng.sample(pool, min(n, len(pool))))
        if kind == "region":                          # a stretch of the corpus: a topic of a textbook, a scene of a novel
            n = rng.choice([60, 120, 250, 500])
            o = rng.randrange(t.books, len(t.sentences) - n) if rng.random() < .75 else rng.randrange(t.books - n)
            return self.make_class(lambda: self.crop(t.sentences[o + rng.randrange(n)], low=6, high=15))
        if kind == "intent":
            return self.intent(rng.sample(t.intents, 1 if rng.random() < .6 else rng.randint(2, 4)))
        if kind == "first":
            return self.ends([i for w in rng.sample(t.firsts, rng.choice([1, 1, 2, 3])) for i in rng.sample(t.first[w], 60)], tail=False)
        if kind == "mark":
            return self.ends(t.mark[rng.choice(list(t.mark))], tail=True)
        if kind == "wh":
            w = rng.choice(["What", "Who", "When", "Where", "How", "Which"])
            return self.rows([q for q in t.questions if q.startswith(w)])
        if kind == "subj":
            return self.rows(t.subj[rng.choice(list(t.subj))])
        return rng.choice(self.sources)

    # -- tasks
    def names(self, n):
        t, rng, r = self.texts, self.rng, self.rng.random()
        names = rng.sample(t.common if rng.random() < .5 else t.one_piece if rng.random() < .5 else t.labels, n)
        if r < .15:
            return [x + " " + rng.choice(t.one_piece) if rng.random() < .6 else x for x in names]
        return [x.capitalize() for x in names] if r < .22 else names

    def task(self, most):
        t, rng = self.texts, self.rng
        n, mode, base = min(most, rng.choice([2, 2, 3, 3, 4, 5, 6, 7, 8, 10])), rng.random(), rng.choices(list(KINDS), KINDS.values())[0]
        if mode < .6 and base in ("keyword", "region"):
            classes = [self.a_class(base) for _ in range(n)]
        elif mode < .6 and base == "intent":
            k = 1 if rng.random() < .6 else rng.randint(2, 4)
            names = rng.sample(t.intents, n * k)
            classes = [self.intent(names[j * k:j * k + k]) for j in range(n)]
        elif mode < .64:
            classes = [self.rows(t.subj[k]) for k in ("subjective", "objective")]
        elif mode < .68:
            classes = [self.ends(v, tail=True) for v in t.mark.values()]
        elif mode < .73:
            classes = [self.rows([q for q in t.questions if q.startswith(w)]) for w in rng.sample(["What", "Who", "When", "Where", "How", "Which"], min(6, n))]
        elif mode < .77:
            classes = rng.sample(self.sources, min(5, n))
        else:
            classes = [self.a_class(k) for k in rng.choices(["keyword", "region", "intent", "first"], [.4, .25, .3, .05], k=n)]
        rng.shuffle(classes)
        names = self.names(len(classes))
        if rng.random() < .2:
            names = [sorted(c["keywords"])[0] if c["keywords"] else n for c, n in zip(classes, names)]
        elif rng.random() < .3:
            names = [c["name"] or n for c, n in zip(classes, names)]
        return {"classes": classes, "names": names, "case": rng.choice(["", "", "", "lower", "bare"]), "front": rng.choice(["", "", "", "", "text: ", "input: ", "classify: ", "sentence: "])}

    def row(self, task):
        """-> a text and the number of its class; a text with another class's keyword is (nearly always) drawn again"""
        while True:
            j = self.rng.randrange(len(task["classes"]))
            text = task["classes"][j]["text"]()
            found = set(WORD.findall(text.lower()))
            if not any(i != j and c["keywords"] & found for i, c in enumerate(task["classes"])) or self.rng.random() < .05:
                break
        text = text.lower() if task["case"] == "lower" else re.sub(r"[^\w\s]", "", text).lower() if task["case"] == "bare" else text
        return task["front"] + text, j


# ---------------------------------------------------------------------------------------------------------------------- batches

def pad(inputs, targets):
    """Lengths are rounded up: oneDNN builds its kernels anew for each shape."""
    up = lambda n, k: -(-n // k) * k
    t = max(map(len, targets))
    x = torch.zeros(len(inputs), up(max(map(len, inputs)), 8), dtype=torch.long)
    y = torch.full((len(inputs), up(t, 2 if t <= 8 else 8)), -100)
    for j, (a, b) in enumerate(zip(inputs, targets)):
        x[j, :len(a)], y[j, :len(b)] = torch.tensor(a), torch.tensor(b)
    return x, y


class Batches:
    """Ids from VOCAB up stand for rows of prompts."""
    def __init__(self, texts, sp, a, rng):
        self.texts, self.sp, self.a, self.rng, self.tasks = texts, sp, a, rng, Tasks(texts, rng)
        self.numbers, self.common = np.random.default_rng(rng.randrange(2**31)), {w: i for i, w in enumerate(texts.common)}
        self.slots = [self.fresh_slot(i >= a.slots) for i in range(a.slots + LONG_SLOTS)]
        for s in self.slots:
            s["life"] = rng.randint(*sorted((150, max(a.life))))   # not all replaced at once

    def fresh_slot(self, long):
        task, rng = self.tasks.task(self.a.labels), self.rng
        return {"task": task, "targets": [self.sp.encode(n)[:8] + [1] for n in task["names"]], "rows": rng.choice([40, 60, 80, 100] if long else [6, 10, 12, 16, 16, 20, 20, 24]),
                "long": long, "life": rng.choice(self.a.life), "age": 0, "rate": math.exp(rng.uniform(math.log(.04), math.log(.4))), "fresh": True}

    def soft(self):
        long, n = self.rng.random() < .1, self.a.slots
        used = list(range(n, n + LONG_SLOTS)) if long else sorted(self.rng.sample(range(n), 4))
        inputs, targets, fresh = [], [], []
        for k in used:
            if self.slots[k]["age"] >= self.slots[k]["life"]:
                self.slots[k] = self.fresh_slot(long)
            s = self.slots[k]
            if s.pop("fresh", False):
                fresh.append((k, s["rows"], s["rate"], [t for y in s["targets"] for t in y[:-1]]))
            for _ in range(10 if long else 12):
                text, j = self.tasks.row(s["task"])
                inputs.append([VOCAB + k * LONGEST + i for i in range(s["rows"])] + self.sp.encode(text)[:47] + [1])
                targets.append(s["targets"][j])
            s["age"] += 1
        return ("soft", *pad(inputs, targets), (used, [self.slots[k]["age"] for k in used], [len(self.slots[k]["targets"]) for k in used], fresh))

    def made(self):
        """Half of the tasks and more use the labels' own embeddings as their vectors, so that any word can be a label; the others a learned vector."""
        rng, t, inputs, targets, keys, values = self.rng, self.texts, [], [], [], []
        beside, hard = self.a.words_beside, self.a.made > 3
        easy = beside < 12                            # short texts: a keyword and up to so many words beside it
        for _ in range(32 if easy else 16):
            n = rng.randint(2, self.a.made)
            if easy or rng.random() < .7:
                sizes = [rng.choice([1, 1, 2, 3] if hard else [1] if beside < 4 else [1, 2]) for _ in range(n)]
                words = rng.sample(rng.choice([t.words, t.words, t.bank_words]), sum(sizes))
                classes = [self.tasks.keyword([words.pop() for _ in range(k)]) for k in sizes]
                task = {"classes": classes, "case": rng.choice(["", "", "lower"]), "front": ""}
            else:
                task = self.tasks.task(n)
            own, prompt = rng.random() < .6, []
            names = rng.sample((t.one_piece if rng.random() < .8 else t.labels) if own else t.common, len(task["classes"]))
            for c, name in zip(task["classes"], names):
                hints = sorted(c["keywords"])[:4] or [c["hint"]() for _ in range(rng.randint(1, 3))]
                prompt += [(self.sp.encode(h)[:10], OWN + self.sp.encode(name)[0] if own else self.common[name]) for h in hints]
            prompt = prompt + [([rng.randrange(3, PIECES)], -1) for _ in range(rng.randint(0, 5))] if hard else prompt * rng.choice([1] if beside < 4 else [1, 2])
            rng.shuffle(prompt)
            prompt = prompt[:24]
            for _ in range(3):
                text, j = self.tasks.row(task)
                if task["classes"][j]["keywords"] and (easy or not hard and rng.random() < .6):
                    text = self.tasks.inserted(rng.choice(sorted(task["classes"][j]["keywords"])), rng.randint(0, beside) if easy else 6)
                inputs.append([VOCAB + len(keys) + i for i in range(len(prompt))] + self.sp.encode(text)[:40] + [1])
                targets.append(self.sp.encode(names[j])[:8] + [1])
            keys += [k + [0] * (10 - len(k)) for k, _ in prompt]
            values += [v for _, v in prompt]
        return ("made", *pad(inputs, targets), (torch.tensor(keys), torch.tensor(values)))

    def lm(self):
        prefix, inputs, targets = self.rng.random() < .4, [], []
        for _ in range(32):
            stream = self.texts.streams["books" if self.rng.random() < .55 else "textbooks"]
            o, c = self.rng.randrange(len(stream) - 64), self.rng.randint(16, 48)
            segment = stream[o:o + 64].tolist()
            x, y = (segment[:c] + [1], segment[c:] + [1]) if prefix else self.spans(segment)
            inputs.append(x)
            targets.append(y)
        return ("prefix" if prefix else "span", *pad(inputs, targets), None)

    def spans(self, segment):
        """Span corruption: 15 % of the tokens, in spans of three on average."""
        n, noise = len(segment), round(len(segment) * .15)
        k = round(noise / 3)
        cut = lambda total: np.diff(np.concatenate([[0], np.sort(self.numbers.choice(total - 1, k - 1, replace=False)) + 1, [total]]))
        x, y, at = [], [], 0
        for j, (keep, gone) in enumerate(zip(cut(n - noise), cut(noise))):
            x += segment[at:at + keep] + [SENTINEL - j]
            y += [SENTINEL - j] + segment[at + keep:at + keep + gone]
            at += keep + gone
        return x + [1], y + [SENTINEL - k, 1]

    def copy(self):
        rng, rows = self.rng, []
        for _ in range(48):
            n = rng.randint(6, 20)
            rows.append((self.numbers.integers(3, PIECES, n).tolist() if rng.random() < .5 else self.sp.encode(" ".join(rng.sample(self.texts.labels, n // 2 + 1)))[:24]) + [1])
        return ("copy", *pad(rows, rows), None)

    def next(self):
        return getattr(self, self.rng.choices(["soft", "made", "lm", "copy"], self.a.mix)[0])()


# ---------------------------------------------------------------------------------------------------------------------- training

class LivePrompts:
    """The prompts of the soft batches and their Adam, each with its own rate."""
    def __init__(self, slots):
        self.value, self.mean, self.square = (torch.zeros(slots, LONGEST, D) for _ in range(3))
        self.updates, self.rate = [0] * slots, [0.] * slots

    def start(self, k, rows, rate, label_ids, table):
        r = random.random()
        if r < .75:
            self.value[k, :rows] = table[torch.randint(3, PIECES, (rows,))]
        elif r < .87:
            self.value[k, :rows] = table[torch.tensor(label_ids)[torch.arange(rows) % len(label_ids)]]
        else:
            self.value[k, :rows].normal_(0, random.choice([.1, .5, 1.]))
        self.mean[k], self.square[k], self.updates[k], self.rate[k] = 0, 0, 0, rate

    def update(self, k, gradient):
        self.updates[k] += 1
        self.mean[k].mul_(.9).add_(gradient, alpha=.1)
        self.square[k].mul_(.99).addcmul_(gradient, gradient, value=.01)
        n = self.updates[k]
        self.value[k].addcdiv_(self.mean[k] / (1 - .9 ** n), (self.square[k] / (1 - .99 ** n)).sqrt() + 1e-10, value=-self.rate[k])


def composed(keys, values, table, label_vectors):
    """The rows of made prompts, of varied weight, scale and noise."""
    there = (keys > 0)[..., None].to(table.dtype)
    key = (F.embedding(keys, table) * there).sum(1) / there.sum(1).clamp(min=1) ** .7
    learned, own = (values >= 0) & (values < OWN), values >= OWN
    value = F.embedding(values.clamp(0, len(label_vectors) - 1), label_vectors) * learned[:, None] + F.embedding((values - OWN).clamp(min=0), table) * own[:, None]
    size = torch.exp(torch.randn(2, len(keys), 1) * .3).to(table.dtype)
    rows = key * size[0] + value * size[1] + torch.randn(len(keys), D).to(table.dtype) * random.choice([0, .2, .5])
    return rows * random.choice([.7, 1, 1, 1.5, 2.5])


def export(weights, spiece, out):
    os.makedirs(out, exist_ok=True)
    temporary = os.path.join(out, "model.safetensors.tmp")
    save_file({k: v.detach().to(torch.bfloat16).contiguous().clone() for k, v in weights.items()}, temporary, {"format": "pt"})
    os.replace(temporary, temporary[:-4])
    shutil.copyfile(spiece, os.path.join(out, "spiece.model"))
    for name, value in (("config.json", CONFIG), ("tokenizer_config.json", TOKENIZER_CONFIG)):
        json.dump(value, open(os.path.join(out, name), "w"), indent=2)


def train(rank, a):
    torch.set_num_threads(1)
    if a.replicas > 1:
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{a.port}", rank=rank, world_size=a.replicas)
    seed = a.seed + 1000 * rank
    random.seed(seed)
    torch.manual_seed(seed)
    sp = spm.SentencePieceProcessor(model_file=a.spiece)
    weights = {k: v.float() for k, v in (torch.load(a.start) if a.start.endswith(".pt") else load_file(a.start)).items() if not k.endswith("embed_tokens.weight")}
    if a.align:
        align(weights)
    if a.soften:
        soften(weights)
    texts = Texts(a.data, sp)
    if a.readout:                                     # the same on each replica: they are averaged before the first step
        torch.manual_seed(a.seed)
        readout(weights, texts, sp, random.Random(a.seed))
        torch.manual_seed(seed)
    batches = Batches(texts, sp, a, random.Random(seed))
    if "label_vectors" not in weights:
        weights["label_vectors"] = torch.stack([weights["shared.weight"][sp.encode(x)].mean(0) for x in batches.texts.common])
    weights = {k: v.requires_grad_() for k, v in weights.items()}
    model = {k: v for k, v in weights.items() if k != "label_vectors"}
    mean = {k: v.detach().clone() for k, v in model.items()}
    rates = collections.defaultdict(list)             # (factor of the rate, weight decay) -> parameters
    for k, v in weights.items():
        rates[(a.label_rate / a.rate, 0.) if k == "label_vectors" else (2., 0.) if k == "shared.weight" else (1.7, 0.) if "EncDecAttention" in k else (.4, 0.) if k.startswith("encoder.block") and k.endswith(("SelfAttention.o.weight", "wo.weight")) else (1., 0. if v.dim() < 2 else .01)].append(v)
    optimizer = torch.optim.AdamW([{"params": v, "factor": f, "weight_decay": d} for (f, d), v in rates.items()], lr=a.rate, betas=(.9, .98), fused=True)
    prompts = LivePrompts(a.slots + LONG_SLOTS)

    gc.collect()
    gc.freeze()                                       # the texts are not garbage
    ready = queue.Queue(8)
    threading.Thread(target=lambda: [ready.put(batches.next()) for _ in iter(int, 1)], daemon=True).start()
    begun = saved = time.time()
    step, seen, shown, ages = 0, 0, {}, collections.defaultdict(lambda: np.zeros(4))
    while True:
        done = (time.time() - begun) / (a.minutes * 60)
        stop = done >= 1
        if a.replicas > 1 and step % 10 == 0:         # the replicas' mean, and one clock
            with torch.no_grad():
                flat = torch.cat([v.view(-1) for v in weights.values()] + [torch.tensor([float(stop)])])
                dist.all_reduce(flat)
                flat /= a.replicas
                for v, part in zip(weights.values(), flat[:-1].split([v.numel() for v in weights.values()])):
                    v.copy_(part.view_as(v))
            stop = flat[-1].item() > 0
        if stop and (a.replicas == 1 or step % 10 == 0):
            break
        rate = a.rate * min(1, (step + 1) / 100) * min(1, max(.03, (1 - done) / a.decay))
        for g in optimizer.param_groups:
            g["lr"] = rate * g["factor"]

        kind, x, y, extra = ready.get()
        w = {k: v.detach().bfloat16().requires_grad_() for k, v in weights.items()}
        table, p = w["shared.weight"], 0.
        if kind == "soft":
            used, age, classes, fresh = extra
            for k, rows, prompt_rate, label_ids in fresh:
                prompts.start(k, rows, prompt_rate, label_ids, model["shared.weight"].detach())
            leaf = prompts.value.clone().requires_grad_()
            table, p = torch.cat([table, leaf.view(-1, D).bfloat16()]), .1 * (random.random() < a.dropout)
        elif kind == "made":
            table, p = torch.cat([table, composed(*extra, table, w["label_vectors"])]), .1 * (random.random() < a.dropout / 2)
        logits = forward(w, F.embedding(x, table), x != 0, y, p).float()
        token = F.cross_entropy(logits.transpose(1, 2), y, ignore_index=-100, reduction="none")
        count = (y >= 0).sum(1)
        row = token.sum(1) / count
        if kind == "soft":                            # a young prompt's gradient is its own: Adam does not see the factor
            per_task = row.view(len(used), -1).mean(1)
            loss = (torch.tensor([1e-3 + min(1, max(0, n - a.young) / 40) for n in age]) * per_task).mean()
        else:
            loss = row.mean() if kind == "made" else token.sum() / count.sum()
        loss.backward()
        for k, v in weights.items():
            v.grad = w[k].grad.float() if w[k].grad is not None else None
        torch.nn.utils.clip_grad_norm_(model.values(), 1.)
        optimizer.step()

        shown[kind] = .97 * shown.get(kind, row.mean().item()) + .03 * row.mean().item()
        if kind in ("soft", "made"):
            hit = ((logits.argmax(-1) == y) | (y < 0)).all(1).float()
            shown[kind + " accuracy"] = .97 * shown.get(kind + " accuracy", 0) + .03 * hit.mean().item()
        if kind == "soft":
            for j, k in enumerate(used):
                prompts.update(k, leaf.grad[k])
                ages[next(n for n in (20, 50, 100, 150, 250, 9999) if age[j] <= n)] += (1, per_task[j].item(), hit.view(len(used), -1)[j].mean().item(), 1 / classes[j])
        step, seen = step + 1, seen + int((x != 0).sum()) + int(count.sum())
        if step % 10 == 0:
            for k, v in mean.items():
                v.lerp_(model[k].detach(), .02 if step > 200 else .3)
        if step % 50 == 0 and rank == 0:
            print(f"{time.time() - begun:.0f} s step {step}", {k: round(v, 3) for k, v in shown.items()}, f"rate {rate:.1e}, {seen / (time.time() - begun):.0f} tokens/s", flush=True)
        if step % 300 == 0 and rank == 0:             # how fast a fresh task is learned: what all this is for
            print("  updates: loss, accuracy, chance", {k: [round(z, 2) for z in (v[1:] / v[0]).tolist()] for k, v in sorted(ages.items())}, flush=True)
            ages.clear()
        if rank == 0 and time.time() - saved > 180:
            saved = time.time()
            torch.save({k: v.detach() for k, v in weights.items()}, os.path.join(a.out, "latest.pt"))
            export(mean, a.spiece, os.path.join(a.out, "hf"))
    if rank == 0:
        torch.save({k: v.detach() for k, v in weights.items()}, os.path.join(a.out, "latest.pt"))
        export(model, a.spiece, os.path.join(a.out, "hf"))
        print("done:", step, "steps,", seen, "tokens a replica")


if __name__ == "__main__":
    numbers = lambda kind: lambda s: list(map(kind, s.split(",")))
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("data")
    a.add_argument("out")
    a.add_argument("--start", required=True, help="weights to begin with: .safetensors, or a latest.pt")
    a.add_argument("--spiece", required=True, help="SentencePiece model of 4,000 pieces")
    a.add_argument("--align", action="store_true", help="first align the input embeddings with the output head (once)")
    a.add_argument("--soften", action="store_true", help="first scale down what the encoder's layers write (once)")
    a.add_argument("--readout", action="store_true", help="first solve for the decoder's last cross-attention (once, after --soften and some training)")
    a.add_argument("--words-beside", type=int, default=99, help="made prompts: most words beside the keyword; below 12 only keyword tasks (1, then 3, 6, 11, 99)")
    a.add_argument("--minutes", type=float, default=60)
    a.add_argument("--mix", type=numbers(float), default=[.3, .64, .05, .01], help="shares of soft, made, lm, copy")
    a.add_argument("--labels", type=int, default=6, help="most labels of a live task")
    a.add_argument("--made", type=int, default=3, help="most labels of a made prompt; above 3 also rows that say nothing, and longer texts")
    a.add_argument("--slots", type=int, default=16, help="live tasks a replica (and 3 with long prompts)")
    a.add_argument("--life", type=numbers(int), default=[150, 200, 250, 300], help="lifetimes, in updates of the prompt")
    a.add_argument("--young", type=int, default=40, help="updates before a task trains the weights")
    a.add_argument("--rate", type=float, default=1.2e-3)
    a.add_argument("--label-rate", type=float, default=.03)
    a.add_argument("--decay", type=float, default=.3, help="last share of the time, in which the rate falls")
    a.add_argument("--dropout", type=float, default=.25, help="share of the soft batches with the users' dropout of 0.1")
    a.add_argument("--replicas", type=int, default=2, help="processes of one thread, averaged every 10 steps: on a busy machine far faster than threads")
    a.add_argument("--port", type=int, default=29511)
    a.add_argument("--seed", type=int, default=1)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    mp.spawn(train, (a,), a.replicas) if a.replicas > 1 else train(0, a)
