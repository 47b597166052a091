"""Language models and classifiers of texts, from data to a file that predicts elsewhere."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from vivace.core.errors import ArgumentError, DataError, DownloadError, UnsafeFileError
from vivace.core.randomness import set_seed
from vivace.data.blocks import MultiCategoryBlock, RegressionBlock
from vivace.data.loaders import DataLoaders
from vivace.inference.bundle import load_learner
from vivace.text.data import TextDataLoaders
from vivace.text.interpret import token_attributions
from vivace.text.learner import LMLearner, TextLearner, language_model_learner, text_classifier_learner
from vivace.text.models.awdlstm import AWD_LSTM
from vivace.text.pretrained import text_vocab
from vivace.training.callbacks.rnn import RNNRegularizer
from vivace.training.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from vivace.training.metrics import accuracy
from vivace.training.metrics_sklearn import Perplexity

MakeLM, MakeClassifier = Callable[..., LMLearner], Callable[..., TextLearner]


@pytest.mark.slow
def test_a_language_model_learns_and_its_perplexity_is_that_of_its_loss(make_lm: MakeLM) -> None:
    learn = make_lm(metrics=[accuracy, Perplexity()], drop_mult=0.3)
    with learn.no_logging():
        learn.fit_one_cycle(5, 3e-2)
    first, last = learn.recorder.values[0], learn.recorder.values[-1]
    assert last[1] < first[1] - 1 and last[2] > 0.5
    assert last[3] == pytest.approx(np.exp(last[1]), rel=1e-4)


def test_learners_of_texts_have_the_settings_that_users_know(make_lm: MakeLM, make_classifier: MakeClassifier) -> None:
    learn = make_lm()
    assert learn.moms == (0.8, 0.7, 0.8) and isinstance(learn.loss_func, CrossEntropyLossFlat)
    names = [type(cb).__name__ for cb in learn.cbs]
    assert {"ModelResetter", "RNNCallback", "RNNRegularizer"} <= set(names)
    assert (learn.rnn_regularizer.alpha, learn.rnn_regularizer.beta) == (2.0, 1.0)
    assert isinstance(make_classifier(), TextLearner)


def test_regularisation_is_alpha_and_beta_times_what_the_paper_says(make_lm: MakeLM) -> None:
    learn, seen = make_lm(), []

    class Look(RNNRegularizer):
        order = 2

        def after_loss(self) -> None:
            source = self.learn.rnn
            raw, out = source.raw_out.detach(), source.out.detach()
            wanted = 2 * out.square().mean() + (raw[:, 1:] - raw[:, :-1]).square().mean()
            seen.append((float((self.learn.loss_grad - self.learn.loss).detach()), float(wanted)))

    with learn.no_logging(), learn.no_bar():
        learn.fit(1, 1e-3, cbs=Look())
    assert len(seen) > 2 and all(found == pytest.approx(wanted, rel=1e-3) for found, wanted in seen)


def test_validation_begins_with_no_state(make_lm: MakeLM) -> None:
    learn = make_lm()
    first = learn.validate()
    learn.model(learn.dls.one_batch()[0].as_subclass(torch.Tensor))
    assert learn.validate() == first


def test_predictions_of_a_stream_stand_row_by_row(make_lm: MakeLM) -> None:
    learn = make_lm()
    preds, targets = learn.get_preds()
    assert preds.shape[:2] == targets.shape and preds.shape[2] == len(learn.dls.vocab)
    rows = torch.cat([y for _, y in learn.dls.valid], 1)
    assert torch.equal(targets, rows.as_subclass(torch.Tensor))


def test_a_seed_decides_on_what_is_written(make_lm: MakeLM) -> None:
    learn = make_lm()
    texts = []
    for seed in (3, 3, 4):
        set_seed(seed)
        texts.append(learn.predict("This film", 8))
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].lower().startswith("this film") and "xxunk" not in texts[0] and "xxfake" not in texts[0]


def test_writing_leaves_the_model_as_it_was(make_lm: MakeLM) -> None:
    learn = make_lm()
    learn.model.train()
    learn.predict("This", 2)
    assert all(m.training for m in learn.model.modules()) and learn.model[0].hidden == []


@pytest.mark.slow
def test_a_classifier_begins_with_the_encoder_of_a_language_model(
    make_lm: MakeLM, make_classifier: MakeClassifier
) -> None:
    lm = make_lm()
    with lm.no_logging():
        lm.fit_one_cycle(3, 2e-2)
    file = lm.save_encoder("enc")
    assert file == lm.path / "models" / "enc.pth" and file.exists()
    learn = make_classifier(text_vocab=lm.dls.vocab, metrics=accuracy, drop_mult=0.2)
    assert learn.load_encoder("enc") is learn
    encoder = learn.model[0].module
    for name, value in lm.model[0].state_dict().items():
        assert torch.equal(encoder.state_dict()[name], value)
    assert not any(p.requires_grad for p in encoder.parameters())
    assert all(p.requires_grad for p in learn.model[1].parameters())
    with learn.no_logging():
        learn.fit_one_cycle(1, 2e-2)
        learn.freeze_to(-2)
        assert [p.requires_grad for p in encoder.rnns[1].parameters()] == [True] * 4
        assert not any(p.requires_grad for p in [*encoder.encoder.parameters(), *encoder.rnns[0].parameters()])
        learn.fit_one_cycle(1, slice(1e-2 / 2.6**4, 1e-2))
        learn.unfreeze()
        learn.fit_one_cycle(8, slice(1e-2, 3e-2))
    assert learn.recorder.values[-1][2] > 0.9


def test_an_encoder_of_other_words_does_not_fit(make_lm: MakeLM, make_classifier: MakeClassifier) -> None:
    make_lm().save_encoder("enc")
    learn = make_classifier(text_vocab=["xxunk", "xxpad", "xxbos", "film"])
    before = learn.model[0].module.encoder.weight.clone()
    with pytest.raises(DataError, match=r"encoder.weight is \(\d+, 12\) in the file and \(4, 12\) in the model"):
        learn.load_encoder("enc")
    assert torch.equal(learn.model[0].module.encoder.weight, before)
    with pytest.raises(DataError, match="There is no file 'nothing'"):
        learn.load_encoder("nothing")


def test_a_file_that_could_run_code_is_not_loaded(make_classifier: MakeClassifier, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    torch.save(nn.Linear(1, 1), tmp_path / "models" / "bad.pth")
    with pytest.raises(UnsafeFileError, match="nothing of it was executed"):
        make_classifier().load_encoder("bad")


def test_predictions_come_back_in_the_order_of_the_data(make_classifier: MakeClassifier, films: pd.DataFrame) -> None:
    learn = make_classifier()
    preds, targets = learn.get_preds()
    labels = films[films.is_valid].label
    assert preds.shape == (len(labels), 2) and torch.allclose(preds.sum(1), torch.ones(len(labels)))
    assert [learn.dls.vocab[1][i] for i in targets.tolist()] == list(labels)


def test_the_same_text_gives_the_same_answer_in_any_company(
    make_classifier: MakeClassifier, films: pd.DataFrame
) -> None:
    learn = make_classifier()
    preds, _ = learn.get_preds()
    texts = films[films.is_valid].text
    for text, row in zip(texts, preds, strict=True):
        name, index, probabilities = learn.predict(text)
        assert torch.allclose(probabilities, row, atol=1e-5) and name == learn.dls.vocab[1][int(index)]


def test_an_exported_language_model_writes_the_same(make_lm: MakeLM, tmp_path: Path) -> None:
    learn = make_lm()
    learn.predict("a state that must not be in the file", 2)
    learn.export("lm.pkl")
    loaded = load_learner(tmp_path / "lm.pkl")
    assert isinstance(loaded, LMLearner)
    texts = []
    for each in (learn, loaded):
        set_seed(5)
        texts.append(each.predict("This film", 6))
    assert texts[0] == texts[1]


def test_several_labels_and_numbers_are_targets_too(
    films: pd.DataFrame, clas_config: dict[str, Any], tmp_path: Path
) -> None:
    common = {"path": tmp_path, "text_col": "text", "valid_col": "is_valid", "bs": 6}
    several = TextDataLoaders.from_df(
        films.assign(tags=films.label + " any"), label_col="tags", label_delim=" ", y_block=MultiCategoryBlock, **common
    )
    learn = text_classifier_learner(several, AWD_LSTM, config=clas_config, pretrained=False)
    assert isinstance(learn.loss_func, BCEWithLogitsLossFlat) and learn.get_preds()[0].shape == (12, 3)
    numbers = TextDataLoaders.from_df(films, label_col="stars", y_block=RegressionBlock, **common)
    learn = text_classifier_learner(numbers, AWD_LSTM, config=clas_config, pretrained=False, y_range=(0, 6))
    preds, _ = learn.get_preds()
    assert (
        isinstance(learn.loss_func, MSELossFlat) and preds.shape == (12, 1) and (preds > 0).all() and (preds < 6).all()
    )


# ---------------------------------------------------------------------- weights from elsewhere
def test_without_a_network_pretrained_says_what_to_do(
    make_lm: MakeLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no network in tests")

    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(
        DownloadError, match=r"wt103-fwd(.|\n)*pretrained_fnames=\[weights, words\](.|\n)*pretrained=False"
    ):
        make_lm(pretrained=True)


def test_published_weights_are_taken_from_the_home_folder(
    make_lm: MakeLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = make_lm()
    folder = tmp_path / "home" / "models" / "wt103-fwd"
    folder.mkdir(parents=True)
    torch.save(first.model.state_dict(), folder / "lstm.pth")
    (folder / "words.txt").write_text("\n".join(first.dls.vocab))
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "home"))
    learn = make_lm(pretrained=True)
    assert all(torch.equal(a, b) for a, b in zip(learn.model.parameters(), first.model.parameters(), strict=True))
    trained = [p.requires_grad for p in learn.model[0].rnns.parameters()]
    assert not any(trained) and learn.model[0].encoder.weight.requires_grad  # only the last group learns


def test_each_word_gets_its_own_row_from_another_vocabulary(
    make_lm: MakeLM, make_classifier: MakeClassifier, tmp_path: Path
) -> None:
    lm = make_lm()
    lm.save("lm", with_opt=False)
    (tmp_path / "models" / "words.txt").write_text("\n".join(lm.dls.vocab))
    vocab = ["xxunk", "xxpad", "xxbos", "boring", "film", "never seen"]
    learn = make_classifier(text_vocab=vocab, pretrained_fnames=["lm", "words"])
    old, new = lm.model[0].encoder.weight, learn.model[0].module.encoder.weight
    rows = dict(zip(lm.dls.vocab, old, strict=True))
    assert torch.equal(new[3], rows["boring"]) and torch.equal(new[4], rows["film"])
    assert torch.allclose(new[5], old.mean(0), atol=1e-6)
    assert torch.equal(learn.model[0].module.rnns[0].weight_hh_l0_raw, lm.model[0].rnns[0].weight_hh_l0_raw)


def test_arguments_that_cannot_work_are_refused(make_lm: MakeLM, clas_config: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=r"two files, \[weights, words\], got 'lm'"):
        make_lm(pretrained_fnames="lm")
    numbers_only = [(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, dtype=torch.long))]
    with pytest.raises(ArgumentError, match="no vocabulary of words"):
        language_model_learner(DataLoaders(numbers_only), AWD_LSTM, pretrained=False)
    with pytest.raises(ArgumentError, match="pass `n_out`"):
        text_classifier_learner(DataLoaders(numbers_only), AWD_LSTM, pretrained=False)


def test_loaders_of_the_other_kind_are_named(
    make_lm: MakeLM, make_classifier: MakeClassifier, lm_config: dict[str, Any]
) -> None:
    labelled = make_classifier().dls
    with pytest.raises(ArgumentError, match=r"targets of their own \(category\).*is_lm=True"):
        language_model_learner(labelled, AWD_LSTM, lm_config, pretrained=False)
    lm = make_lm()
    with pytest.raises(ArgumentError, match=r"pass `n_out`.*\(is_lm=True\) have no labels"):
        text_classifier_learner(lm.dls, AWD_LSTM, pretrained=False)
    with pytest.raises(ArgumentError, match="text_classifier_learner makes"):
        token_attributions(lm, "This film")
    with pytest.raises(ArgumentError, match="split by another one.*Did you mean 'AWD_LSTM'"):
        text_classifier_learner(labelled, "AWD_LSTMM")
    with pytest.raises(DataError, match=r"There is no file .*none\.txt"):
        labelled.test_dl([Path("none.txt")])


def test_an_encoder_of_ones_own_can_be_given(make_classifier: MakeClassifier, tmp_path: Path) -> None:
    class Bag(nn.Module):
        def __init__(self, vocab_sz: int, emb_sz: int) -> None:
            super().__init__()
            self.encoder = nn.Embedding(vocab_sz, emb_sz)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.encoder(ids)

    dls = make_classifier().dls
    learn = text_classifier_learner(dls, Bag, config={"emb_sz": 8}, pretrained=False)
    assert learn.encoder.encoder.num_embeddings == len(text_vocab(dls)) and learn.get_preds()[0].shape == (12, 2)
