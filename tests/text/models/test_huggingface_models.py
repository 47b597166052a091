"""Models of Hugging Face, made here: a tiny one with a tokenizer that is trained on the spot."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

pytest.importorskip("transformers")

from vivace.core.errors import ArgumentError, ArgumentTypeError, BundleError, DownloadError
from vivace.core.randomness import set_seed
from vivace.core.vision_shim import import_transformers
from vivace.inference.bundle import load_learner
from vivace.text.data import TextDataLoaders
from vivace.text.interpret import token_attributions
from vivace.text.learner import language_model_learner, text_classifier_learner
from vivace.text.models.huggingface import HFClassifier, create_hf_model, hf_builder, hf_split, make_hf_model
from vivace.training.metrics import accuracy

PAD = 0


def config_of(kind: str, vocab_size: int = 40) -> Any:
    transformers = import_transformers()
    small = {"vocab_size": vocab_size, "pad_token_id": PAD, "initializer_range": 0.2}
    if kind == "distilbert":
        return transformers.DistilBertConfig(
            dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=48, **small
        )
    if kind == "gpt2":
        return transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=2, n_positions=48, bos_token_id=1, eos_token_id=1, **small
        )
    classes = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}
    return classes[kind](
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=50,
        **small,
    )  # fmt: skip


def save_tokenizer(texts: list[str], folder: Path, around: str = "[CLS] $A [SEP]") -> int:
    """Train a tokenizer on the texts, write it, and return how many tokens it has."""
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing(single=around, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    import_transformers().PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", model_max_length=48
    ).save_pretrained(folder)
    return int(made.get_vocab_size())


@pytest.fixture(scope="session")
def folder(films: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `save_pretrained` writes it: a tiny DistilBERT and its tokenizer."""
    path = tmp_path_factory.mktemp("hub") / "tiny"
    n_tokens = save_tokenizer(list(films.text), path)
    torch.manual_seed(0)
    import_transformers().DistilBertForSequenceClassification(config_of("distilbert", n_tokens)).save_pretrained(path)
    return path


def loaders(films: pd.DataFrame, folder: Path, path: Path) -> TextDataLoaders:
    return TextDataLoaders.from_df(
        films, path=path, text_col="text", label_col="label", valid_col="is_valid", bs=6, tokenizer=folder
    )


@pytest.mark.parametrize("kind", ["distilbert", "bert", "roberta", "gpt2"])
def test_padding_has_no_effect_and_each_layer_is_a_group(kind: str) -> None:
    torch.manual_seed(0)
    model = make_hf_model(config_of(kind), "classification", 3).eval()
    ids = torch.randint(2, 40, (4, 9))
    padded = torch.cat([ids, torch.full((4, 5), PAD)], 1)
    assert isinstance(model, HFClassifier) and model(ids).shape == (4, 3)
    assert torch.allclose(model(padded), model(ids), atol=1e-5)
    groups = hf_split(model)
    assert len(groups) == 4
    assert sorted(id(p) for g in groups for p in g) == sorted(id(p) for p in model.parameters())
    assert model.encoder.get_input_embeddings().weight in set(groups[0])
    head = [
        p
        for name, p in model.named_parameters()
        if "base" not in name and name.startswith(("model.classifier", "model.score"))
    ]
    assert head and {id(p) for p in head} <= {id(p) for p in groups[-1]}


@pytest.mark.parametrize("kind", ["distilbert", "roberta", "gpt2"])
def test_texts_that_are_too_long_lose_their_end(kind: str) -> None:
    model = make_hf_model(config_of(kind), "classification", 2).eval()
    ids = torch.randint(2, 40, (2, 60))
    assert model.max_len is not None and 40 < model.max_len < 60
    assert torch.allclose(model(ids), model(ids[:, : model.max_len]))


@pytest.mark.slow
def test_a_folder_is_fine_tuned_exported_and_explained(films: pd.DataFrame, folder: Path, tmp_path: Path) -> None:
    set_seed(2)
    learn = text_classifier_learner(loaders(films, folder, tmp_path), folder, metrics=accuracy)
    saved = json.loads((folder / "config.json").read_text())
    assert learn.model.model.config.dim == saved["dim"] == 32
    embeddings = learn.model.encoder.get_input_embeddings().weight
    assert not embeddings.requires_grad and learn.model.model.classifier.weight.requires_grad
    with learn.no_logging():
        learn.fit_one_cycle(1, 1e-3)
        learn.unfreeze()
        learn.fit_one_cycle(8, slice(1e-3, 4e-3))
    assert learn.recorder.values[-1][2] > 0.9
    text = "This film was awful and really boring."
    name, _, probabilities = learn.predict(text)
    assert name == "neg"
    learn.export("bert.pkl")
    loaded = load_learner(tmp_path / "bert.pkl")
    assert loaded.predict(text)[0] == "neg" and torch.allclose(loaded.predict(text)[2], probabilities, atol=1e-5)
    words = token_attributions(loaded, text).tokens
    assert words[0] == "[CLS]" and "film" in words


