"""Lesson 7: texts. A language model first, then a classifier that begins with what it knows (ULMFiT).

The reviews are made by a grammar, half of them good. Each holds a word of praise, a word of blame and a "not", so the
words alone say nothing: "not dull but superb" and "not superb but dull" are the same bag of words. Whoever tells them
apart has read them in order.

    python examples/07_texts.py
"""

from __future__ import annotations

import random

import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from vivace.text.all import *

PRAISE = "superb lovely brilliant moving clever charming".split()
BLAME = "dull clumsy awful boring shallow tedious".split()
THINGS = ["film", "plot", "music", "acting", "second half", "dialogue"]
SCENES = [
    "We went on a rainy evening.",
    "My brother had bought the tickets.",
    "The cinema was nearly empty.",
    "It lasted two hours.",
    "I had read the book before.",
    "Somebody behind us was eating crisps.",
]
OPINIONS = [
    "The {thing} was not {other} but {true}.",
    "The {thing} was {true}, not {other}.",
    "I found the {thing} {true} and not {other} at all.",
    "Not {other}, as they had told me, but {true}: that was the {thing}.",
]


def review(draw: random.Random, is_good: bool) -> str:
    """Two scenes and an opinion, in some order."""
    praise, blame = draw.choice(PRAISE), draw.choice(BLAME)
    true, other = (praise, blame) if is_good else (blame, praise)
    opinion = draw.choice(OPINIONS).format(thing=draw.choice(THINGS), true=true, other=other)
    sentences = [*draw.sample(SCENES, 2), opinion]
    draw.shuffle(sentences)
    return " ".join(sentences)


set_seed(42)
draw = random.Random(42)
reviews = pd.DataFrame({"label": ["good", "bad"] * 600})
reviews["text"] = [review(draw, label == "good") for label in reviews.label]
reviews["is_valid"] = reviews.index >= 900
train, valid = reviews[~reviews.is_valid], reviews[reviews.is_valid]

# What the words alone are worth: a coin.
counts = CountVectorizer().fit(train.text)
bag_of_words = LogisticRegression(max_iter=1000).fit(counts.transform(train.text), train.label)
print(f"bag of words: accuracy {bag_of_words.score(counts.transform(valid.text), valid.label):.4f}")

# 1. A language model needs no labels: it learns which word comes next, and so how reviews go.
size = {"emb_sz": 64, "n_hid": 96, "n_layers": 2}
dls_lm = TextDataLoaders.from_df(reviews, text_col="text", is_lm=True, valid_col="is_valid", bs=32, seq_len=36)
lm = language_model_learner(
    dls_lm,
    AWD_LSTM,
    config={**awd_lstm_lm_config, **size},
    pretrained=False,  # True: begin with a model of English, which is fetched once
    drop_mult=0.3,
    metrics=[accuracy, Perplexity()],
)
lm.fit_one_cycle(6, 2e-2)
print(f"language model: perplexity {lm.recorder.values[-1][3]:.2f} of {len(dls_lm.vocab)} words")
print(lm.predict("The plot was", 12, temperature=0.5))
lm.save_encoder("reviews")

# 2. The classifier reads with the same encoder. What was learned first changes least: unfreeze from the top.
dls = TextDataLoaders.from_df(
    reviews, text_col="text", label_col="label", valid_col="is_valid", text_vocab=dls_lm.vocab, bs=32
)
learn = text_classifier_learner(
    dls, AWD_LSTM, config={**awd_lstm_clas_config, **size}, pretrained=False, drop_mult=0.3, metrics=accuracy
)
learn.load_encoder("reviews")
learn.fit_one_cycle(1, 2e-2)
learn.freeze_to(-2)
learn.fit_one_cycle(1, slice(1e-2 / 2.6**4, 1e-2))
learn.unfreeze()
learn.fit_one_cycle(6, slice(2e-3, 1e-2))
print(f"classifier: accuracy {learn.recorder.values[-1][2]:.4f}")

# Which words decided?
for text in ("The music was not dull but lovely.", "The music was not lovely but dull."):
    label, _, probabilities = learn.predict(text)
    print(f"{text} {label} ({probabilities.max():.2f})")
    token_attributions(learn, text).show()

# In one file, without a pickle: load_learner reads it anywhere.
print(f"exported to {learn.export('reviews.pkl')}")
