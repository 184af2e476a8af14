"""Bugs inside the network: what is cut, dead, frozen, ignored or never registered."""

import torch
from _bugs_kit import DIGITS, Bench, Net, Setup, bug, setup
from torch import nn
from torch.nn import functional as F

@bug("parameters frozen")
def frozen_body(bench: Bench) -> Setup:
    """The body is frozen as for transfer learning, but was never trained."""
    model = Net(bench)
    for parameter in model.body.parameters():
        parameter.requires_grad = False
    return setup(bench, model, optimizer=lambda m: torch.optim.Adam([p for p in m.parameters() if p.requires_grad], lr=1e-3))


@bug("parameters frozen", "MLP CNN transformer")
def frozen_all(bench: Bench) -> Setup:
    """All parameters are frozen."""
    model = Net(bench)
    model.requires_grad_(False)
    return setup(bench, model)


@bug("activations detached")
def detached(bench: Bench) -> Setup:
    """The features are detached before the head."""
    class Cut(Net):
        def forward(self, x):
            features = self.body(x).detach()
            return self.head(features)

    return setup(bench, Cut(bench))


@bug("activations detached", "MLP CNN GRU")
def no_grad_inside(bench: Bench) -> Setup:
    """The features are computed under no_grad."""
    class Cut(Net):
        def forward(self, x):
            with torch.no_grad():
                features = self.body(x)
            return self.head(F.relu(features))

    return setup(bench, Cut(bench))


@bug("activations detached", "MLP transformer")
def remade(bench: Bench) -> Setup:
    """The features pass through a list of numbers."""
    class Cut(Net):
        def forward(self, x):
            features = torch.tensor([row.tolist() for row in self.body(x)], device=x.device)
            return self.head(features)

    return setup(bench, Cut(bench))


@bug("activations detached", "MLP GRU")
def cached(bench: Bench) -> Setup:
    """The features are kept from the first call, detached, to save time."""
    class Cached(Net):
        kept = None

        def forward(self, x):
            if self.kept is None or len(self.kept) != len(x):
                self.kept = self.body(x).detach()
            return self.head(self.kept)

    return setup(bench, Cached(bench))


@bug("argmax inside the model", "MLP CNN GRU transformer")
def argmax_inside(bench: Bench) -> Setup:
    """forward returns the predicted class, one-hot."""
    class Decided(Net):
        def forward(self, x):
            return F.one_hot(self.head(self.body(x)).argmax(1), 10).float()

    return setup(bench, Decided(bench))


class Hidden(nn.Module):
    """Layers kept in a plain list."""

    def __init__(self, bench: Bench):
        super().__init__()
        self.body = bench.body()
        self.hidden = [nn.Linear(self.body.width, self.body.width).to(bench.device) for _ in range(3)]
        self.head = nn.Linear(self.body.width, 10)

    def forward(self, x):
        h = self.body(x)
        for layer in self.hidden:
            h = F.relu(layer(h))
        return self.head(h)


@bug("parameters not registered")
def plain_list(bench: Bench) -> Setup:
    """Layers are kept in a list, not in a ModuleList."""
    return setup(bench, Hidden(bench))


@bug("parameters not registered", "MLP CNN GRU")
def made_in_forward(bench: Bench) -> Setup:
    """A layer is made anew in every forward."""
    class Anew(Net):
        def forward(self, x):
            h = self.body(x)
            return self.head(F.relu(nn.Linear(h.shape[1], h.shape[1]).to(h.device)(h)))

    return setup(bench, Anew(bench))


@bug("input ignored")
def multiplied_away(bench: Bench) -> Setup:
    """The features are multiplied by a gate that is zero and never learned."""
    class Gated(Net):
        def __init__(self, bench):
            super().__init__(bench)
            self.register_buffer("gate", torch.zeros(1))

        def forward(self, x):
            return self.head(self.body(x) * self.gate)

    return setup(bench, Gated(bench))


@bug("input ignored", "MLP CNN GRU")
def overwritten(bench: Bench) -> Setup:
    """The variable that holds the input is overwritten."""
    class Overwritten(Net):
        def forward(self, x):
            x = torch.ones_like(x)
            return self.head(self.body(x))

    return setup(bench, Overwritten(bench))


@bug("a branch is never used", "MLP CNN GRU transformer")
def residual_lost(bench: Bench) -> Setup:
    """The residual block's result is overwritten by its input."""
    class Lost(Net):
        def __init__(self, bench):
            super().__init__(bench)
            width = self.body.width
            self.block = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

        def forward(self, x):
            h = self.body(x)
            residual = h
            h = self.block(h)
            h = residual
            return self.head(h)

    return setup(bench, Lost(bench))


