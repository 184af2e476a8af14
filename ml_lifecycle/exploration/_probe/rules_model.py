"""Rules about the model and its input: gradients, dead units, mixed rows, modes, initial weights, scale of the data."""

import math
from collections.abc import Iterator

from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice, few
from ml_lifecycle.exploration._probe.output import SMALL, TOLERANCE
from ml_lifecycle.exploration._probe.rules_loss import scores
from ml_lifecycle.foundation._render import number

MIXED = 5 * TOLERANCE
VANISHED = 1e-4  # of the relative gradient of the last layers


def _trainable(facts: Facts) -> Iterator[Cause]:
    i = facts.inside
    if i.frozen_share >= 1:
        yield Cause("OVR030", "all_frozen", "issue", 1, "All parameters are frozen (requires_grad=False): there is nothing to "
            "train.", {"share": 1.0}, advice("set requires_grad_(True) on what should learn"))
        return
    if not facts.out.grad and facts.out.shape:
        how = f" ({', '.join(i.cuts)} runs in the forward pass)" if i.cuts else ""
        yield Cause("OVR031", "detached", "issue", 1, f"The output is detached from the parameters: it has no gradient{how}; look "
            "for detach(), no_grad(), argmax, .data or numpy in forward.", {"cuts": i.cuts}, advice(
            "keep every operation between parameters and loss differentiable"))
        return
    if i.frozen and i.frozen_share > 0:
        small = i.frozen_share < 0.01
        meant = facts.optimizer is not None and not facts.optimizer.holds_frozen
        if not (small and facts.near):
            yield Cause("OVR030", "frozen", "tip" if facts.near or meant else "issue", 2, f"{i.frozen_share:.0%} of the "
                "parameters are "
                f"frozen (requires_grad=False): {few(i.frozen)}.", {"share": i.frozen_share, "layers": i.frozen}, advice(
                "set requires_grad_(True) unless they are frozen on purpose"))
    if i.detached:
        how = f" ({', '.join(i.cuts)} is called in forward)" if i.cuts else ""
        yield Cause("OVR031", "detached", "issue", 1.5, f"{few(i.detached)} get no gradient though they run: the graph is "
            f"detached behind {i.detached[-1]!r}{how} (detach(), no_grad() or .data).", {"layers": i.detached, "cuts": i.cuts},
            advice("remove the detach between these layers and the output"))
    if i.unused:
        yield Cause("OVR031", "unused", "tip", 2.4, f"{few(i.unused)} are not used: whatever their weights are, the loss stays "
            "the same (forward never calls them, or drops their result), and they get no gradient.", {"layers": i.unused}, advice(
            "use the layers in forward, or remove them"))


def _finite(facts: Facts) -> Iterator[Cause]:
    i, run = facts.inside, facts.given
    if not facts.inputs.finite:
        yield Cause("OVR036", "nan_input", "issue", 0.6, f"The inputs hold {facts.inputs.bad:,} numbers that are NaN or infinite: "
            "the loss is NaN whatever the model does.", {"numbers": facts.inputs.bad}, advice("impute or leave out these "
            "values", "data"))
    elif i.nan_weights:
        yield Cause("OVR036", "nan_weights", "issue", 0.6, f"Weights are NaN or infinite before any step: {few(i.nan_weights)}.",
                    {"weights": i.nan_weights}, advice("initialise these weights"))
    elif i.nan_at and (i.bad_gradients or not math.isfinite(i.loss)):
        yield Cause("OVR036", "nan_forward", "issue", 0.6, f"NaN or infinity first arises in {i.nan_at} of the forward pass, from "
            "finite numbers.", {"where": i.nan_at}, advice("guard it: add a small number inside log, sqrt and divisions"))
    elif not math.isfinite(i.loss) and facts.failed is None:
        yield Cause("OVR036", "nan_loss", "issue", 0.7, "The loss is NaN or infinite at the first step, from finite outputs: "
            "loss_fn makes it (log of 0, or a division by 0).", {"loss": i.loss}, advice("use losses that take scores, such as "
            "CrossEntropyLoss"))
    elif not facts.out.eval_finite:
        yield Cause("OVR036", "nan_in_eval", "issue", 1.5, "The outputs are NaN or infinite in eval mode, though they are finite "
            "in training mode.", {}, advice("look for masks that hide everything, and at the running statistics of BatchNorm"))
    elif i.bad_gradients:
        yield Cause("OVR036", "nan_gradient", "issue", 0.7, "The loss is finite, but its gradient is NaN or infinite in "
            f"{few(i.bad_gradients)} (such as sqrt or a norm at 0).", {"parameters": i.bad_gradients}, advice(
            "add a small number inside sqrt and norms"))
    elif run.broken:
        tamed = any(r.broken is False and facts.goal.share(r.best) < 0.5 for r in facts.rates.values())
        at = next((k for k, x in enumerate(run.losses) if not math.isfinite(x)), len(run.losses))
        yield Cause("OVR036", "nan_later", "tip" if tamed else "issue", 2, f"The loss becomes NaN or infinite at step {at}: the "
            "run diverges.", {"at": at}, advice("lower the learning rate, or guard log, sqrt and divisions"))


