"""A model of texts in a file, and back: new texts are split in exactly the same way."""

from __future__ import annotations

import zipfile

import pytest
import torch
from torch import Tensor, nn

from vivace.core.errors import BundleError, UnsafeFileError
from vivace.text.all import (
    CrossEntropyLossFlat,
    HFTokenizer,
    Learner,
    LMDataLoader,
    SortedDL,
    SubwordTokenizer,
    TextDataLoaders,
    Tokenizer,
    accuracy,
    load_learner,
    set_seed,
)


class MeanOfWords(nn.Module):
    """The mean of the embeddings of a text, and a layer."""

    def __init__(self, n_tokens: int, n_out: int, pad_idx: int) -> None:
        super().__init__()
        self.embedding, self.layer, self.pad_idx = nn.Embedding(n_tokens, 8), nn.Linear(8, n_out), pad_idx

    def forward(self, x: Tensor) -> Tensor:
        is_text = (x != self.pad_idx).unsqueeze(-1).float()
        return self.layer((self.embedding(x) * is_text).sum(1) / is_text.sum(1))


def learner_on(dls, path):
    set_seed(5)
    model = MeanOfWords(len(dls.vocab[0]), 2, dls.before_batch[0].pad_idx)
    return Learner(dls, model, loss_func=CrossEntropyLossFlat(), metrics=accuracy, path=path)


@pytest.fixture(scope="session")
def hf_folder(reviews, tmp_path_factory):
    """A folder as `save_pretrained` writes it, with a small WordPiece tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    made = tokenizers.BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(reviews.text, vocab_size=120, show_progress=False)
    ends = [(token, made.token_to_id(token)) for token in ("[SEP]", "[CLS]")]
    made._tokenizer.post_processor = tokenizers.processors.BertProcessing(*ends)
    folder = tmp_path_factory.mktemp("hf")
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    whole = transformers.PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, model_max_length=20, **special)
    whole.save_pretrained(folder)
    return folder


def loaders(kind, reviews, hf_folder):
    common = {"text_col": "text", "label_col": "label", "valid_col": "is_valid", "bs": 8, "seed": 1}
    if kind == "words":
        return TextDataLoaders.from_df(reviews, **common, seq_len=10, min_freq=1)
    if kind == "pieces":
        transform = Tokenizer.from_df("text", SubwordTokenizer(vocab_sz=64, model_type="bpe"))
        return TextDataLoaders.from_df(reviews, **common, tok_tfm=transform, min_freq=1)
    return TextDataLoaders.from_df(reviews, **common, tokenizer=hf_folder)


@pytest.mark.parametrize("kind", ["words", "pieces", "hugging face"])
def test_a_loaded_model_splits_and_predicts_as_before(kind, reviews, hf_folder, tmp_path):
    learn = learner_on(loaders(kind, reviews, hf_folder), tmp_path)
    with learn.no_bar(), learn.no_logging():
        learn.fit(6, 0.1)
    text = "This film was GREAT, great<br />and enjoyably lovely!"
    before = learn.predict(text)
    loaded = load_learner(learn.export("m.pkl"))
    after = loaded.predict(text)
    assert after[0] == before[0] == "pos" and torch.allclose(after[2], before[2], atol=1e-6)
    assert type(loaded.dls.train) is SortedDL
    assert loaded.dls.before_batch[0].config() == learn.dls.before_batch[0].config()
    assert list(loaded.dls.vocab[0]) == list(learn.dls.vocab[0]) and list(loaded.dls.vocab[1]) == ["neg", "pos"]
    probabilities, _ = loaded.get_preds(dl=loaded.dls.test_dl(reviews[reviews.is_valid]))
    assert torch.allclose(probabilities, learn.get_preds()[0], atol=1e-6)


def test_predictions_come_in_the_order_of_the_data_set(reviews, hf_folder, tmp_path):
    learn = learner_on(loaders("words", reviews, hf_folder), tmp_path)
    for subset, rows in enumerate((reviews[~reviews.is_valid], reviews[reviews.is_valid])):
        probabilities, targets = learn.get_preds(ds_idx=subset)
        assert targets.tolist() == [int(label == "pos") for label in rows.label]
        assert torch.allclose(probabilities[3], learn.predict(rows.text.iloc[3])[2], atol=1e-6)


def test_a_language_models_loader_comes_back_with_its_length(reviews, tmp_path):
    dls = TextDataLoaders.from_df(reviews, text_col="text", is_lm=True, valid_pct=0.2, seed=1, bs=4, seq_len=12)
    model = nn.Sequential(nn.Embedding(len(dls.vocab), 8), nn.Linear(8, len(dls.vocab)))
    learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), path=tmp_path)
    loaded = load_learner(learn.export("lm.pkl"))
    assert type(loaded.dls.train) is LMDataLoader and loaded.dls.train.seq_len == 12 and loaded.dls.vocab == dls.vocab
    assert loaded.dls.train_ds.new_items(["a film"])[0][0].tolist() == dls.train_ds.new_items(["a film"])[0][0].tolist()


def test_rules_of_ones_own_are_refused_by_name(reviews, tmp_path):
    transform = Tokenizer.from_df("text", rules=[str.lower])
    dls = TextDataLoaders.from_df(reviews, valid_col="is_valid", tok_tfm=transform, bs=8)
    with pytest.raises(BundleError, match="The rules of this Tokenizer are not vivace's"):
        learner_on(dls, tmp_path).export("m.pkl")


def test_a_manifest_cannot_name_another_loader_or_rule(reviews, hf_folder, tmp_path):
    file = learner_on(loaders("words", reviews, hf_folder), tmp_path).export("m.pkl")
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for old, new, error in (
        (b"vivace.text.sorted_loader:SortedDL", b"vivace.core.lazy:LazyModule", UnsafeFileError),
        (b'"fix_html"', b'"load_pickle"', BundleError),
        (b'"WordTokenizer"', b'"Learner"', BundleError),
    ):
        assert old in members["manifest.json"]
        changed = tmp_path / "changed.pkl"
        with zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as archive:
            for name, content in members.items():
                archive.writestr(name, content.replace(old, new) if name == "manifest.json" else content)
        with pytest.raises(error):
            load_learner(changed)


def test_a_hugging_face_tokenizer_gives_its_own_numbers(reviews, hf_folder):
    transformers = pytest.importorskip("transformers")
    reference = transformers.AutoTokenizer.from_pretrained(hf_folder)
    tokenizer = HFTokenizer(hf_folder)
    text = "This film was lovely"
    assert tokenizer(text).tolist() == reference(text)["input_ids"] and tokenizer.pad_idx == reference.pad_token_id
    assert tokenizer.decode(tokenizer(text)) == "this film was lovely"
    assert len(tokenizer("film " * 100)) == 20  # what the model can read
    assert tokenizer.vocab[int(tokenizer(text)[0])] == "[CLS]"
    dls = TextDataLoaders.from_df(reviews, valid_col="is_valid", tokenizer=hf_folder, bs=8)
    x, _ = dls.valid.one_batch()
    padded = x.as_subclass(Tensor) == tokenizer.pad_idx
    assert (padded.int().diff(dim=1) >= 0).all()  # padding stands after the text
    for text, (ids, _) in zip(reviews[reviews.is_valid].text, dls.valid_ds, strict=True):
        assert ids.tolist() == reference(text, truncation=True)["input_ids"]
