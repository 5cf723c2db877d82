"""Attention's products are counted, beside torch's own count of a whole transformer."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.video.counted_product import AttentionProducts


def test_products_of_attention_by_hand() -> None:
    """3 queries and 5 keys of 4 channels, values of 6: 3 * 5 * 4 for the weights, 3 * 6 * 5 for their sums, 2 heads."""
    products = AttentionProducts()
    queries, keys, values = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 6)
    output = products(queries, keys, values)
    assert output.shape == (1, 2, 3, 6)
    assert products.macs((queries, keys, values), output) == 2 * (60 + 90)


@pytest.mark.parametrize("task", ["segmentation", "restoration"])
@pytest.mark.parametrize("name", ["vit-tiny", "vit-tiny-skipat"])
def test_all_of_a_transformer_is_counted(name: str, task: str) -> None:
    """torch counts two operations a MAC, and sees the products where attention is made of them."""
    network = build_network(Architecture(name), 3, task).eval()
    picture = torch.rand(1, 3, 32, 48)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        network(picture)
    video = NamedMethod().apply(network)
    video(picture)
    assert 2 * video.cost().total.macs == counter.get_total_flops()


def test_products_are_named_and_only_where_there_is_attention() -> None:
    video = NamedMethod().apply(build_network(Architecture("vit-tiny-skipat"), 2).eval())
    video(torch.rand(1, 3, 32, 32))
    products = [name for name in video.cost().layers if name.endswith("products")]
    assert [int(name.split(".")[2]) for name in products] == [0, 1, 2, 9, 10, 11]
    tokens, width = 4, 192
    assert {video.cost().layers[name].macs for name in products} == {2 * tokens * tokens * width}
