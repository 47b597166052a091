"""`language_model_learner` and `text_classifier_learner`: Learners on an LSTM or on a model of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from torch import nn

from vivace.core.basics import defaults
from vivace.core.errors import ArgumentError, suggest
from vivace.nn.groups import trainable_params
from vivace.training.callbacks.rnn import rnn_cbs
from vivace.training.checkpoint import check_fit, model_file, save_model
from vivace.training.learner import Callbacks, Learner
from vivace.training.losses import CrossEntropyLossFlat
from vivace.training.optimizers import Adam

from .attribution import find_embedding
from .generate import decode_spec_tokens, generate
from .huggingface import HFTokenizer
from .models.core import (
    ARCHITECTURES,
    LinearDecoder,
    SentenceEncoder,
    find_architecture,
    get_language_model,
    get_text_classifier,
)
from .models.huggingface import HFModel, hf_builder, hf_split, is_hugging_face, make_hf_model
from .pretrained import (
    VOCAB_SUFFIXES,
    WEIGHT_SUFFIXES,
    download_pretrained,
    encoder_weights,
    find_file,
    match_embeds,
    pad_idx_of,
    read_vocab,
    read_weights,
    text_vocab,
    tokenizer_of,
)
from .rules import BOS, PAD, UNK
from .types import TensorText

__all__ = ["LMLearner", "TextLearner", "language_model_learner", "text_classifier_learner"]

_LM_BUILDER = "vivace.text.models.core.get_language_model"
_CLASSIFIER_BUILDER = "vivace.text.models.core.get_text_classifier"

_FILLER = "xxfake"  # what fills a vocabulary up to a round size

PathLike = str | os.PathLike[str]
_AnyTextLearner = TypeVar("_AnyTextLearner", bound="TextLearner")


class TextLearner(Learner):
    """A `Learner` for texts: forgets the model's state between phases, regularises, saves and loads encoders.

    Args:
        dls: the loaders.
        model: an encoder and what stands on it.
        alpha: see `RNNRegularizer`; of no effect on models that give nothing but their prediction.
        beta: see `RNNRegularizer`.
        moms: as for `Learner`, lower than there, as are all others.
    """

    def __init__(
        self,
        dls: Any,
        model: nn.Module,
        alpha: float = 2.0,
        beta: float = 1.0,
        moms: tuple[float, float, float] = (0.8, 0.7, 0.8),
        *,
        loss_func: Callable[..., Any] | None = None,
        opt_func: Callable[..., Any] = Adam,
        lr: float | slice = defaults.lr,
        splitter: Callable[[nn.Module], Any] = trainable_params,
        cbs: Callbacks = None,
        metrics: Any = None,
        path: PathLike | None = None,
        model_dir: PathLike = "models",
        wd: float | None = None,
        wd_bn_bias: bool = False,
        train_bn: bool = True,
        default_cbs: bool = True,
    ) -> None:
        super().__init__(
            dls, model, loss_func=loss_func, opt_func=opt_func, lr=lr, cbs=cbs, metrics=metrics, path=path,
            model_dir=model_dir, wd=wd, wd_bn_bias=wd_bn_bias, train_bn=train_bn, moms=moms, default_cbs=default_cbs,
            splitter=splitter,
        )  # fmt: skip
        self.add_cbs(rnn_cbs(alpha, beta))

    @property
    def encoder(self) -> nn.Module:
        """The part of the model that reads: what a language model and a classifier share."""
        return _encoder_of(self.model)

    def save_encoder(self, file: PathLike) -> Path:
        """Write the encoder's weights to `path/model_dir/file.pth`, whole or not at all, and return that path."""
        target = model_file(self, file)
        save_model(target, self.encoder, None)
        return target

    def load_encoder(self, file: PathLike, device: torch.device | str | int | None = None) -> Self:
        """Read what `save_encoder` wrote (a file of fastai is fine, too), and freeze all but the head.

        Args:
            file: a name in `path/model_dir`, or the path of a `.pth` or `.safetensors` file.
            device: where tensors are put while loading (None: the Learner's device).

        Raises:
            DataError: there is no such file, it is damaged, or its weights do not fit: another vocabulary or config.
            UnsafeFileError: it holds more than tensors; nothing of it was executed.
        """
        source = find_file(os.fspath(file), self.path / self.model_dir, WEIGHT_SUFFIXES)
        weights = read_weights(source, self.runtime.device if device is None else device)
        _load(source, self.encoder, encoder_weights(weights))
        self.freeze()
        return self

    def load_pretrained(self, wgts_fname: PathLike, vocab_fname: PathLike, model: nn.Module | None = None) -> Self:
        """Read a language model trained on other words, give each of our words its row, and freeze all but the head.

        A classifier takes the encoder only.

        Args:
            wgts_fname: the weights: a path, or a name in `path/model_dir`.
            vocab_fname: the words they stand for: a list in a `.json` or `.pkl` file.
            model: what gets the weights (None: the Learner's model).

        Raises:
            DataError: a file is missing or damaged, or they fit neither each other nor the model.
            UnsafeFileError: a file holds more than tensors, or than words; nothing of it was executed.
        """
        folder = self.path / self.model_dir
        source = find_file(os.fspath(wgts_fname), folder, WEIGHT_SUFFIXES)
        words = read_vocab(find_file(os.fspath(vocab_fname), folder, VOCAB_SUFFIXES))
        weights = match_embeds(read_weights(source, self.runtime.device), words, text_vocab(self.dls))
        target = self.model if model is None else model
        if _is_language_model(target) and "1.decoder.weight" in weights:
            _load(source, target, weights)
        else:
            _load(source, _encoder_of(target), encoder_weights(weights))
        self.freeze()
        return self


