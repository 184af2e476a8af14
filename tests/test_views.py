"""Views: what a click does to the session, without a browser and in a real one."""

import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.foundation.errors import MissingPackageError
from ml_lifecycle.refinement.clusters import error_clusters
from ml_lifecycle.refinement.explore import ErrorReview
from ml_lifecycle.runner.lab import _as_root, _environment

EVIL = "<img src=x onerror=alert(1)>"
PLANTED = """
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"hour": rng.uniform(0, 24, 2000), "carrier": rng.choice(["AA", EVIL, "UA"], 2000)})
    evening, morning = (X["carrier"] == EVIL) & (X["hour"] > 18), (X["carrier"] == "UA") & (X["hour"] < 5)
    y = rng.integers(0, 2, 2000)
    said = np.where(rng.random(2000) < np.select([evening, morning], [0.85, 0.6], 0.04), 1 - y, y)
"""


def planted():
    found = {"np": np, "pd": pd, "EVIL": EVIL}
    exec(textwrap.dedent(PLANTED), found)  # noqa: S102 - the same rows as in the browser
    return found["X"], found["y"], found["said"]


@pytest.fixture
def review(tmp_path):
    X, y, said = planted()
    return ErrorReview(error_clusters(X, y, said), project=tmp_path / "project", X=X, y=y, pred_or_proba=said)


def part(box, kind, **traits):
    """The widget of a kind in a view, by a trait of it."""
    from ipywidgets import Box

    found, todo = [], [box]
    while todo:
        one = todo.pop(0)
        todo += one.children if isinstance(one, Box) else []
        if type(one).__name__ == kind and all(getattr(one, name) == value for name, value in traits.items()):
            found.append(one)
    return found[0]


def texts(box):
    from ipywidgets import HTML, Box

    todo, found = [box], []
    while todo:
        one = todo.pop(0)
        todo += one.children if isinstance(one, Box) else []
        found += [one.value] if isinstance(one, HTML) else []
    return "\n".join(found)


def test_views_are_loaded_when_they_are_used():
    code = ("import sys, ml_lifecycle; ml_lifecycle.views; print('ipywidgets' in sys.modules, 'numpy' in sys.modules); "
            "print('error_explorer' in dir(ml_lifecycle.views)); ml_lifecycle.views.error_explorer; "
            "print('ipywidgets' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "False"]
    import ml_lifecycle.views

    with pytest.raises(AttributeError, match="no attribute 'gone'"):
        ml_lifecycle.views.gone  # noqa: B018


def test_without_ipywidgets(review, monkeypatch):
    from ml_lifecycle.views import error_explorer

    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingPackageError, match=r"pip install .ml-lifecycle\[course\]"):
        error_explorer(review)


def test_from_clusters_to_a_plan(review):
    pytest.importorskip("ipywidgets")
    from ml_lifecycle.views import error_explorer

    box = error_explorer(review)
    choice, category = part(box, "Select"), part(box, "Combobox")
    assign, undo, ask, keep = (part(box, "Button", description=name)
                               for name in ("Assign", "Undo", "Plan what to collect", "Keep the plan"))
    assert len(choice.options) == 3
    assert "hour" in texts(box)
    assert "truth" in texts(box)
    assert EVIL not in texts(box)
    assign.click()
    assert "`category` must be a name" in texts(box)
    category.value = f"evening {EVIL}"
    part(box, "Text").value = "ask"
    assign.click()
    assert review.clusters["note"][0] == "ask"
    assert len(review.rows(f"evening {EVIL}")) == review.report.frame["size"][0]
    assert EVIL not in texts(box)
    assert category.options == (f"evening {EVIL}",)
    choice.value = -1
    assert category.value == ""
    category.value = "odd"
    assign.click()
    assert "must be chosen" in texts(box)
    rows = part(box, "SelectMultiple")
    rows.value = rows.options[:2]
    assign.click()
    assert review.rows("odd") == tuple(sorted(rows.options[:2]))
    undo.click()
    undo.click()
    assert review.categories.empty
    undo.click()
    assert "nothing was assigned" in texts(box)
    ask.click()
    assert "rows of 2 kinds" in texts(box)
    keep.click()
    assert list((review.project.path / "evidence").rglob("collection_plan.csv"))
    assert "collection_plan" in review.project.evidence("refinement")