def _weights(facts: Facts) -> Iterator[Cause]:
    i = facts.inside
    if facts.symmetric:
        zero = any(value == 0 for name, value in i.constant if name in facts.symmetric)
        yield Cause("OVR035", "zero_init" if zero else "constant_init", "issue", 1.4, "Weights are initialised to "
            f"{'zero' if zero else 'the same value'} ({few(facts.symmetric)}): all units of the layer stay alike (symmetry is "
            "never broken).", {"weights": facts.symmetric}, advice("initialise weights at random: nn.init.kaiming_normal_"))
    equal = [(n, v) for n, v in i.constant if v != 0]
    if equal and not facts.symmetric and not facts.near:
        yield Cause("OVR035", "constant_init", "issue", 1.4, f"All weights of {few([n for n, _ in equal])} start at the same "
            f"value ({number(equal[0][1])}): units of a layer begin alike and hardly grow apart.", {"weights": [n for n,
            _ in equal]}, advice("initialise weights at random: nn.init.kaiming_normal_"))
    high = facts.goal.first > 3 * _expected(facts) if math.isfinite(_expected(facts)) else False
    helped = math.isfinite(facts.fresh_loss) and facts.fresh_loss < 0.5 * facts.goal.first
    if i.large and (high or facts.stuck) and (helped or not math.isfinite(facts.fresh_loss)):
        name, size = max(i.large, key=lambda item: item[1])
        yield Cause("OVR033", "large_init", "issue", 1.9, f"Weights are initialised too large ({name!r}: {number(size)} times "
            f"1/√inputs), so activations and gradients explode: the first loss is {number(facts.goal.first)}, with the usual "
            f"initialisation {number(facts.fresh_loss)}.", {"weights": [n for n, _ in i.large], "size": size,
            "loss": facts.goal.first}, advice("use the default initialisation, or nn.init.kaiming_normal_"))
    run, mine = facts.tried.get("fresh weights"), facts.tried.get("given with fresh weights")
    plainly = run is not None and facts.tried_plainly and facts.goal.share(run.best) < min(0.2,
        0.3 * facts.goal.share(facts.plain))
    as_given = mine is not None and facts.goal.share(mine.best) < 0.5 * min(1.0, facts.goal.share(facts.given.best)) and \
        facts.goal.share(facts.given.losses[min(len(mine.losses), len(facts.given.losses)) - 1]) > 0.85
    if not plainly and as_given:
        run = mine
    if run is not None and (plainly or as_given) and not facts.symmetric and not i.large:
        tiny = f" ({i.small[0][0]!r} is {number(i.small[0][1])} times 1/√inputs)" if i.small else ""
        yield Cause("OVR035", "bad_init", "issue", 1.9, f"The initial weights keep it from learning{tiny}: with the default "
            f"initialisation the loss falls to {number(run.best)}.", {"loss": run.best, "small": [n for n, _ in i.small]},
            advice("use the default initialisation, or nn.init.kaiming_normal_"))


def _expected(facts: Facts) -> float:
    known = [v for v in (facts.goal.constant, facts.loss.zeros) if math.isfinite(v) and v > 0]
    return max(known) if known else math.nan


