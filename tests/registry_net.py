"""A PyTorch module that can be imported, for the tests of the registry."""

import torch

class Net(torch.nn.Module):
    """Two layers that share nothing, one buffer."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(inputs, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(),
                                          torch.nn.Linear(8, outputs))

    def forward(self, rows):
        return self.layers(rows)
