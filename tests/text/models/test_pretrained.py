"""Files of weights and words from elsewhere."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.collection import L
from vivace.core.errors import DataError, UnsafeFileError
from vivace.text.models.awdlstm import AWD_LSTM
from vivace.text.pretrained import clean_raw_keys, encoder_weights, match_embeds, read_vocab, read_weights

WORDS = ["a", "b", "c"]
word_lists = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


@given(word_lists, word_lists)
def test_rows_follow_their_words_and_new_words_get_the_mean(old: list[str], new: list[str]) -> None:
    weight = torch.randn(len(old), 3, generator=torch.Generator().manual_seed(len(old)))
    weights = {"0.encoder.weight": weight, "1.decoder.bias": weight[:, 0], "0.rnns.0.weight_hh_l0_raw": torch.ones(2)}
    found = match_embeds(weights, old, new)
    for row, bias, word in zip(found["0.encoder.weight"], found["1.decoder.bias"], new, strict=True):
        wanted = weight[old.index(word)] if word in old else weight.mean(0)
        assert torch.allclose(row, wanted) and torch.allclose(bias, wanted[0])
    assert torch.equal(found["1.decoder.weight"], found["0.encoder.weight"])
    assert found["0.rnns.0.weight_hh_l0_raw"] is weights["0.rnns.0.weight_hh_l0_raw"]


def test_words_that_belong_to_other_weights_are_refused() -> None:
    with pytest.raises(DataError, match="0.encoder.weight has 2 rows for 3 words"):
        match_embeds({"0.encoder.weight": torch.zeros(2, 4)}, WORDS, WORDS)


def test_vocabularies_are_read_from_json_text_and_plain_pickles(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WORDS))
    (tmp_path / "w.txt").write_text("a\nb\nc\n")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(WORDS))
    (tmp_path / "l.pkl").write_bytes(pickle.dumps(L(WORDS)))
    for name in ("w.json", "w.txt", "w.pkl", "l.pkl"):
        assert read_vocab(tmp_path / name) == WORDS, name


def test_a_pickle_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "executed",)

    (tmp_path / "w.pkl").write_bytes(pickle.dumps([Evil()]))
    with pytest.raises(UnsafeFileError, match="no plain list of words"):
        read_vocab(tmp_path / "w.pkl")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"[1, 2]"])
def test_damaged_vocabularies_are_named(content: bytes, tmp_path: Path) -> None:
    for ending in ("json", "pkl"):
        file = tmp_path / f"w.{ending}"
        file.write_bytes(content)
        with pytest.raises((DataError, UnsafeFileError), match=rf"w\.{ending}"):
            read_vocab(file)
    with pytest.raises(DataError, match="cannot be read"):
        read_vocab(tmp_path / "none.json")


def test_weights_are_read_from_torch_and_from_safetensors_files(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {"encoder.weight": torch.randn(3, 2)}
    torch.save({"model": state, "opt": {}}, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        assert torch.equal(read_weights(tmp_path / name)["encoder.weight"], state["encoder.weight"])
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged or no safetensors file"):
        read_weights(tmp_path / "w.safetensors")


def test_the_encoder_is_found_in_files_of_all_kinds() -> None:
    own = AWD_LSTM(5, 4, 6, 2).state_dict()
    as_fastai = {
        **own,
        "encoder_dp.emb.weight": own["encoder.weight"],
        "rnns.0.module.weight_hh_l0": own["rnns.0.weight_hh_l0_raw"] * 0,
    }
    language_model = {f"0.{k}": v for k, v in as_fastai.items()} | {"1.decoder.bias": torch.zeros(5)}
    classifier = {f"0.module.{k}": v for k, v in as_fastai.items()} | {"1.layers.0.0.weight": torch.zeros(5)}
    for state in (as_fastai, language_model, classifier):
        found = encoder_weights(clean_raw_keys(state))
        assert found.keys() == own.keys() and all(torch.equal(found[k], own[k]) for k in own)


def test_a_plain_lstm_keeps_its_weights() -> None:
    state = {"0.module.weight_hh_l0": torch.zeros(1)}
    assert clean_raw_keys(state) == state
