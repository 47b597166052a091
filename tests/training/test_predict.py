"""`predict`: any kind of item, the same answer in any thread, no trace in the Learner."""

from __future__ import annotations

import gc
import io
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vivace.core.errors import DataError, VivaceError
from vivace.core.image import PILImage
from vivace.inference.bundle import load_learner
from vivace.training.callback import Callback
from vivace.training.learner import Learner
from vivace.vision.augment.aug_transforms import aug_transforms
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(24, 3),
    )


@pytest.fixture
def learn(photo_folder, tmp_path):
    dls = ImageDataLoaders.from_folder(
        photo_folder,
        valid_pct=0.4,
        seed=1,
        item_tfms=Resize(16),
        batch_tfms=aug_transforms(),
        bs=8,
        num_workers=0,
        device="cpu",
    )
    return Learner(dls, model(), path=tmp_path)


@pytest.fixture
def loaded(learn):
    return load_learner(learn.export())


@pytest.fixture
def files(photo_folder):
    return sorted(photo_folder.glob("*/*.jpg"))


def test_a_label_its_index_and_the_probabilities_come_back(loaded, files):
    label, index, probabilities = loaded.predict(files[0])
    assert label in ("blue", "green", "red") and loaded.dls.vocab[int(index)] == label
    assert index.ndim == 0 and index == probabilities.argmax()
    assert probabilities.shape == (3,) and probabilities.sum().item() == pytest.approx(1)
    probabilities[0] = 0  # theirs to change: not a tensor of inference mode


def test_every_kind_of_picture_gives_the_same_answer(loaded, files):
    expected = loaded.predict(files[0])[2]
    picture = PILImage.create(files[0])
    kinds = {
        "text": str(files[0]),
        "bytes": files[0].read_bytes(),
        "picture": picture,
        "array": np.array(picture),
        "tensor": torch.from_numpy(np.array(picture)).permute(2, 0, 1),
    }
    for name, kind in kinds.items():
        assert torch.equal(loaded.predict(kind)[2], expected), name


def test_a_list_gives_a_list(loaded, files):
    found = loaded.predict(files[:3])
    assert len(found) == 3
    for one, file in zip(found, files, strict=False):
        assert one[0] == loaded.predict(file)[0] and torch.equal(one[2], loaded.predict(file)[2])


def test_a_list_of_arrays_or_tensors_is_several_pictures(loaded, files):
    arrays = [np.asarray(Image.open(file)) for file in files[:2]]
    expected = [loaded.predict(file)[2] for file in files[:2]]
    for several in (arrays, [torch.tensor(array) for array in arrays], [files[0], arrays[1]]):
        found = [probabilities for *_, probabilities in loaded.predict(several)]
        assert torch.allclose(torch.stack(found), torch.stack(expected), atol=1e-6)


def test_it_agrees_with_get_preds(loaded, files):
    together = loaded.get_preds(dl=loaded.dls.test_dl(files))[0]
    for file, row in zip(files, together, strict=True):
        assert torch.allclose(loaded.predict(file)[2], row, atol=1e-6)


def test_it_prints_nothing_and_calls_no_callback(learn, files, capsys):
    class Loud(Callback):
        def before_validate(self):
            raise AssertionError("called")

        before_batch = after_pred = after_batch = after_validate = before_validate

    with learn.added_cbs(Loud()):
        learn.predict(files[0])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("training", [True, False])
def test_eight_threads_give_the_answers_of_one(learn, files, training):
    learn.model.train(training)
    modes = [m.training for m in learn.model.modules()]
    expected = [learn.predict(file)[2] for file in files]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda file: learn.predict(file)[2], files * 4))
    for number, probabilities in enumerate(found):
        assert torch.equal(probabilities, expected[number % len(files)])
    assert [m.training for m in learn.model.modules()] == modes


def test_the_learner_is_as_before(learn, files):
    learn.model.train()
    learn.model[1].eval()  # frozen by hand
    before = {name: value for name, value in vars(learn).items() if name not in ("dls", "model")}
    learn.predict(files[0])
    after = {name: value for name, value in vars(learn).items() if name not in ("dls", "model")}
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)
    assert learn.model.training and not learn.model[1].training


def test_a_bad_item_is_named(loaded, tmp_path):
    with pytest.raises(VivaceError, match=r"nothing\.jpg"):
        loaded.predict(tmp_path / "nothing.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(VivaceError, match=r"text\.jpg"):
        loaded.predict(tmp_path / "text.jpg")


def test_a_picture_that_pillow_has_only_opened_gives_the_same_answer(loaded, files):
    expected = loaded.predict(files[0])[2]
    assert torch.equal(loaded.predict(Image.open(files[0]))[2], expected)
    several = loaded.predict([Image.open(files[0]), Image.open(files[1])])
    assert torch.equal(several[0][2], expected) and len(several) == 2


def test_a_truncated_picture_that_pillow_has_opened_is_a_data_error(loaded, files):
    half = io.BytesIO(files[0].read_bytes()[:-200])
    with pytest.raises(DataError, match="decoded"):
        loaded.predict(Image.open(half))


def test_a_model_in_training_mode_is_not_kept_alive(learn, files):
    net = model().train()
    other = Learner(learn.dls, net, path=learn.path)
    other.predict(files[0])
    gone = weakref.ref(net)
    del net, other
    gc.collect()
    assert gone() is None


def test_what_predict_returns_can_be_trained_on(loaded, files):
    picture, _, index, probabilities = loaded.predict(files[0], with_input=True)
    weight = torch.ones(3, requires_grad=True)
    (torch.as_tensor(picture).float().mean() * (probabilities * weight).sum() + index * weight.sum()).backward()
    probabilities.add_(1)
    _, index, probabilities = loaded.predict(files[0])
    (probabilities * weight).sum().backward()
    index.add_(1)
    assert weight.grad is not None and not probabilities.is_inference()
