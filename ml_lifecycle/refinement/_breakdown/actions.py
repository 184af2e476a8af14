"""What is done about each cause of error: the ordered lists of the guide, each action with the call that does it."""

# After Jeremy Jordan, Organizing machine learning projects (2018), and Josh Tobin, Troubleshooting deep neural networks (2019):
# what helps most and costs least in the long run stands first. What the guide says for networks is said for other models too.

from ml_lifecycle.foundation.report import NextStep

_SEARCH = "coarse_to_fine(model, default_space(model), X, y)"
_IDEAS = "compare_ideas({...}, data, base=model)"
TUNE = NextStep("tune the hyperparameters", "refinement", _SEARCH)
ANALYSE = NextStep("see what the errors have in common", "refinement", "error_clusters(X, y, proba)")

ACTIONS: dict[str, tuple[NextStep, ...]] = {
    "irreducible": (
        NextStep("see whether the labels are right: some noise is mislabelled rows", "data", "label_issues(y, proba)"),
        NextStep("see whether people agree, and write down how doubtful items are labelled", "data", "agreement(labels)"),
        NextStep("add columns that carry what is missing", "exploration", _IDEAS),
        NextStep("else accept it: no model does better", "exploration", "baselines(data, human=...)"),
    ),
    "avoidable_bias": (
        NextStep("make the model bigger (more units, layers, trees, depth)", "refinement", _SEARCH),
        NextStep("reduce regularization", "refinement", _SEARCH),
        ANALYSE,
        NextStep("choose a more advanced kind of model, closer to what is published", "exploration", _IDEAS),
        TUNE,
        NextStep("add features", "exploration", _IDEAS),
    ),
    "variance": (
        NextStep("add more training rows, if a learning curve says that they help", "exploration",
                 "learning_curve({...}, X, y)"),
        NextStep("add normalization (of the features; in a network batch or layer norm)", "exploration", _IDEAS),
        NextStep("augment the data with variants of rows that it gets wrong", "refinement", "top_losses(X, y, proba)"),
        NextStep("increase regularization (weight decay, dropout, larger leaves)", "refinement", _SEARCH),
        ANALYSE,
        NextStep("choose another kind of model", "exploration", _IDEAS),
        TUNE,
        NextStep("stop training earlier", "refinement", _SEARCH),
        NextStep("remove features", "exploration", _IDEAS),
        NextStep("make the model smaller", "refinement", _SEARCH),
    ),
    "distribution_shift": (
        NextStep("find out which columns of the rows to come differ", "evaluation", "compare_distributions(train, val)"),
        NextStep("see what the errors on them have in common", "refinement", "error_clusters(X_val, y_val, proba)"),
        NextStep("collect training rows that are like those that the model will meet", "data", "load_dataset(frame)"),
        NextStep("make training rows that are like them (synthesize, augment)", "exploration", _IDEAS),
        NextStep("adapt the training rows to them (domain adaptation, weights)", "exploration", _IDEAS),
    ),
    "validation_overfitting": (
        NextStep("renew the validation rows, and take more of them", "data", "data.split(val=0.3, seed=1)"),
        NextStep("choose by folds, and look at fewer candidates", "refinement", "coarse_to_fine(model, space, X, y, cv=10)"),
    ),
}
CODES = {"irreducible": "ERR010", "avoidable_bias": "ERR011", "variance": "ERR012", "distribution_shift": "ERR013",
         "validation_overfitting": "ERR014"}
AGAINST = {"irreducible": "For what is left", "avoidable_bias": "Against underfitting", "variance": "Against overfitting",
           "distribution_shift": "Against distribution shift",
           "validation_overfitting": "Against overfitting to the validation rows"}
