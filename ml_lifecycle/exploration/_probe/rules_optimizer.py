"""What a step does besides its gradient: to the batch, to parameters, and what its optimizer holds."""

from collections.abc import Iterator

from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice, cosine, few, flat
from ml_lifecycle.exploration._probe.step import Look
from ml_lifecycle.foundation._render import number

def around(facts: Facts, looks: list[Look]) -> Iterator[Cause]:
    """The batch, and the optimizers themselves."""
    yield from _overwritten(facts, looks)
    if facts.subject.touches or any(k.touched for k in looks):
        yield Cause("OVR013", "in_place", "issue", 6, "The batch is changed in place by the model or the training step: each pass "
            "over the same tensors sees other numbers.", {}, advice("write x = x / 255 and not x /= 255"))
    if facts.own_step and len(facts.given.optimizers) > 3:
        yield Cause("OVR016", "new_optimizer", "tip" if facts.near else "issue", 5, "The optimizer is made anew in every step: "
            "its momentum and its estimates are lost each time.", {"optimizers": len(facts.given.optimizers)}, advice(
            "make the optimizer once, outside the training step"))


def _overwritten(facts: Facts, looks: list[Look]) -> Iterator[Cause]:
    """Parameters that change outside the optimizer: before it steps, or after it."""
    usable = [k for k in looks if k.at_start is not None and k.at_end is not None and not k.calls_step_with_closure]
    if not usable or len(facts.given.optimizers) > 1 or any(k.events.count("step") > 1 for k in usable):
        return
    names = [n for n, _ in facts.subject.model.named_parameters()]
    put_back, written = set(), set()
    for k in usable:
        for i, name in enumerate(names):
            before, start, end = k.before[i], (k.at_start or [])[i], (k.at_end or [])[i]
            after = before + k.move[i]
            stepped = float((end - start).norm())
            if stepped > 0 and float((after - before).norm()) < 1e-3 * stepped:
                put_back.add(name)
            else:
                changed = max(float((start - before).norm()), float((after - end).norm()))
                if changed > 0.02 * float(before.norm()) + 1e-12 and changed > 2 * stepped:
                    written.add(name)
    if put_back:
        yield Cause("OVR016", "put_back", "issue", 1.15, f"The optimizer moves {few(sorted(put_back))}, and the training step "
            "puts them back: parameters are the same after the step as before.", {"parameters": sorted(put_back)[:8]}, advice(
            "look for load_state_dict, copy_ or a saved state in the training step"))
    elif written:
        yield Cause("OVR016", "overwritten", "tip" if facts.near else "issue", 1.15, f"{few(sorted(written))} change outside the "
            "optimizer (overwritten or initialised anew in the training step or in forward): what was learned is lost.",
            {"parameters": sorted(written)[:8]}, advice("initialise once, before training; look for reset_parameters, init and "
            "copy_"))


def movement(facts: Facts, looks: list[Look]) -> Iterator[Cause]:
    """What the optimizer makes of good gradients."""
    usable = [k for k in looks if k.clean is not None and float(flat(k.clean, k.before).norm()) > 0]
    if not usable or (facts.optimizer is not None and not facts.optimizer.holds_any):
        return
    moves = [float(flat(k.move, k.before).norm()) for k in usable]
    angles = [cosine(flat(k.move, k.before), flat(k.clean or [], k.before)) for k in usable[:1]]
    rates = facts.optimizer.rates if facts.optimizer else ()
    if not any(moves):
        zero = bool(rates) and not any(rates)
        what = "the learning rate is 0" if zero else "the parameters are put back, or are not the ones that the model uses"
        yield Cause("OVR015" if zero else "OVR016", "zero_rate" if zero else "not_moving", "issue", 1.2,
            f"The optimizer steps, but no parameter moves: {what}.", {"learning_rates": rates}, advice(
            "give the optimizer a learning rate such as 1e-3"))
    elif angles[0] > 0.2:
        why = "maximize=True" if facts.optimizer and facts.optimizer.maximize else "the learning rate is negative" \
            if any(r < 0 for r in rates) else "the sign of the update is flipped"
        yield Cause("OVR012", "ascends", "issue", 1.2, "The step goes up the loss instead of down (gradient ascent, flipped "
            f"sign): {why} (cosine of the update with the gradient {number(angles[0])}).", {"cosine": angles[0],
            "learning_rates": rates}, advice("use maximize=False and a positive learning rate"))


def holds(facts: Facts) -> Iterator[Cause]:
    """Whether the optimizer has the parameters of the model."""
    held = facts.optimizer
    if held is None:
        return
    if not held.holds_any:
        yield Cause("OVR016", "no_parameters", "issue", 1.1, "The optimizer holds no trainable parameter of this model (it was "
            "made from another model, or before the layers were replaced).", {"optimizer": held.name}, advice(
            "make the optimizer from model.parameters(), after the model is complete"))
    elif held.idle:
        yield Cause("OVR015", "group_rate_zero", "tip" if facts.near else "issue", 1.5, f"The learning rate of {few(held.idle)} "
            "is 0, while other groups of the optimizer have one: these layers are never updated.", {"layers": held.idle,
            "learning_rates": held.rates}, advice("give every group of parameters a learning rate, or freeze the layers"))
    elif held.missing:
        yield Cause("OVR016", "missing_parameters", "issue", 1.6, "The optimizer does not have all parameters: "
            f"{few(held.missing)} ({held.missing_share:.0%} of the numbers) are never updated.", {"layers": held.missing,
            "share": held.missing_share}, advice("make the optimizer from model.parameters(), after the model is complete; freeze "
            "on purpose with requires_grad_(False)"))
