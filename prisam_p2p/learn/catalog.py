"""The built-in models and datasets, in a line each. Without torch, so that help can list them."""

from __future__ import annotations

MODELS = {
    "vgg-s": "VGG of 4 convolutions, small enough for two processor cores; images of at least 8x8",
    "vgg11": "VGG-11 with batch normalization and one linear layer; images of at least 32x32",
    "resnet20": "ResNet-20 of pre-activation bottlenecks, the form in PRISAM's paper",
    "resnet18": "ResNet-18 with a 3x3 stem for small images",
}
"""Name -> description; their constructors are in models.py."""

DATASETS = {
    "digits": "scikit-learn's digits: 1,797 gray images of 8x8, 10 classes; needs no files",
    "fashion-mnist": "70,000 gray images of clothes, 28x28, 10 classes; --data-dir or --download",
    "cifar10": "60,000 color images of things, 32x32, 10 classes; --data-dir or --download",
    "cifar100": "60,000 color images of things, 32x32, 100 classes; --data-dir or --download",
    "svhn": "99,289 color images of house numbers, 32x32, 10 classes; --data-dir or --download",
    "folder": "your images, in train/CLASS/ and test/CLASS/ of --data-dir",
}
"""Name -> description; datasets.py opens them."""
