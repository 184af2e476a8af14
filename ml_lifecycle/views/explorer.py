"""The error explorer: clusters, their examples, a category for each, and the plan of what to collect."""

from html import escape
from typing import Any

from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError, require
from ml_lifecycle.refinement.explore import ErrorReview
from ml_lifecycle.refinement.plan import collection_plan

EXAMPLES = 6  # rows of a cluster that are shown
COLUMNS = 8  # of those rows
ALONE = -1  # errors that are in no cluster


def error_explorer(
    review: ErrorReview,  # the session that the view shows and changes
) -> Any:  # a widget; raises MissingPackageError without ipywidgets
    """Show a review in JupyterLab: choose a cluster, look at its examples, give it a category, plan what to collect."""
    return _Explorer(review, require("ipywidgets", "course", "The error explorer")).box


class _Explorer:
    """Widgets over a review; what a person says is kept by the review alone."""

    def __init__(self, review: ErrorReview, widgets: Any) -> None:
        self.review, self.widgets = review, widgets
        wide = widgets.Layout(width="99%")
        self.progress, self.said = widgets.HTML(), widgets.HTML()
        self.clusters = widgets.Select(layout=widgets.Layout(width="99%", height="9.5em"))
        self.what, self.examples = widgets.HTML(layout=wide), widgets.HTML(layout=wide)
        self.only = widgets.SelectMultiple(description="Only rows", layout=widgets.Layout(width="11em", height="7em"))
        self.category = widgets.Combobox(description="Category", placeholder="what is this?", ensure_option=False)
        self.note = widgets.Text(description="Note", placeholder="why, or what to do")
        self.assign = widgets.Button(description="Assign", button_style="primary", icon="tag")
        self.undo = widgets.Button(description="Undo", icon="undo")
        self.ask = widgets.Button(description="Plan what to collect", icon="list-ol", layout=widgets.Layout(width="14em"))
        self.keep = widgets.Button(description="Keep the plan", icon="save", layout=widgets.Layout(
            display=None if review.project is not None else "none"))
        self.plan = widgets.HTML(layout=wide)
        self._listen()
        form = widgets.VBox([self.category, self.note, widgets.HBox([self.assign, self.undo])])
        self.box = widgets.VBox([
            widgets.HTML("<b>1. Clusters of errors</b>"), self.progress, self.clusters,
            widgets.HTML("<b>2. Examples</b>"), self.what, self.examples,
            widgets.HTML("<b>3. Category</b> of the cluster, or only of the rows chosen on the left"),
            widgets.HBox([self.only, form], layout=widgets.Layout(flex_flow="row wrap")), self.said,
            widgets.HTML("<b>4. Plan</b>"), widgets.HBox([self.ask, self.keep]), self.plan],
            layout=widgets.Layout(max_width="60em"))
        self.box.add_class("ml-lifecycle-explorer")
        self._list()
        self._look()

    def _listen(self) -> None:
        self.clusters.observe(lambda _: self._look(), names="value")
        steps = {self.assign: self._assign, self.undo: self._undo, self.ask: self._plan, self.keep: self._keep}
        for button, step in steps.items():
            button.on_click(lambda _, step=step: self._attempt(step))

    def _attempt(self, step: Any) -> None:
        """Do one step, and say in a line what it did or why it could not."""
        try:
            said, good = step(), True
        except (BadInputError, UnknownNameError, ProjectError) as error:
            said, good = str(error), False
        colour = "inherit" if good else "var(--jp-error-color1, #b00020)"
        self.said.value = f'<span role="status" style="color:{colour}">{escape(said)}</span>'

    # what is shown ---------------------------------------------------------------------------------------------------

    def _list(self) -> None:
        """The clusters with what they were called, and how far the review is."""
        table, frame = self.review.clusters, self.review.frame
        options = [(f"{row.cluster} · {count(int(row.size), 'error')} ({row.share:.0%}) · {row.category or 'no category yet'} · "
                    f"{row.description}", int(row.cluster)) for row in table[
                        ["cluster", "size", "share", "category", "description"]].itertuples(index=False)]
        alone = int((frame["cluster"] == ALONE).sum())
        if alone:
            options.append((f"{count(alone, 'error')} in no cluster", ALONE))
        chosen = self.clusters.value
        self.clusters.options = options
        if options:
            self.clusters.value = options[0][1] if chosen is None else chosen
        named = int((frame["category"] != "").sum())
        self.progress.value = f"{named:,} of {count(len(frame), 'error')} have a category."
        self.category.options = tuple(self.review.categories["category"])

    def _look(self) -> None:
        """What is known about the chosen cluster, and errors in it."""
        cluster, report = self.clusters.value, self.review.report
        if cluster is None:
            self.what.value, self.examples.value, self.only.options = escape(report.answer), "", ()
            return
        found = report.frame[report.frame["cluster"] == cluster]
        self.what.value = "Errors that stand alone." if found.empty else "".join(
            f"Where <b>{escape(row.description)}</b>: {row.rate:.0%} of {count(int(row.rows), 'row')} are wrong "
            f"({row.low:.0%} to {row.high:.0%}), {row.overall:.0%} overall." for row in found.itertuples(index=False))
        table = self.review.examples(cluster, n=EXAMPLES)
        words = " ".join(found["description"])
        order = sorted(table.columns, key=lambda name: (name not in ("row", "truth", "predicted"), str(name) not in words))
        self.only.options = [int(row) for row in table["row"]]
        pictures = "".join(f'<img src="{uri}" alt="row {row}" style="height:64px;image-rendering:pixelated;margin:2px">'
                           for row, uri in zip(table["row"], self.review.pictures(table["row"])))
        self.examples.value = pictures + _within(table[order[:COLUMNS]].to_html(index=False, border=0))
        self.category.value = next(iter(self.review.clusters.set_index("cluster")["category"].reindex([cluster]).fillna("")))

    # what a person does ----------------------------------------------------------------------------------------------

    def _assign(self) -> str:
        rows = [int(row) for row in self.only.value]
        if not self.category.value.strip():
            raise BadInputError("`category` must be a name. Got none. Write what these errors have in common.")
        if self.clusters.value == ALONE and not rows:
            raise BadInputError("`rows` must be chosen for errors in no cluster. Got none. Choose some on the left.")
        where = {"rows": rows} if rows else {"cluster": self.clusters.value}
        event = self.review.assign(self.category.value, note=self.note.value, **where)
        self.note.value, self.only.value = "", ()
        self._list()
        return f"{count(len(event.rows), 'error')}: {event.category}."

    def _undo(self) -> str:
        event = self.review.undo()
        self._list()
        return f"Taken back: {event.category} for {count(len(event.rows), 'error')}."

    def _plan(self) -> str:
        plan = collection_plan(self.review)
        self.plan.value = _within(plan._repr_html_())
        return plan.answer

    def _keep(self) -> str:
        assert self.review.project is not None
        plan = collection_plan(self.review)
        path = self.review.project.record(plan)
        return f"Kept in the project: {path.name} and {plan.to_csv(path.with_suffix('.csv')).name} in {path.parent.name}."


def _within(html: str) -> str:
    """What is too wide scrolls in its own place, with the line height of a page."""
    return f'<div style="overflow-x:auto;contain:inline-size;line-height:1.4">{html}</div>'
