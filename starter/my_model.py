"""A model of your own: a function of the data and of --width that returns a torch.nn.Module.

    prisam launch my-network --model ./my_model.py:net

A device drops channels that it has no room for. The scale factors of the BN layers say which, and
peers compare them to find out who has similar data: so a model needs BN layers.
"""

from torch import nn

from prisam_p2p.api import DataSpec


def hidden(n_in: int, n_out: int) -> list[nn.Module]:
    """Return a linear layer, its BN layer (which takes the place of a bias) and a ReLU."""
    return [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.ReLU()]


def net(data: DataSpec, width: float) -> nn.Module:
    """Return two hidden layers, for inputs of any shape."""
    n_in = data.example[0].numel()  # data.example: two inputs, zeros of shape (2, *data.shape)
    n = round(64 * width)
    layers = [*hidden(n_in, n), *hidden(n, n)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(n, data.n_classes))
