"""Parameters, MACs and time of networks that look less and of their plain alternatives, beside each other.

    python -m benchmarks.named_networks ffnet-14s bottleneck-20s [--task segmentation] [--size 480x352] [--classes 11]
        [--batch 1] [--threads 1] [--repeats 5] [--width 48]

Weights are random: nothing is said of accuracy. Batch norms are folded, weights in channels-last order. Times are of a
batch, the least of ``--repeats`` measurements that alternate between the networks; ``--repeats 0`` counts alone.
Processor time is that of all threads together, which other load on the machine changes less than the time on the wall.
"""

from __future__ import annotations

import argparse
import time

import torch

from scaleflow.cli.values import parse_size
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.known_networks import NETWORKS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", choices=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--task", default="segmentation", choices=("segmentation", "restoration"))
    parser.add_argument("--size", type=parse_size, default=(480, 352), metavar="WIDTHxHEIGHT")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--width", type=int, default=Architecture.width, help="network.width, of resnet and unet")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    device = "cpu" if options.repeats else "meta"
    outputs = 3 if options.task == "restoration" else options.classes
    with torch.device(device):
        pictures = torch.zeros(options.batch, 3, options.size[1], options.size[0])
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        networks = {
            name: NamedMethod().apply(build_network(Architecture(name, options.width), outputs, options.task))
            for name in dict.fromkeys(options.networks)
        }
        for network in networks.values():
            network(pictures)
    wall, processor = ({name: float("inf") for name in networks} for _ in range(2))
    for _ in range(options.repeats):
        for name, network in networks.items():
            start, used = time.perf_counter(), time.process_time()
            network(pictures)
            wall[name] = min(wall[name], time.perf_counter() - start)
            processor[name] = min(processor[name], time.process_time() - used)
    print(
        f"{options.task}, {options.batch} x {options.size[0]}x{options.size[1]}, threads: {options.threads}\n\n"
        "| network | parameters, M | GMAC a picture | ms a picture | of the processor | pictures a second |\n"
        + "|---" * 6
        + "|"
    )
    for name, network in networks.items():
        parameters = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        macs = network.cost().latest[-1].total.macs / options.batch / 1e9
        times = ["-"] * 3
        if options.repeats:
            own, used = (1000 * times_of[name] / options.batch for times_of in (wall, processor))
            times = [f"{own:.1f}", f"{used:.1f}", f"{1000 / own:.2f}"]
        print(f"| {' | '.join([name, f'{parameters:.2f}', f'{macs:.2f}', *times])} |")


if __name__ == "__main__":
    main()