def test_nothing_to_explore():
    pytest.importorskip("ipywidgets")
    from ml_lifecycle.views import error_explorer

    X, y, _ = planted()
    box = error_explorer(ErrorReview(error_clusters(X, y, y)))
    assert "no errors" in texts(box)
    assert part(box, "Button", description="Keep the plan").layout.display == "none"


# in JupyterLab -------------------------------------------------------------------------------------------------------

@pytest.fixture
def lab(tmp_path):
    """The address of JupyterLab on an empty directory, with its app in reach of the page."""
    pytest.importorskip("jupyterlab")
    pytest.importorskip("ipywidgets")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root, own = tmp_path / "lab", tmp_path / "own"
    root.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser", f"--ServerApp.root_dir={root}",
         "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t",
         *_as_root()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**_environment(own), "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"), "OMP_NUM_THREADS": "1"})
    try:
        end = time.monotonic() + 60
        while True:
            assert time.monotonic() < end, "JupyterLab did not start"
            time.sleep(0.3)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=t", timeout=2).close()
                break
            except OSError:
                continue
        yield root, f"http://127.0.0.1:{port}/lab/tree/explorer.ipynb?token=t"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def write_notebook(root: Path) -> None:
    code = textwrap.dedent(f"""
        import numpy as np, pandas as pd
        from ml_lifecycle.refinement import ErrorReview, error_clusters
        from ml_lifecycle.views import error_explorer
        EVIL = {EVIL!r}
    """) + textwrap.dedent(PLANTED) + textwrap.dedent("""
        review = ErrorReview(error_clusters(X, y, said), project="project", X=X, y=y, pred_or_proba=said)
        error_explorer(review)
    """)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, root / "explorer.ipynb")


@pytest.mark.slow
def test_a_review_in_jupyterlab(lab, page):
    root, address = lab
    page.set_viewport_size({"width": 1300, "height": 1500})
    write_notebook(root)
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=60_000)
    page.wait_for_function("""() => {
        const book = window.jupyterapp && window.jupyterapp.shell.currentWidget
        const kernel = book && book.sessionContext && book.sessionContext.session && book.sessionContext.session.kernel
        return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle"
    }""", timeout=60_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    view = page.locator(".ml-lifecycle-explorer")
    view.wait_for(timeout=90_000)
    view.get_by_text("Where", exact=False).first.wait_for()
    assert view.locator("select").first.locator("option").count() == 3
    view.get_by_label("Category", exact=True).fill("evening crews")
    view.get_by_label("Note", exact=True).fill("ask for the roster")
    view.get_by_role("button", name="Assign").click()
    view.get_by_text("errors: evening crews.").wait_for()
    view.locator("select").first.select_option(index=1)
    view.get_by_text("UA").nth(1).wait_for()
    view.get_by_label("Category", exact=True).fill("morning")
    view.get_by_role("button", name="Assign").click()
    view.get_by_text("errors: morning.").wait_for()
    view.get_by_role("button", name="Undo").click()
    view.get_by_text("Taken back: morning").wait_for()
    view.get_by_role("button", name="Plan what to collect").click()
    view.get_by_text("First collect").first.wait_for()
    view.get_by_role("button", name="Keep the plan").click()
    view.get_by_text("Kept in the project").wait_for()
    box = view.bounding_box()
    assert view.evaluate("one => one.scrollWidth") <= box["width"] + 1
    X, y, said = planted()
    kept = ErrorReview(error_clusters(X, y, said), project=root / "project")
    assert list(kept.categories["category"]) == ["evening crews"]
    assert list(kept.clusters["note"]) == ["ask for the roster", ""]
    assert list((root / "project").rglob("collection_plan.csv"))
    assert not alerts
