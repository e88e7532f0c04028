"""PRISAM on real processes: an emulator of personalized decentralized federated learning."""

__version__ = "0.1.0"
