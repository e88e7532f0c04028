"""The baseline of the cost benchmark: the same training in one process, one thread, no network.

It does by hand what benchmarks/cost.toml describes: 12 models with 120 of 150 images each for
training, 2 epochs a round, each model averaged with those of its 4 neighbors, 5 rounds, and one
evaluation before and one after the last averaging.
"""

from __future__ import annotations

import copy
import sys

import networkx as nx
import numpy as np
import torch
from torch import nn

PEERS, ROUNDS, EPOCHS, BATCH, TRAIN, VALIDATION, TEST = 12, 5, 2, 32, 120, 30, 150


def vgg_s(classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for width in (16, "M", 32, "M", 64, "M", 64):
        if width == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        conv = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def train(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()


def average(states: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {
        name: torch.stack([state[name] for state in states]).float().mean(0).to(first.dtype)
        for name, first in states[0].items()
    }


def accuracy(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    net.eval()
    with torch.no_grad():
        return float((net(images).argmax(1) == labels).float().mean())


def report(
    nets: list[nn.Module],
    images: torch.Tensor,
    labels: torch.Tensor,
    rows: tuple[torch.Tensor, ...],
) -> None:
    for net, mine in zip(nets, rows, strict=True):
        held = mine[TRAIN:]
        print(accuracy(net, images[held], labels[held]))


MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def main(npz: str, memory_format: str = "contiguous") -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = np.load(npz)
    images = torch.from_numpy(data["x_train"]).permute(0, 3, 1, 2).float() / 255
    images = images.contiguous(memory_format=MEMORY_FORMATS[memory_format])
    labels = torch.from_numpy(data["y_train"]).long()
    graph = nx.random_regular_graph(4, PEERS, seed=0)
    net = vgg_s(10)
    nets = [copy.deepcopy(net) for _ in range(PEERS)]
    rows = torch.randperm(len(labels))[: PEERS * (TRAIN + VALIDATION + TEST)].split(300)
    for t in range(ROUNDS):
        for net, mine in zip(nets, rows, strict=True):
            train(net, images[mine[:TRAIN]], labels[mine[:TRAIN]], 0.05 * 0.9**t)
        if t == ROUNDS - 1:
            report(nets, images, labels, rows)
        states = [copy.deepcopy(net.state_dict()) for net in nets]
        for i, net in enumerate(nets):
            net.load_state_dict(average([states[j] for j in (i, *graph.neighbors(i))]))
    report(nets, images, labels, rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