@bug("padding mask inverted", "transformer")
def mask_inverted(bench: Bench) -> Setup:
    """The padding mask is true for real steps: attention sees the padding alone."""
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(bench.shape[1], 32)
            layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(32, 10)

        def forward(self, x):
            real = x.abs().sum(-1) > 0
            h = self.encoder(self.embed(x), src_key_padding_mask=real)
            kept = (~real).unsqueeze(-1)
            return self.head((h * kept).sum(1) / kept.sum(1))

    return setup(bench, Masked(), x=F.pad(bench.x, (0, 0, 0, 4)))


@bug("padding mask inverted", "GRU transformer")
def mask_inverted_in_the_mean(bench: Bench) -> Setup:
    """The mean over the steps takes the padding and leaves the rest out."""
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Sequential(nn.Linear(bench.shape[1], 32), nn.GELU(), nn.Linear(32, 32))
            self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))

        def forward(self, x):
            padding = (x.abs().sum(-1, keepdim=True) == 0).float()
            h = self.embed(x)
            return self.head((h * padding).sum(1) / padding.sum(1))

    return setup(bench, Masked(), x=F.pad(bench.x, (0, 0, 0, 4)))


class Tokens(nn.Module):
    """Values cut into whole numbers, embedded, read by a GRU or by attention."""

    def __init__(self, bench: Bench, prepare):
        super().__init__()
        self.prepare, self.embedding = prepare, nn.Embedding(17, 32)
        self.reads = nn.GRU(32, 64, batch_first=True) if bench.net == "GRU" else nn.TransformerEncoderLayer(
            32, 4, 64, 0.0, batch_first=True)
        self.position = nn.Parameter(0.02 * torch.randn(bench.flat.shape[1], 32))
        self.head = nn.Linear(64 if bench.net == "GRU" else 32, 10)

    def forward(self, x):
        h = self.reads(self.embedding(self.prepare(x)) + self.position)
        return self.head(h[0][:, -1] if isinstance(h, tuple) else h.mean(1))


def tokens(bench: Bench) -> torch.Tensor:
    """Whole numbers from 0 to 16."""
    low, high = bench.flat.min(), bench.flat.max()
    return ((bench.flat - low) / (high - low) * 16).round().long()


@bug("token ids lost", "GRU transformer")
def ids_clipped(bench: Bench) -> Setup:
    """The ids are clipped to the size of a vocabulary of one."""
    return setup(bench, Tokens(bench, lambda ids: ids.clamp(max=0)), x=tokens(bench))


@bug("token ids lost", "GRU transformer")
def ids_rounded(bench: Bench) -> Setup:
    """Values are scaled to less than one and then cast to ids: all are zero."""
    return setup(bench, Tokens(bench, lambda x: x.long()), x=tokens(bench) / 17)


@bug("state carried between calls", "GRU")
def state_kept(bench: Bench) -> Setup:
    """The hidden state is kept from call to call, detached."""
    class Stateful(Net):
        state = None

        def forward(self, x):
            if self.state is None or self.state.shape[1] != len(x):
                self.state = torch.zeros(1, len(x), self.body.width, device=x.device)
            out, state = self.body.gru(x, self.state)
            self.state = state.detach()
            return self.head(out[:, -1])

    return setup(bench, Stateful(bench))


@bug("state carried between calls", "GRU")
def state_kept_with_graph(bench: Bench) -> Setup:
    """The hidden state is kept from call to call, with its graph."""
    class Stateful(Net):
        state = None

        def forward(self, x):
            out, self.state = self.body.gru(x, self.state)
            return self.head(out[:, -1])

    return setup(bench, Stateful(bench))


@bug("rows of the batch mixed", "GRU transformer")
def batch_second(bench: Bench) -> Setup:
    """batch_first is missed: time is taken for the batch."""
    return setup(bench, Net(bench, batch_first=False))


@bug("rows of the batch mixed", "MLP CNN GRU transformer")
def mixed_by_view(bench: Bench) -> Setup:
    """The features are transposed, then viewed back to (rows, width)."""
    class Mixed(Net):
        def forward(self, x):
            h = self.body(x)
            return self.head(h.t().reshape(len(x), -1))

    return setup(bench, Mixed(bench))


@bug("rows of the batch mixed", "MLP transformer")
def attended_rows(bench: Bench) -> Setup:
    """Attention weights are normalised and applied over the rows of the batch."""
    class Attended(Net):
        def forward(self, x):
            h = self.body(x)
            weights = F.softmax(h @ h.t() / h.shape[1] ** 0.5, dim=-1)
            return self.head(h + weights @ h)

    return setup(bench, Attended(bench))


@bug("rows of the batch mixed", "CNN", data=(DIGITS,))
def permuted_images(bench: Bench) -> Setup:
    """Images in (height, width, rows) order are reshaped, not permuted."""
    class Reshaped(Net):
        def forward(self, images):
            return self.head(self.body(images.permute(2, 3, 0, 1).reshape(-1, 1, 8, 8)))

    return setup(bench, Reshaped(bench))
