"""Nodes are cut into equal shares, and what no node has is told."""

import pytest

from bench.cluster.places import Place, Share, places_on, share_of
from bench.errors import UsageError


def node(cpus, gpus=0.0, alive=True):
    has = {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
    return {"NodeID": "n", "NodeManagerAddress": "10.0.0.1", "Alive": alive, "Resources": has if cpus else {}}


@pytest.mark.parametrize(
    ("there", "share", "count", "cpus"),
    [
        (node(8.0), Share(None, 0), 1, 8),
        (node(8.0), Share(3, 0), 2, 3),
        (node(2.0), Share(3, 0), 0, None),
        (node(0.0), Share(None, 0), 0, None),
        (node(8.0, alive=False), Share(None, 0), 0, None),
        (node(96.0, 8.0), Share(None, 1), 8, 12),
        (node(96.0, 8.0), Share(None, 8), 1, 96),
        (node(96.0, 8.0), Share(40, 1), 2, 40),
        (node(96.0, 8.0), Share(None, 3), 2, 48),
        (node(2.0, 4.0), Share(None, 1), 2, 1),
        (node(8.0), Share(None, 1), 0, None),
    ],
)
def test_places_of_a_node(there, share, count, cpus):
    assert places_on(there, share) == [
        Place("n", "10.0.0.1", slot, cpus, share.gpus) for slot in range(count)
    ]


@pytest.mark.parametrize(
    ("nodes", "asked", "given"),
    [
        ([node(4.0)], (None, None, None), ("cpu", Share(None, 0))),
        ([node(0.0), node(8.0, 2.0)], (None, None, None), ("gpu", Share(None, 1))),
        ([node(8.0, 2.0)], ("cpu", 2, None), ("cpu", Share(2, 0))),
        ([node(8.0, 2.0)], (None, None, 0), ("cpu", Share(None, 0))),
        ([node(8.0, 2.0)], (None, 4, 2), ("gpu", Share(4, 2))),
    ],
)
def test_shares(nodes, asked, given):
    assert share_of(nodes, *asked) == given


@pytest.mark.parametrize(
    ("nodes", "asked", "told"),
    [
        ([node(4.0)], (None, 0, None), "--ray-cpus must be at least 1, got 0"),
        ([node(4.0)], (None, 5, None), "--ray-cpus 5: no node of the cluster has so many CPUs; the most .* is 4"),
        ([node(4.0)], ("gpu", None, None), "--ray-gpus 1: no node of the cluster has so many GPUs; .* is 0"),
        ([node(4.0, 1.0)], ("cpu", None, 1), "--ray-gpus 1 does not go with --backend cpu"),
        ([node(4.0, 1.0)], ("gpu", None, -1), "--ray-gpus -1 does not go with --backend gpu"),
        ([node(8.0), node(2.0, 1.0)], (None, 4, 1), "no node of the cluster has 4 CPUs and 1 GPUs at once"),
        ([node(0.0)], (None, None, None), "--ray-cpus 1: no node of the cluster has so many CPUs"),
    ],
)  # fmt: skip
def test_what_no_node_has(nodes, asked, told):
    with pytest.raises(UsageError, match=told):
        share_of(nodes, *asked)
