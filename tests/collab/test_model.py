"""Users and items as vectors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vivace.collab import EmbeddingDotBias, cosine_similarities, pca
from vivace.core.errors import DataError
from vivace.data.category import CategoryMap


def test_a_rating_is_the_product_of_vectors_plus_biases():
    model = EmbeddingDotBias(3, 5, 4)
    x = torch.tensor([[1, 2], [4, 0]])
    u, i = x[:, 0], x[:, 1]
    expected = (model.u_weight.weight[u] * model.i_weight.weight[i]).sum(1)
    expected = expected + model.u_bias.weight[u, 0] + model.i_bias.weight[i, 0]
    assert torch.allclose(model(x), expected)
    bounded = EmbeddingDotBias(3, 5, 4, y_range=(1, 5))
    assert ((bounded(x) > 1) & (bounded(x) < 5)).all()


def test_vectors_and_biases_are_found_by_name():
    classes = {"user": CategoryMap([7, 9], add_na=True), "film": CategoryMap(["a", "b"], add_na=True)}
    model = EmbeddingDotBias.from_classes(3, classes)
    assert torch.equal(model.weight(["b"]), model.i_weight.weight[[2]])
    assert torch.equal(model.bias([9], is_item=False), model.u_bias.weight[2])
    assert torch.equal(model.weight("b"), model.weight(["b"])), "one name without a list"
    with pytest.raises(DataError, match="'c' is not among the 2 items"):
        model.bias(["c"])


def test_principal_components_are_uncorrelated_and_ordered():
    torch.manual_seed(0)
    rows = pca(torch.randn(50, 6) * torch.arange(1.0, 7), 3)
    covariance = rows.T @ rows
    off_diagonal = covariance - torch.diag(covariance.diag())
    assert rows.shape == (50, 3) and off_diagonal.abs().max() < 1e-2
    assert (covariance.diag()[:-1] >= covariance.diag()[1:]).all()


def test_tensors_have_pca_as_a_method_too():
    rows = torch.randn(20, 5)
    assert torch.equal(nn.Parameter(rows).pca(3), pca(rows, 3))


def test_likeness_is_the_cosine_of_the_angle():
    vectors = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0], [1.0, 1.0]])
    assert cosine_similarities(vectors, vectors[0]).tolist() == pytest.approx([1, 0, -1, 0.5**0.5])


def test_the_facade_brings_tables_too():
    import vivace.collab
    import vivace.tabular.all

    assert set(vivace.tabular.all.__all__) < set(vivace.collab.__all__)
    assert all(hasattr(vivace.collab, name) for name in vivace.collab.__all__)