def _signal(facts: Facts) -> Iterator[Cause]:
    """Dead units, and gradients that fade or grow on their way back."""
    i = facts.inside
    dead = [(name, share) for name, share in i.dead if share >= 0.95]
    if dead:
        name, share = dead[0]
        sure = share > 0.99 or not facts.near
        yield Cause("OVR034", "dead_relu", "issue" if sure else "tip", 1.7, f"Dead ReLU: {share:.0%} of the units of {name!r} are "
            "zero for every row of the batch, so nothing behind them gets a gradient.", {"layer": name, "share": share}, advice(
            "look at the bias and scale of the layer before it; lower the learning rate or use LeakyReLU"))
    sizes = [s for _, s in i.relative]
    asleep = any(value == 0 for _, value in i.constant)  # a layer that starts at zero holds back the first gradient only
    if len(sizes) >= 3 and not dead and not facts.symmetric and not asleep:
        first, last = sizes[0], max(sizes[-2:])
        ratio = first / last if last > 0 else math.nan
        if ratio < VANISHED and not facts.near:
            yield Cause("OVR032", "vanishing_gradients", "issue", 2, "Vanishing gradients: relative to its weights the gradient "
                f"of the first layer ({i.relative[0][0]!r}) is {number(ratio)} of that of the last ones.", {"first": first,
                "last": last, "ratio": ratio}, advice("use ReLU instead of sigmoid or tanh, normalisation, skip connections, or "
                "fewer layers"))
    tiny = facts.out.tiny
    if tiny < SMALL and scores(facts) and not facts.near and not dead:
        yield Cause("OVR032", "tiny_scores", "issue", 1.6, f"The outputs are tiny whatever the initial weights are (at most "
            f"{number(tiny)}): scores hardly differ, and gradients vanish on the way back through what makes them small.",
            {"largest": tiny}, advice("look for a small factor, a large divisor or temperature at the end of forward"))
    if math.isfinite(i.norm) and i.norm > 1e4 * max(1.0, abs(i.loss)) and not i.large:
        yield Cause("OVR033", "exploding_gradients", "tip" if facts.near else "issue", 3, "Exploding gradients: the first "
            f"gradient has length {number(i.norm)} for a loss of {number(i.loss)}.", {"norm": i.norm, "loss": i.loss}, advice(
            "normalise inputs and targets, lower the initial weights, or clip the gradient"))
    if i.norm == 0 and not dead and not facts.symmetric and facts.goal.share(i.loss) > 0.05 and not facts.inputs.constant_target:
        yield Cause("OVR032", "zero_gradients", "issue", 2.5, "The gradient of the loss is exactly zero for every parameter: an "
            "activation is saturated, or the loss does not depend on the scores.", {"loss": i.loss}, advice(
            "look at the last activation and at loss_fn"))


def _rows(facts: Facts) -> Iterator[Cause]:
    """Rows that touch each other, and inputs that do not matter."""
    out = facts.out
    if out.mixes > MIXED and 0 not in out.sums and 0 not in out.log_sums:
        numbers = {"change": out.mixes, "first_dimension": out.mixes, "second_dimension": out.mixes_dim1}
        if out.track_free:
            yield Cause("OVR040", "batch_statistics", "tip", 5, "Outputs of a row depend on the other rows even in eval mode: "
                f"{few(out.track_free)} uses the statistics of the batch (track_running_stats=False).", numbers,
                advice("track running statistics"))
        elif math.isfinite(out.mixes_dim1) and out.mixes_dim1 <= MIXED:
            yield Cause("OVR040", "sequence_first", "tip", 2, "The first dimension of the batch is read as time, the second as "
                "rows: right for sequence-first batches, else batch_first=True is missing and the batch axis is mixed.",
                numbers, advice("set batch_first=True if the first dimension holds rows"))
        else:
            yield Cause("OVR040", "batch_mixing", "issue", 1.3, "The batch axis is mixed: the output of one row depends on the "
                f"input of other rows (it moves by {number(out.mixes)} spreads when only others change, in eval mode).",
                numbers, advice("look for view or reshape where permute is meant, a missing batch_first=True, and softmax, mean "
                "or normalisation over dim 0"))
    if out.own_fresh > 1e-4 and out.own < 1e-5 and not facts.near:
        yield Cause("OVR035", "bad_init", "issue", 1.2, "The initial weights let nothing of the input through: outputs move by "
            f"{number(out.own)} of their size when rows change, with the default initialisation by {number(out.own_fresh)}.",
            {"change": out.own, "fresh": out.own_fresh}, advice("use the default initialisation, or nn.init.kaiming_normal_"))
    elif out.own < 1e-6 and not out.own_fresh > 1e-6 and facts.inputs.distinct > 1 and facts.inputs.n > 1:
        yield Cause("OVR041", "input_ignored", "issue", 1.2, "The output does not depend on the input: it stays the same when a "
            "row is replaced by another.", {"change": out.own}, advice("follow the input through forward; look for a wrong "
            "variable"))
    elif out.between < 1e-4 and facts.stuck and facts.inputs.distinct > 1 and not facts.inside.constant:
        yield Cause("OVR041", "outputs_alike", "tip", 4, "The outputs of different rows are almost alike before training "
            f"(relative spread {number(out.between)}): the input hardly reaches the output.", {"spread": out.between}, advice(
            "look at the scale of the inputs and for layers that wash it out"))


def _lines(facts: Facts) -> Iterator[Cause]:
    out = facts.out
    if out.affine or out.affine_but_pooling:
        but = " other than pooling" if not out.affine else ""
        yield Cause("OVR042", "no_nonlinearity", "issue", 2.2, f"There is no non-linearity{but} between the layers: the model is "
            "a straight line in its input (linear), however many layers it has; an activation is missing.",
            {"affine": out.affine}, advice("put an activation such as ReLU between the layers"))


