"""Models, their structure, data and training: the only room that imports torch.

torchvision and torch_pruning are imported inside the functions that use them, because each import
takes seconds, and the built-in models on built-in data need no torchvision.
"""
