"""Ideas as a person writes them, checked and brought into one form before any work."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sklearn.base import clone

from ml_lifecycle.exploration import _edge, _entries
from ml_lifecycle.exploration._entries import Asked
from ml_lifecycle.exploration._ideas.run import Function
from ml_lifecycle.exploration._measure import Candidate
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean, one_of

FORMS = ("an estimator, the name of a default model, a dict of parameters, a function of (X, y) that gives a fitted model, or "
         "one of (X_train, y_train, X_test) that gives predictions")
LONGEST = 60  # letters of a name that is made from parameters


class Forms:
    """What makes candidates of ideas; knows the pipeline that parameters are set on."""

    def __init__(self, asked: Asked, seed: int, base: Any) -> None:
        self.asked, self.seed = asked, seed
        self._usual: dict[str, Any] = {}
        self._base = base

    @property
    def usual(self) -> dict[str, Any]:
        """The default models for these rows."""
        if not self._usual:
            self._usual = _entries.usual_models(self.asked, self.seed)
        return self._usual

    def base(self) -> tuple[str, Any]:
        """(name, estimator) that parameters are set on: the simplest default model unless it is given."""
        given = next(iter(self.usual)) if self._base is None else self._base
        if isinstance(given, str):
            one_of(given, self.usual, "base", noun="Default models")
            return given, self.usual[given]
        _estimator(given, "base")
        return _entries._label(given), given

    def candidate(self, name: str, idea: Any, argument: str, kind: str | None = None) -> Candidate:
        """One idea in the form in which it is measured."""
        if isinstance(idea, str):
            one_of(idea, self.usual, argument, noun="Default models")
            return Candidate(name or idea, kind or "model", self.usual[idea], timed=False)
        if isinstance(idea, Mapping):
            return Candidate(name or _written(idea), kind or "parameters", self._with(idea, argument), timed=False)
        if hasattr(idea, "fit"):
            _estimator(idea, argument)
            return Candidate(name or _entries._label(idea), kind or "model", idea, timed=False)
        if isinstance(idea, type) or not callable(idea):
            what = f"the class {idea.__name__}; write {idea.__name__}()" if isinstance(idea, type) else shown(idea)
            raise BadInputError(f"`{argument}` must be {FORMS}. Got {what}.")
        own = getattr(idea, "__name__", type(idea).__name__)
        return Candidate(name or own, kind or "function", _function(idea, argument), timed=False)

    def _with(self, params: Mapping[Any, Any], argument: str) -> Any:
        name, base = self.base()
        if not hasattr(base, "get_params"):
            raise BadInputError(f"`base` must have `set_params` for ideas that are parameters. Got {type(base).__name__}. "
                                "Hand over estimators in place of parameters.")
        known = base.get_params()
        return clone(base, safe=False).set_params(**{_full(key, known, base, name, argument): v for key, v in params.items()})


def _estimator(model: Any, argument: str) -> None:
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
        what = f"the class {model.__name__}; write {model.__name__}()" if isinstance(model, type) else shown(model)
        raise BadInputError(f"`{argument}` must be an estimator with `fit` and `predict`. Got {what}.")


def _full(key: Any, known: Mapping[str, Any], base: Any, name: str, argument: str) -> str:
    """The whole name of a parameter; that of the last step may be left out, and that of any step where only one has it."""
    if key in known:
        return str(key)
    last = f"{base.steps[-1][0]}__{key}" if getattr(base, "steps", None) else ""
    ends = [other for other in known if other.endswith(f"__{key}")]
    if last in known:
        return last
    if len(ends) == 1:
        return ends[0]
    if len(ends) > 1:
        raise BadInputError(f"`{argument}` must name one parameter of {name!r}. Got {key!r}, which several steps have. "
                            f"Write one of {', '.join(ends[:6])}.")
    raise UnknownNameError(f"`{argument}` must name parameters of {name!r}. Got {key!r}. "
                           + did_you_mean(key, _most_likely_first(known, last.partition("__")[0] + "__"), noun="Parameters"))


def _most_likely_first(known: Mapping[str, Any], prefix: str) -> list[str]:
    """The parameters of the last step by their short names, then all others."""
    own = [name.removeprefix(prefix) for name in known if name.startswith(prefix)]
    return own + [name for name in known if not name.startswith(prefix)]


def _function(idea: Callable[..., Any], argument: str) -> Function:
    """Which form a function has: told from how many arguments it cannot do without."""
    remedy = "Write f(X, y) that gives a fitted model, or f(X_train, y_train, X_test) that gives predictions."
    name = getattr(idea, "__name__", type(idea).__name__)
    try:
        arguments = inspect.signature(idea).parameters
    except (TypeError, ValueError):
        raise BadInputError(f"`{argument}` must be functions whose arguments can be read. Got {name}. {remedy}") from None
    seed_as = next((seed for seed in ("seed", "random_state") if seed in arguments), "")
    needed = [n for n, p in arguments.items() if p.default is p.empty and n != seed_as
              and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [n for n, p in arguments.items() if p.default is p.empty and p.kind is p.KEYWORD_ONLY and n != seed_as]
    if len(needed) not in (2, 3) or rest or (seed_as and arguments[seed_as].kind is inspect.Parameter.POSITIONAL_ONLY):
        raise BadInputError(f"`{argument}` must be functions of two or three arguments. Got {name}({', '.join(arguments)}). "
                            f"{remedy}")
    return Function(idea, len(needed) == 3, seed_as)


def _written(params: Mapping[Any, Any]) -> str:
    text = ", ".join(f"{str(key).removeprefix('model__')} = {shown(value, 30)}" for key, value in params.items())
    return (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") or "no change"


def as_ideas(ideas: Any, forms: Forms) -> list[Candidate]:
    """The ideas in the order in which they were handed in, each with a name."""
    if isinstance(ideas, Mapping):
        plain = [key for key, value in ideas.items() if not _may_be(value)]
        if plain:
            raise BadInputError(f"`ideas` must be a list of ideas, or a dict of names and ideas; an idea is {FORMS}. Got "
                                f"{shown(ideas[plain[0]])} for {shown(plain[0])}. One set of parameters stands in a list: "
                                f"[{{{plain[0]!r}: {shown(ideas[plain[0]])}}}].")
        pairs = [(str(name), idea) for name, idea in ideas.items()]
    elif hasattr(ideas, "fit") or callable(ideas) or isinstance(ideas, str):
        pairs = [("", ideas)]
    else:
        items = _edge.several(ideas, "ideas", "a list or a dict of ideas", "Write ideas={'strong': {'C': 10}}.")
        pairs = [(str(item[0]), item[1]) if isinstance(item, (tuple, list)) and len(item) == 2 else ("", item) for item in items]
    if not pairs:
        raise BadInputError("`ideas` must hold at least one idea. Got none. Write ideas={'strong': {'C': 10}}.")
    found = []
    for place, (name, idea) in enumerate(pairs, 1):
        name = f"idea {place}" if not name and getattr(idea, "__name__", "") == "<lambda>" else name
        found.append(forms.candidate(name, idea, "ideas"))
    return found


def _may_be(value: Any) -> bool:
    return isinstance(value, (str, Mapping)) or hasattr(value, "fit") or callable(value)


def with_baseline(ideas: list[Candidate], baseline: Any, forms: Forms) -> tuple[Candidate, list[Candidate]]:
    """(what the ideas are held against, the other ideas), all with different names."""
    if isinstance(baseline, str) and baseline in [idea.name for idea in ideas]:
        place = [idea.name for idea in ideas].index(baseline)
        first = Candidate(baseline, "baseline", ideas[place].what, timed=False)
        ideas = ideas[:place] + ideas[place + 1:]
        if not ideas:
            raise BadInputError(f"`ideas` must hold an idea besides the baseline. Got {baseline!r} alone. Add another one.")
    elif isinstance(baseline, tuple) and len(baseline) == 2:
        first = forms.candidate(str(baseline[0]), baseline[1], "baseline", "baseline")
    elif baseline is None:
        name, what = forms.base()
        first = Candidate(name, "baseline", what, timed=False)
    else:
        first = forms.candidate("", baseline, "baseline", "baseline")
    named = _entries.unique_names([first, *ideas])
    return named[0], named[1:]


def _named(ideas: Any) -> dict[str, Any]:
    """The ideas that have a name."""
    pairs = list(ideas.items()) if isinstance(ideas, Mapping) else \
        [item for item in ideas if isinstance(item, tuple) and len(item) == 2] if isinstance(ideas, (list, tuple)) else []
    return {str(name): idea for name, idea in pairs}


def handed_in(ideas: Any, baseline: Any, base: Any) -> list[Any]:
    """All that may be an estimator."""
    given = list(ideas.values()) if isinstance(ideas, Mapping) else list(ideas) if isinstance(ideas, (list, tuple)) else [ideas]
    return [*given, baseline, base]


def all_of(ideas: Any, baseline: Any, base: Any, asked: Asked, seed: int) -> tuple[Candidate, list[Candidate]]:
    """(the baseline, the other ideas) of what a person handed in."""
    forms = Forms(asked, seed, base)
    if base is None and baseline is not None:
        told = _named(ideas).get(baseline, baseline) if isinstance(baseline, str) else baseline
        told = told[1] if isinstance(told, tuple) and len(told) == 2 else told
        known = told in forms.usual if isinstance(told, str) else hasattr(told, "fit")
        forms = Forms(asked, seed, told if known else None)
    return with_baseline(as_ideas(ideas, forms), baseline, forms)