class LMLearner(TextLearner):
    """A `TextLearner` for language models: `predict` goes on with a text."""

    def predict(  # type: ignore[override]
        self,
        text: str,
        n_words: int = 1,
        no_unk: bool = True,
        temperature: float = 1.0,
        min_p: float | None = None,
        no_bar: bool = False,
        decoder: Callable[[Sequence[str]], Sequence[str]] = decode_spec_tokens,
        only_last_word: bool = False,
    ) -> str:
        """Return `text` and `n_words` more words, drawn one by one; the same after the same `set_seed`.

        Args:
            text: the beginning.
            n_words: how many tokens to add.
            no_unk: never draw the token for unknown words.
            temperature: below 1 probable words become more probable, above 1 less.
            min_p: words that are less probable than this do not come.
            no_bar: accepted because scripts pass it: nothing is ever shown.
            decoder: tokens to words; a tokenizer of Hugging Face does this by itself.
            only_last_word: draw each word from the one before alone.

        Raises:
            ArgumentError: the temperature is not above 0.
        """
        dl = self.dls.test_dl([text])
        ids = dl.dataset[0][0].tolist()
        vocab = text_vocab(self.dls)
        banned = {i for i, word in enumerate(vocab) if word == _FILLER or (no_unk and word == UNK)}
        limit = self.model.max_len if isinstance(self.model, HFModel) else None
        ids = generate(
            self.model, ids, n_words, device=self.runtime.device, only_last_word=only_last_word, max_len=limit,
            banned=banned, min_p=min_p, temperature=temperature,
        )  # fmt: skip
        tokenizer = tokenizer_of(self.dls)
        if isinstance(tokenizer, HFTokenizer):
            return str(tokenizer.decodes(TensorText(torch.tensor(ids))))
        tokens = [vocab[i] for i in ids if vocab[i] not in (BOS, PAD)]
        return " ".join(decoder(tokens)) if tokenizer is None else str(tokenizer.decode(decoder(tokens)))

    def get_preds(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        with_input: bool = False,
        with_decoded: bool = False,
        with_loss: bool = False,
        act: Callable[[Any], Any] | None = None,
        inner: bool = False,
        reorder: bool = True,
        cbs: Callbacks = None,
        with_preds: bool = True,
        with_targs: bool = True,
        save_preds: Path | None = None,
        save_targs: Path | None = None,
        concat_dim: int = 1,  # batches go on where the last one ended, row by row
    ) -> tuple[Any, ...]:
        """Return predictions `(bs, words of all batches, vocab)` and targets `(bs, words)`; see `Learner.get_preds`."""
        return super().get_preds(
            ds_idx, dl, with_input, with_decoded, with_loss, act, inner, reorder, cbs, with_preds, with_targs,
            save_preds, save_targs, concat_dim,
        )  # fmt: skip


def _encoder_of(model: nn.Module) -> nn.Module:
    reader = model[0] if isinstance(model, nn.Sequential) and len(model) else model
    if isinstance(reader, SentenceEncoder):
        return reader.module
    if reader is model and isinstance(model, HFModel):
        return model.encoder
    return reader


def _is_language_model(model: nn.Module) -> bool:
    return isinstance(model, nn.Sequential) and len(model) == 2 and isinstance(model[1], LinearDecoder)


def _load(source: Path, module: nn.Module, weights: Mapping[str, Any]) -> None:
    check_fit(source, module, dict(weights))
    module.load_state_dict(weights)


