"""The notebook that `prisam init` writes: every cell runs in a kernel, as a user would run it."""

import nbformat
import pytest
from nbclient import NotebookClient

import prisam_p2p as pp
from prisam_p2p.new_project import write_project

pytestmark = pytest.mark.network

A_CELL_TAKES_S = 120


@pytest.fixture
def executed(tmp_path):
    """Return the folder of a new project, and the notebook in it with what its cells put out."""
    write_project(tmp_path / "mine")
    notebook = nbformat.read(tmp_path / "mine" / "my_notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    with pytest.MonkeyPatch.context() as patch:  # Jupyter's own files, too
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path / name.lower()))
        place = {"metadata": {"path": str(tmp_path / "mine")}}
        NotebookClient(notebook, timeout=A_CELL_TAKES_S, resources=place).execute()
    return tmp_path / "mine", [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    return "".join(out.text for out in cell.outputs if out.get("name") == "stdout")


def html(cell):
    (shown,) = [out for out in cell.outputs if out.output_type != "stream"]
    assert shown.data["text/plain"].strip()
    return shown.data["text/html"]


def test_its_cells_show_what_the_runs_of_the_projects_code_hold(executed):
    folder, (launched, results, masks, sent, compared) = executed
    runs = [pp.load_run(path) for path in (folder / "runs").iterdir()]
    assert len(runs) == 2
    assert all(run.name in html(compared) for run in runs)
    (run,) = [run for run in runs if run.baseline]
    assert run.name in html(launched)
    assert run.summary.headline in printed(results)
    assert "data groups [0, 0, 0, 1, 1, 1]\n" in printed(masks)
    assert f"{run.bytes.rows[0]['wire']:,} bytes" in printed(sent)
    assert [(run.summary.status, run.broken) for run in runs] == [("completed", [])] * 2
    code = sorted(sorted(run.plan["code"]) for run in runs)
    assert code == [["algorithm", "dataset", "model"], ["dataset", "model"]]