def _in_eval(facts: Facts) -> list[str]:
    """Layers that depend on the mode and were in eval mode in a step."""
    seen = {name for k in facts.given.looks for name, on in k.training.items() if not on}
    return [n for n, m in facts.subject.model.named_modules() if n in seen and (n in facts.inside.in_eval or _modal(m))]


def _modes(facts: Facts) -> Iterator[Cause]:
    """Layers in eval mode while they are trained."""
    i, modal = facts.inside, _in_eval(facts)
    if facts.own_step and modal and not i.in_eval:
        yield Cause("OVR043", "eval_in_step", "issue", 1.6, f"The training step runs the model in eval mode ({few(modal)}): "
            "BatchNorm uses its running statistics and dropout is off while training.", {"layers": modal},
            advice("call model.train() before the step"))
    elif i.in_eval and (not facts.own_step or modal):
        part = "The model is" if len(i.in_eval) == i.modal else "A part of the model is"
        yield Cause("OVR043", "eval_mode", "issue", 1.6, f"{part} in eval mode while training ({few(i.in_eval)}): BatchNorm uses "
            "its running statistics, and dropout is off.", {"layers": i.in_eval}, advice("call model.train() before training"))


def _repeats(facts: Facts) -> Iterator[Cause]:
    """Passes that differ though rows and parameters are the same."""
    i, kept = facts.inside, facts.paths.kept
    if i.functional_dropout > 0:
        yield Cause("OVR044", "dropout_in_eval", "issue", 1.8, f"Dropout (p = {number(i.functional_dropout)}) stays active in "
            "eval mode: F.dropout is called without training=self.training.", {"p": i.functional_dropout}, advice(
            "pass training=self.training, or use nn.Dropout"))
    elif facts.out.keeps or kept:
        how = "a second pass over the same rows in eval mode gives other outputs, and not by chance" if facts.out.keeps else \
            "what one call leaves behind acts on the next one"
        where = few(kept) if kept else "a hidden state or a buffer"
        yield Cause("OVR044", "state_kept", "issue" if facts.out.keeps and not facts.near else "tip",
            2 if facts.out.keeps else 2.5, "A state is kept between "
            f"calls: the model remembers earlier ones, {how} ({where} is carried over).", {"attributes": kept}, advice(
            "begin each forward pass with a fresh state, unless batches are parts of one long sequence"))
    elif facts.out.random_eval:
        yield Cause("OVR044", "random_in_eval", "tip", 4, "Two passes over the same rows in eval mode differ: something random "
            "(noise, augmentation or dropout) stays on.", {}, advice("switch it off with self.training"))


def _statistics(facts: Facts) -> Iterator[Cause]:
    """A model that is another one in eval mode once it is trained."""
    i, modal = facts.inside, _in_eval(facts)
    run = facts.given
    still = [n for n, m in facts.subject.model.named_modules() if getattr(m, "momentum", 1) == 0.0 and
             getattr(m, "running_mean", None) is not None]
    if still:
        yield Cause("OVR043", "stale_statistics", "issue", 1.9, f"The running statistics of {few(still)} are never updated "
            f"(momentum=0): in eval mode BatchNorm uses numbers that are not those of the data (loss {number(run.best)} in "
            f"training mode, {number(run.eval_loss)} in eval mode).", {"layers": still, "train": run.best,
            "eval": run.eval_loss}, advice("use the usual momentum of 0.1; in torch it is the share of the NEW batch"))
    elif facts.near and math.isfinite(run.eval_loss) and not i.modal and not facts.out.random_eval and not modal and \
            facts.goal.share(run.eval_loss) > 0.5:
        yield Cause("OVR043", "mode_differs", "issue", 2, "The model does something else in eval mode: the loss is "
            f"{number(run.best)} in training mode but {number(run.eval_loss)} in eval mode on the same rows, without "
            "BatchNorm or dropout.", {"train": run.best, "eval": run.eval_loss}, advice("look at what depends on self.training in "
            "forward"))
    elif facts.near and math.isfinite(run.eval_loss) and i.modal and len(run.losses) >= 60 and not i.in_eval and \
            facts.goal.share(run.eval_loss) > 1 and not modal:
        yield Cause("OVR043", "eval_differs", "tip", 3, f"The loss is {number(run.best)} in training mode but "
            f"{number(run.eval_loss)} in eval mode on the same rows: running statistics of BatchNorm do not follow (momentum, "
            "or too few steps).", {"train": run.best, "eval": run.eval_loss}, advice("look at the momentum of BatchNorm, and at "
            "what differs in eval mode"))


def _modal(module: object) -> bool:
    from ml_lifecycle.exploration._probe.inside import MODAL

    return isinstance(module, MODAL)


RULES = (_trainable, _finite, _weights, _signal, _rows, _lines, _modes, _repeats, _statistics)  # OVR030 to OVR044