def language_model_learner(
    dls: Any,
    arch: Any,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    backwards: bool = False,
    pretrained: bool = True,
    pretrained_fnames: Sequence[PathLike] | None = None,
    *,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., Any] = Adam,
    lr: float | slice = defaults.lr,
    splitter: Callable[[nn.Module], Any] | None = None,
    cbs: Callbacks = None,
    metrics: Any = None,
    path: PathLike | None = None,
    model_dir: PathLike = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.8, 0.7, 0.8),
    default_cbs: bool = True,
) -> LMLearner:
    """Return a Learner whose model predicts the next word.

    With trained weights all but the last parameter group starts frozen.

    Args:
        dls: the loaders of a language model.
        arch: `AWD_LSTM`, a class of yours, or a causal model of Hugging Face: its name, folder, config or instance.
        config: the settings of the LSTM (None: `awd_lstm_lm_config`).
        drop_mult: all its dropouts are multiplied by it.
        backwards: take the trained weights of a model that reads backwards.
        pretrained: begin with weights that were trained on English; for `AWD_LSTM` they are fetched once.
        pretrained_fnames: files of weights and of the words they stand for, see `TextLearner.load_pretrained`.
        loss_func: see `Learner`, as are all that follow; `splitter` makes a group of each layer by default.

    Raises:
        DownloadError: the trained weights cannot be had; the message says how to do without.
        DataError: they do not fit.
        ArgumentError: the data has no vocabulary, or targets of its own, or an argument belongs to another kind of
            model.
    """
    vocab = text_vocab(dls)
    if getattr(dls, "kind", None) is not None:
        raise ArgumentError(
            f"A language model learns the next word, and these loaders have targets of their own ({dls.kind}): make "
            "them with TextDataLoaders.from_df(..., is_lm=True)."
        )
    common = {
        "loss_func": CrossEntropyLossFlat() if loss_func is None else loss_func,
        "opt_func": opt_func, "lr": lr, "cbs": cbs, "metrics": metrics, "path": path, "model_dir": model_dir, "wd": wd,
        "wd_bn_bias": wd_bn_bias, "train_bn": train_bn, "moms": moms, "default_cbs": default_cbs,
    }  # fmt: skip
    if is_hugging_face(arch):
        _refuse(config=config, pretrained_fnames=pretrained_fnames)
        _check_tokenizer(dls, arch, pretrained)
        hf_model = make_hf_model(arch, "language_model", pad_idx=pad_idx_of(dls), pretrained=pretrained)
        return _on_hugging_face(LMLearner, dls, hf_model, splitter, pretrained, common)
    known = find_architecture(arch)
    model = get_language_model(arch, len(vocab), config, drop_mult)
    learn = LMLearner(dls, model, splitter=_splitter(splitter, known.lm_split if known else None), **common)
    if known is not None:
        args = {"arch": known.cls.__name__, "vocab_sz": len(vocab), "config": _copied(config), "drop_mult": drop_mult}
        learn.builder = {"builder": _LM_BUILDER, "args": args}
    _begin_trained(learn, known is not None and pretrained, backwards, pretrained_fnames)
    return learn


def text_classifier_learner(
    dls: Any,
    arch: Any,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    backwards: bool = False,
    pretrained: bool = True,
    drop_mult: float = 0.5,
    n_out: int | None = None,
    lin_ftrs: Sequence[int] | None = None,
    ps: Sequence[float] | None = None,
    max_len: int | None = 72 * 20,
    y_range: Sequence[float] | None = None,
    *,
    pretrained_fnames: Sequence[PathLike] | None = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., Any] = Adam,
    lr: float | slice = defaults.lr,
    splitter: Callable[[nn.Module], Any] | None = None,
    cbs: Callbacks = None,
    metrics: Any = None,
    path: PathLike | None = None,
    model_dir: PathLike = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.8, 0.7, 0.8),
    default_cbs: bool = True,
) -> TextLearner:
    """Return a Learner that reads whole texts and predicts classes, several labels or numbers.

    With trained weights all but the head starts frozen.

    Args:
        dls: the loaders.
        arch: `AWD_LSTM`, a class of yours, or a model of Hugging Face: its name, folder, config or instance. With
            those, `dls` must be made with the same model's tokenizer.
        seq_len: words that the LSTM reads at once, see `SentenceEncoder`.
        config: the settings of the LSTM (None: `awd_lstm_clas_config`).
        backwards: take the trained weights of a model that reads backwards.
        pretrained: begin with weights that were trained on English; for `AWD_LSTM` they are fetched once.
        drop_mult: all dropouts of the LSTM are multiplied by it.
        n_out: number of outputs; told by the data by default.
        lin_ftrs: features between the layers of the LSTM's head.
        ps: dropout in that head.
        max_len: how many words at the end of a text the LSTM's head sees; None: all.
        y_range: lowest and highest output, for numbers as targets.
        pretrained_fnames: files of weights and of the words they stand for, see `TextLearner.load_pretrained`.
        loss_func: see `Learner`, as are all that follow; `splitter` makes a group of each layer by default.

    Raises:
        DownloadError: the trained weights cannot be had; the message says how to do without.
        DataError: they do not fit.
        ArgumentError: the number of outputs is unknown, or an argument belongs to another kind of model.
    """
    n_out = _outputs_of(dls, n_out)
    common = {
        "loss_func": loss_func, "opt_func": opt_func, "lr": lr, "cbs": cbs, "metrics": metrics, "path": path,
        "model_dir": model_dir, "wd": wd, "wd_bn_bias": wd_bn_bias, "train_bn": train_bn, "moms": moms,
        "default_cbs": default_cbs,
    }  # fmt: skip
    if is_hugging_face(arch):
        _refuse(config=config, lin_ftrs=lin_ftrs, ps=ps, pretrained_fnames=pretrained_fnames)
        _check_tokenizer(dls, arch, pretrained)
        hf_model = make_hf_model(
            arch, "classification", n_out, pad_idx=pad_idx_of(dls), pretrained=pretrained, y_range=y_range
        )
        return _on_hugging_face(TextLearner, dls, hf_model, splitter, pretrained, common)
    known = find_architecture(arch)
    shape: dict[str, Any] = {
        "vocab_sz": len(text_vocab(dls)), "n_class": n_out, "seq_len": seq_len, "config": _copied(config),
        "drop_mult": drop_mult, "lin_ftrs": _listed(lin_ftrs), "ps": _listed(ps), "pad_idx": pad_idx_of(dls),
        "max_len": max_len, "y_range": _listed(y_range),
    }  # fmt: skip
    model = get_text_classifier(arch, **shape)
    learn = TextLearner(dls, model, splitter=_splitter(splitter, known.clas_split if known else None), **common)
    if known is not None:
        learn.builder = {"builder": _CLASSIFIER_BUILDER, "args": {"arch": known.cls.__name__, **shape}}
    _begin_trained(learn, known is not None and pretrained, backwards, pretrained_fnames)
    return learn


