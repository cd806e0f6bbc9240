import pytest
import torch

from s2tf.metrics import retrieval
from s2tf.metrics.retrieval import RecallAtK, cosine_ranks


def test_ranks_agree_with_a_direct_count():
    generator = torch.Generator().manual_seed(0)
    gallery, queries = torch.randn(32, 8, generator=generator), torch.randn(50, 8, generator=generator)
    identities = torch.randint(0, 32, (50,), generator=generator)
    order = torch.randperm(32, generator=generator)

    ranks = cosine_ranks(queries, identities, gallery[order], order)

    for query, identity, rank in zip(queries.tolist(), identities.tolist(), ranks.tolist(), strict=True):
        scores = torch.nn.functional.cosine_similarity(torch.tensor(query), gallery, dim=1)
        assert rank == 1 + int((scores > scores[identity]).sum())


def test_queries_are_compared_in_blocks_whose_borders_change_no_rank(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    gallery, queries = torch.randn(16, 8, generator=generator), torch.randn(45, 8, generator=generator)
    identities = torch.randint(0, 16, (45,), generator=generator)
    whole = cosine_ranks(queries, identities, gallery, torch.arange(16))
    sizes = []
    normalize = torch.nn.functional.normalize
    monkeypatch.setattr(retrieval, "BLOCK", 100)
    monkeypatch.setattr(retrieval.F, "normalize", lambda x, dim: sizes.append(len(x)) or normalize(x, dim=dim))
    assert cosine_ranks(queries, identities, gallery, torch.arange(16)).tolist() == whole.tolist()
    assert sizes == [16, *[6] * 7, 3]  # 6 queries and 16 faces give 96 similarities


def test_recall_counts_the_k_nearest():
    metric = RecallAtK(ks=(1, 2))
    metric.add_gallery(torch.eye(4), torch.arange(4))
    # The first query finds itself, the second comes second after identity 0, the third comes last.
    metric.update(torch.tensor([[1.0, 0.1, 0, 0], [1.0, 0.5, 0, 0], [1.0, 0.5, 0, 0.2]]), torch.tensor([0, 1, 2]))

    recalls = metric.compute()

    assert recalls["R@1"].item() == pytest.approx(1 / 3)
    assert recalls["R@2"].item() == pytest.approx(2 / 3)
    assert metric.chance == {"R@1": 0.25, "R@2": 0.5}
    assert metric.protocol["gallery_size"] == 4
    assert metric.protocol["queries"] == 3


@pytest.mark.parametrize("embedding", [torch.ones(6, 5), torch.zeros(6, 5)])
def test_a_collapsed_embedding_scores_zero(embedding):
    metric = RecallAtK(ks=(1, 5))
    metric.add_gallery(embedding, torch.arange(6))
    metric.update(embedding, torch.arange(6))

    recalls = metric.compute()

    assert recalls["R@1"].item() == 0
    assert recalls["R@5"].item() == 0


def test_the_length_of_an_embedding_does_not_matter():
    generator = torch.Generator().manual_seed(1)
    gallery, queries = torch.randn(9, 4, generator=generator), torch.randn(9, 4, generator=generator)
    identities = torch.arange(9)

    plain = cosine_ranks(queries, identities, gallery, identities)
    scaled = cosine_ranks(1e3 * queries, identities, gallery * torch.arange(1, 10)[:, None], identities)

    assert plain.tolist() == scaled.tolist()


def test_a_query_that_cannot_be_found_is_an_error():
    with pytest.raises(ValueError, match=r"\[7\]"):
        cosine_ranks(torch.ones(1, 2), torch.tensor([7]), torch.ones(2, 2), torch.tensor([0, 1]))


def test_a_gallery_with_an_identity_twice_is_an_error():
    with pytest.raises(ValueError, match="twice"):
        cosine_ranks(torch.ones(1, 2), torch.tensor([0]), torch.ones(2, 2), torch.tensor([0, 0]))


def test_an_empty_gallery_is_an_error():
    metric = RecallAtK()
    metric.update(torch.ones(1, 2), torch.tensor([0]))
    # torchmetrics' own check for `compute` before `update` does not see a gallery.
    with pytest.raises(ValueError, match="gallery"):
        metric.compute()
