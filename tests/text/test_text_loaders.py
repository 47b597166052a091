"""Loaders of texts: for classifiers (sorted by length) and for language models (one stream)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError
from vivace.text.all import (
    CategoryBlock,
    ColReader,
    ColSplitter,
    DataBlock,
    GrandparentSplitter,
    LMDataLoader,
    LMTensorText,
    SortedDL,
    SubwordTokenizer,
    TensorText,
    TextBlock,
    TextDataLoaders,
    Tokenizer,
    get_text_files,
    parent_label,
    set_seed,
)


def plain(x):
    return x.as_subclass(torch.Tensor)


@pytest.fixture
def dls(reviews):
    return TextDataLoaders.from_df(reviews, text_col="text", label_col="label", valid_col="is_valid", bs=8, seed=1)


# ------------------------------------------------------------------ one stream
TEXTS = st.lists(st.integers(0, 7), min_size=1, max_size=12)


@given(TEXTS, st.integers(1, 4), st.integers(1, 7), st.booleans())
def test_rows_read_on_where_they_ended_and_targets_are_the_next_tokens(lengths, bs, seq_len, shuffle):
    begins = [sum(lengths[:i]) for i in range(len(lengths))]
    texts = [torch.arange(begin, begin + n) for begin, n in zip(begins, lengths, strict=True)]
    dl = LMDataLoader(texts, bs=bs, seq_len=seq_len, shuffle=shuffle, seed=3)
    n_used = max(sum(lengths) - 1, 0) // bs
    if not n_used:
        with pytest.raises(DataError, match="too few for"):
            dl.one_batch()
        return
    batches = list(dl)
    assert len(batches) == len(dl) and [b[0].shape[1] for b in batches[:-1]] == [seq_len] * (len(batches) - 1)
    x, y = (torch.cat([plain(b[part]) for b in batches], 1) for part in (0, 1))
    assert x.shape == (bs, n_used)
    stream = torch.cat([x.flatten(), y[-1, -1:]])
    assert torch.equal(torch.cat([x[:, 1:], y[:, -1:]], 1), y)  # the target is the next token
    assert torch.equal(x[1:, 0], y[:-1, -1])  # and a row goes on in the next one
    if shuffle:
        assert set(stream.tolist()) <= set(range(sum(lengths))) and len(set(stream.tolist())) == len(stream)
        for text in texts:  # whole texts stay together
            places = [stream.tolist().index(t) for t in text.tolist() if t in stream]
            assert places == list(range(places[0], places[0] + len(places))) if places else True
    else:
        assert stream.tolist() == list(range(len(stream)))


def test_the_stream_is_new_in_each_epoch_and_follows_the_seed():
    texts = [torch.arange(i * 5, i * 5 + 5) for i in range(20)]
    first, again = (LMDataLoader(texts, bs=2, seq_len=10, shuffle=True, seed=4) for _ in range(2))
    epochs = [[b[0].tolist() for b in first] for _ in range(2)]
    again.one_batch()
    assert epochs[0] != epochs[1] and [[b[0].tolist() for b in again] for _ in range(2)] == epochs


def test_a_language_model_gets_texts_in_rows(reviews, capsys):
    dls = TextDataLoaders.from_df(reviews, text_col="text", is_lm=True, valid_pct=0.2, seed=1, bs=4, seq_len=12)
    x, y = dls.one_batch()
    assert type(x) is LMTensorText and type(y) is TensorText and x.shape == y.shape == (4, 12)
    assert isinstance(dls.vocab, list) and dls.vocab[2] == "xxbos"
    n_tokens = sum(len(sample[0]) for sample in dls.train_ds)
    assert sum(b[0].numel() for b in dls.train) == (n_tokens - 1) // 4 * 4  # the short last batch is not dropped
    dls.show_batch(max_n=2)
    header, row = capsys.readouterr().out.splitlines()[:2]
    assert header.split() == ["text", "text_"] and " ".join(row.split()[1:12]) in " ".join(row.split()[12:])


def test_texts_that_are_too_few_are_said_to_be(reviews):
    dls = TextDataLoaders.from_df(reviews[:4], text_col="text", is_lm=True, valid_pct=0.5, seed=1, bs=64)
    with pytest.raises(DataError, match=r"The 2 texts have \d+ tokens in all, too few for 64 rows"):
        list(dls.train)


# ------------------------------------------------------------------ sorted by length
def test_batches_hold_texts_of_about_one_length_and_each_text_once():
    lengths = torch.randint(1, 300, (1001,), generator=torch.Generator().manual_seed(0)).tolist()
    dl = SortedDL([(torch.zeros(n, dtype=torch.int64), n) for n in lengths], bs=10, shuffle=True, seed=1)
    epochs = [dl.get_idxs(), (setattr(dl, "epoch", 1), dl.get_idxs())[1]]
    for order in epochs:
        assert sorted(order) == list(range(1001))
        batches = [[lengths[i] for i in order[k : k + 10]] for k in range(0, 1001, 10)]
        assert max(map(max, batches)) in batches[0] and len(batches[-1]) == 1
        wasted = sum(10 * max(b) - sum(b) for b in batches[:-1])
        assert wasted < 0.05 * sum(lengths)
        assert [b[0] for b in batches] != sorted((b[0] for b in batches), reverse=True)
    assert epochs[0] != epochs[1]
    dl.drop_last = True
    assert len(dl.get_idxs()) == 1000
    dl.epoch = 0
    left = [set(range(1001)) - set((setattr(dl, "epoch", e), dl.get_idxs())[1]) for e in range(6)]
    assert len({min(s) for s in left}) > 1  # not always the shortest


def test_validation_begins_with_the_longest_and_the_order_can_be_undone(reviews, dls):
    lengths = [len(sample[0]) for sample in dls.valid_ds]
    order = dls.valid.get_idxs()
    assert [lengths[i] for i in order] == sorted(lengths, reverse=True)
    assert [order[i] for i in dls.valid.get_idxs_back()] == list(range(15))
    with pytest.raises(ArgumentError, match="holds 2 lengths for 15"):
        SortedDL(dls.valid_ds, res=[1, 2])


def test_results_do_not_depend_on_the_number_of_workers(reviews):
    batches = []
    for workers in (0, 3):
        set_seed(7)
        dls = TextDataLoaders.from_df(reviews, valid_col="is_valid", bs=8, seed=1, num_workers=workers)
        batches.append([(x.tolist(), y.tolist()) for x, y in dls.train])
    assert batches[0] == batches[1]


# ------------------------------------------------------------------ from tables and folders
def test_a_table_gives_texts_with_their_labels(reviews, dls):
    assert list(dls.vocab[1]) == ["neg", "pos"] and (len(dls.train_ds), len(dls.valid_ds)) == (45, 15)
    assert type(dls.train) is SortedDL and dls.before_batch[0].pad_idx == 1
    for row, (text, label) in zip(reviews[reviews.is_valid].itertuples(), dls.valid_ds, strict=True):
        shown = dls.valid_ds.decode((text, label))
        assert shown[0].startswith("xxbos xxmaj this film was") and shown[1] == row.label
        assert len(text) == len(shown[0].split(" "))
    x, y = dls.one_batch()
    assert type(x) is TensorText and x.dtype == torch.int64 and len(x) == len(y) == 8
    assert ((x == 2).sum(1) == 1).all()


def test_tables_of_other_kinds_are_taken_too(reviews, dls):
    library = pytest.importorskip("polars")
    other = TextDataLoaders.from_df(library.from_pandas(reviews), valid_col="is_valid", bs=8, seed=1)
    assert other.vocab[0] == dls.vocab[0]
    assert torch.equal(plain(other.valid.one_batch()[0]), plain(dls.valid.one_batch()[0]))


def test_a_vocabulary_holds_training_words_alone(reviews):
    df = reviews.assign(text=[f"{t} unheard" if v else t for t, v in zip(reviews.text, reviews.is_valid, strict=True)])
    dls = TextDataLoaders.from_df(df, valid_col="is_valid", min_freq=1)
    assert "unheard" not in dls.vocab[0] and "film" in dls.vocab[0]
    assert (dls.valid_ds[0][0] == 0).sum() == 1
    given = TextDataLoaders.from_df(df, valid_col="is_valid", text_vocab=dls.vocab[0])
    assert given.vocab[0] == dls.vocab[0]


def test_several_columns_of_text_are_marked_also_in_new_rows(reviews):
    df = reviews.assign(title="Some Title")
    dls = TextDataLoaders.from_df(df, text_col=["title", "text"], label_col="label", splitter_col="is_valid", bs=8)
    loader = dls.test_dl(df[:3])
    fresh = [loader.dataset[i][0].tolist() for i in range(3)]
    assert fresh == [dls.train_ds[i][0].tolist() for i in range(3)]
    assert (torch.tensor(fresh[0]) == 4).sum() == 2
    assert dls.train_ds.items.text_length.tolist() == [len(s[0]) for s in dls.train_ds]


def test_new_texts_are_split_as_in_training(reviews, dls):
    loader = dls.test_dl(["This film was great.", "Great"])
    assert dls.train_ds.decode(loader.dataset[0])[0] == "xxbos xxmaj this film was great ."
    assert dls.train_ds.decode(loader.dataset[1])[0] == "xxbos xxmaj great"
    with_labels = dls.test_dl(reviews[:5], with_labels=True)
    assert len(with_labels.one_batch()) == 2


def test_several_labels(reviews):
    df = reviews.assign(tags=["a b" if i % 2 else "b" for i in range(len(reviews))])
    dls = TextDataLoaders.from_df(df, label_col="tags", label_delim=" ", valid_col="is_valid", bs=8)
    assert list(dls.vocab[1]) == ["a", "b"] and dls.one_batch()[1].shape == (8, 2)


def test_frames_of_polars_are_read(reviews):
    polars = pytest.importorskip("polars")
    dls = TextDataLoaders.from_df(polars.from_pandas(reviews), valid_col="is_valid", bs=4)
    assert len(dls.train_ds) == 45


def test_csv_files_are_read(reviews, tmp_path):
    reviews.to_csv(tmp_path / "labels.csv", index=False)
    dls = TextDataLoaders.from_csv(tmp_path, text_col="text", label_col="label", valid_col="is_valid", bs=4)
    assert dls.path == tmp_path and len(dls.train_ds) == 45
    with pytest.raises(DataError, match=r"Did you mean 'labels.csv'.*There are labels.csv"):
        TextDataLoaders.from_csv(tmp_path, "label.csv")


def test_a_folder_gives_the_same_as_a_table(review_folder, reviews, dls):
    from_folder = TextDataLoaders.from_folder(review_folder, valid="test", bs=8, seed=1)
    assert list(from_folder.vocab[1]) == ["neg", "pos"] and len(from_folder.train_ds) == 45
    as_texts = sorted(from_folder.train_ds.decode(s) for s in from_folder.train_ds)
    assert as_texts == sorted(dls.train_ds.decode(s) for s in dls.train_ds)
    with pytest.raises(DataError, match="no folder 'valid'; it has test, train"):
        TextDataLoaders.from_folder(review_folder)


def test_blocks_of_texts(review_folder, reviews):
    from_files = DataBlock(
        blocks=(TextBlock.from_folder(review_folder), CategoryBlock),
        get_items=get_text_files,
        get_y=parent_label,
        splitter=GrandparentSplitter(valid_name="test"),
    ).dataloaders(review_folder, bs=4, seq_len=20)
    assert from_files.before_batch[0].seq_len == 20
    from_table = DataBlock(
        blocks=(TextBlock.from_df("text", seq_len=9, backwards=True), CategoryBlock),
        get_x=ColReader("text"),
        get_y=ColReader("label"),
        splitter=ColSplitter(),
    ).dataloaders(reviews, bs=4)
    assert from_table.before_batch[0].seq_len == 9 and from_table.train_ds[0][0][-1] == 2  # read from its end
    assert len(get_text_files(review_folder, folders=["test"])) == 15


def test_pieces_of_words_are_learnt_from_the_training_texts(reviews):
    df = reviews.assign(text=["qqq zzz" * 20 if v else t for t, v in zip(reviews.text, reviews.is_valid, strict=True)])
    transform = Tokenizer.from_df("text", SubwordTokenizer(vocab_sz=64, model_type="bpe"))
    dls = TextDataLoaders.from_df(df, valid_col="is_valid", tok_tfm=transform, bs=8, min_freq=1)
    assert "▁film" in dls.vocab[0] and not any("q" in token for token in dls.vocab[0])
    assert "This film was" in dls.train_ds.decode(dls.train_ds[0])[0].replace("xxmaj t", "T")


def test_a_misspelt_setting_is_named(reviews):
    with pytest.raises(ArgumentTypeError, match="Did you mean 'text_col'"):
        TextDataLoaders.from_df(reviews, text_cols="text")
    with pytest.raises(DataError, match=r"no column 'review' \(text_cols\)"):
        TextDataLoaders.from_df(reviews, text_col="review")
    with pytest.raises(ArgumentError, match="seq_len must be 1"):
        LMDataLoader([torch.arange(9)], seq_len=0)


def test_a_batch_is_shown_as_a_table_without_padding(dls, capsys):
    dls.show_batch(max_n=3, trunc_at=4)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["text", "category"] and len(lines) == 4
    assert all(line.split()[:4] == ["xxbos", "xxmaj", "this", "film"] for line in lines[1:])
    decoded = dls.valid.show_batch(dls.valid.one_batch(), show=False)
    assert not any("xxpad" in text for text, _ in decoded)
