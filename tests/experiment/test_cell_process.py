from hand_cells import RING, cell

from prisam_p2p.experiment.cell_process import launch_arguments


def test_the_settings_of_a_cell_become_options_of_launch(tmp_path):
    arguments = launch_arguments(cell(turns=False, bn_recalibration=True), tmp_path)
    assert arguments == [
        *("launch", str(RING), "--rounds", "2", "--no-turns", "--bn-recalibration"),
        *("--baseline", "none", "--run-dir", str(tmp_path)),
    ]