def test_weights_of_a_folder_are_read_from_safetensors_only(films: pd.DataFrame, folder: Path, tmp_path: Path) -> None:
    learn = text_classifier_learner(loaders(films, folder, tmp_path), folder)
    again = text_classifier_learner(learn.dls, str(folder))
    fresh = text_classifier_learner(learn.dls, folder, pretrained=False)
    weight = learn.model.encoder.get_input_embeddings().weight
    assert torch.equal(again.model.encoder.get_input_embeddings().weight, weight)
    assert not torch.equal(fresh.model.encoder.get_input_embeddings().weight, weight)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text((folder / "config.json").read_text())
    torch.save(learn.model.model.state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(DownloadError, match=r"No model .*pickled(.|\n)*model\.safetensors"):
        make_hf_model(pickled, "classification", 2)


def test_a_bundle_fetches_nothing(films: pd.DataFrame, folder: Path, tmp_path: Path) -> None:
    learn = text_classifier_learner(loaders(films, folder, tmp_path), folder)
    learn.export("bert.pkl")
    with zipfile.ZipFile(tmp_path / "bert.pkl") as archive:
        model = json.loads(archive.read("manifest.json"))["model"]
    assert model["builder"] == "vivace.text.models.huggingface.create_hf_model"
    assert str(folder) not in json.dumps(model)
    args = hf_builder(learn.model)["args"]
    args["config"] |= {
        "auto_map": {"AutoConfig": "evil--x.Config"},
        "attn_implementation": "somebody/kernel",
        "_attn_implementation": "somebody/kernel",
    }
    made = create_hf_model(**args)
    assert made.model.config._attn_implementation in ("sdpa", "eager")
    with pytest.raises(BundleError, match="cannot build a 'nothing'"):
        create_hf_model("classification", {"model_type": "nothing"}, 0)


def test_a_model_or_config_can_be_given(films: pd.DataFrame, folder: Path, tmp_path: Path) -> None:
    dls = loaders(films, folder, tmp_path)
    config = config_of("distilbert", len(dls.vocab[0]))
    config.num_labels = 2
    model = import_transformers().DistilBertForSequenceClassification(config)
    assert text_classifier_learner(dls, model).model.model is model
    assert text_classifier_learner(dls, config).get_preds()[0].shape == (12, 2)
    config.num_labels = 7
    with pytest.raises(ArgumentError, match="has 7 outputs and the data needs 2"):
        text_classifier_learner(dls, import_transformers().DistilBertForSequenceClassification(config))
    with pytest.raises(ArgumentTypeError, match="a name, a folder, a config or a model"):
        make_hf_model(3, "classification", 2)


def test_what_does_not_fit_together_is_said(films: pd.DataFrame, folder: Path, tmp_path: Path) -> None:
    ours = TextDataLoaders.from_df(films, path=tmp_path, text_col="text", label_col="label", bs=6)
    with pytest.raises(ArgumentError, match="split by another one(.|\n)*tokenizer="):
        text_classifier_learner(ours, folder)
    with pytest.raises(ArgumentError, match="model knows 5"):
        text_classifier_learner(ours, config_of("distilbert", 5))
    with pytest.raises(ArgumentError, match="lin_ftrs, ps shape an LSTM"):
        text_classifier_learner(ours, folder, lin_ftrs=[10], ps=[0.1])


def test_without_a_network_a_name_says_what_to_do(
    films: pd.DataFrame, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vivace.text.models.huggingface.has_address", lambda host: False)
    with pytest.raises(DownloadError, match=r"No model 'no/such-model'(.|\n)*save_pretrained"):
        text_classifier_learner(loaders(films, folder, tmp_path), "no/such-model")


@pytest.mark.slow
def test_a_causal_model_learns_and_writes(films: pd.DataFrame, tmp_path: Path) -> None:
    n_tokens = save_tokenizer(list(films.text), tmp_path / "gpt", around="$A")
    set_seed(3)
    import_transformers().GPT2LMHeadModel(config_of("gpt2", n_tokens)).save_pretrained(tmp_path / "gpt")
    dls = TextDataLoaders.from_df(
        films, path=tmp_path, text_col="text", is_lm=True, valid_col="is_valid", bs=4, seq_len=9,
        tokenizer=tmp_path / "gpt",
    )  # fmt: skip
    learn = language_model_learner(dls, tmp_path / "gpt", metrics=accuracy)
    learn.unfreeze()
    with learn.no_logging():
        learn.fit_one_cycle(5, 1e-2)
    assert learn.recorder.values[-1][2] > 0.5
    assert learn.predict("This film was", 6).startswith("this film was")