def _on_hugging_face(
    learner_class: type[_AnyTextLearner],
    dls: Any,
    model: HFModel,
    splitter: Callable[[nn.Module], Any] | None,
    pretrained: bool,
    common: dict[str, Any],
) -> _AnyTextLearner:
    n_words, n_known = len(text_vocab(dls)), find_embedding(model.encoder).num_embeddings
    if n_words > n_known:
        raise ArgumentError(
            f"The data has {n_words} tokens and the model knows {n_known}: make the data with its own tokenizer "
            "(tokenizer=…), or the model with that vocab_size."
        )
    learn = learner_class(dls, model, alpha=0.0, beta=0.0, splitter=splitter or hf_split, **common)
    learn.builder = hf_builder(model)
    if pretrained:
        learn.freeze()
    return learn


def _check_tokenizer(dls: Any, arch: Any, pretrained: bool) -> None:
    """Refuse a trained model for data that another tokenizer has split: the numbers would mean other words."""
    if pretrained and isinstance(arch, (str, os.PathLike)) and not isinstance(tokenizer_of(dls), HFTokenizer):
        name = os.fspath(arch)
        raise ArgumentError(
            f"{name!r} knows the tokens of its own tokenizer, and these texts were split by another one: make the data "
            f"with TextDataLoaders.from_df(..., tokenizer={name!r}).{suggest(name, ARCHITECTURES)}"
        )


def _begin_trained(
    learn: TextLearner, pretrained: bool, backwards: bool, pretrained_fnames: Sequence[PathLike] | None
) -> None:
    """Load trained weights, the files given before those that are published."""
    if pretrained_fnames is not None:
        if isinstance(pretrained_fnames, (str, os.PathLike)) or len(pretrained_fnames) != 2:
            raise ArgumentError(
                f"pretrained_fnames is two files, [weights, words], got {pretrained_fnames!r}: a language model's rows "
                "mean nothing without the words that they stand for."
            )
        weights, words = pretrained_fnames
        learn.load_pretrained(weights, words)
    elif pretrained:
        learn.load_pretrained(*download_pretrained(backwards))


def _splitter(chosen: Callable[[nn.Module], Any] | None, known: Callable[[nn.Module], Any] | None) -> Any:
    return chosen or known or trainable_params


def _refuse(**arguments: Any) -> None:
    """Raise if an argument is given that only the LSTM has."""
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise ArgumentError(f"{', '.join(given)} shape an LSTM; a model of Hugging Face brings its own settings.")


def _outputs_of(dls: Any, n_out: int | None) -> int:
    found = getattr(dls, "c", None) if n_out is None else n_out
    if not found:
        raise ArgumentError(
            "The number of outputs cannot be told from this data: pass `n_out`. Loaders of a language model "
            "(is_lm=True) have no labels."
        )
    return int(found)


def _copied(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if config is None else dict(config)


def _listed(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else list(values)
