"""Limits of control groups, in hand-made trees of both versions."""

import pytest

from prisam_p2p.system.cgroups import memory_left, tasks_left


@pytest.fixture
def tree(tmp_path):
    """Return what writes a group's files, and where this process is said to be."""

    def write(group, **files):
        folder = tmp_path / "root" / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(f"{text}\n")

    def left(membership, of=memory_left):
        (tmp_path / "cgroup").write_text(membership)
        return of(tmp_path / "root", tmp_path / "cgroup")

    return write, left


def test_version_2_counts_what_the_kernel_takes_back(tree):
    write, left = tree
    stat = "anon 500\ninactive_file 100\nactive_file 50"
    write("a", memory__max=1000, memory__current=700, memory__stat=stat)
    assert left("0::/a\n") == 1000 - 700 + 150


def test_version_1(tree):
    write, left = tree
    stat = "total_inactive_file 30\ntotal_active_file 20\ninactive_file 9"
    write(
        "memory/a",
        memory__limit_in_bytes=1000,
        memory__usage_in_bytes=400,
        memory__stat=stat,
    )
    assert left("5:cpu:/a\n4:memory:/a\n0::/\n") == 650


def test_the_tightest_group_on_the_way_up_holds(tree):
    write, left = tree
    for group, limit in (("", "max"), ("a", 500), ("a/b", 2000)):
        write(group, memory__max=limit, memory__current=100, memory__stat="")
    assert left("0::/a/b\n") == 400


def test_without_limits_or_groups_nothing_is_known(tree):
    write, left = tree
    assert left("") is None
    assert left("0::/gone\n") is None
    write("a", memory__max="max", memory__current=1, memory__stat="")
    assert left("0::/a\n") is None
    most = 9223372036854771712
    write("memory/a", memory__limit_in_bytes=most, memory__usage_in_bytes=1, memory__stat="")
    assert left("4:memory:/a\n") is None


def test_a_container_sees_its_own_group_as_the_root(tree):
    write, left = tree
    write("", memory__max=300, memory__current=100, memory__stat="")
    assert left("0::/outside/of/here\n") == 200


def test_a_group_over_its_limit_grants_nothing(tree):
    write, left = tree
    write("a", memory__max=100, memory__current=200, memory__stat="")
    assert left("0::/a\n") == 0


def test_processes_of_both_versions(tree):
    write, left = tree
    write("a", pids__max=100, pids__current=40)
    write("pids/c", pids__max=50, pids__current=20)
    assert left("0::/a\n", tasks_left) == 60
    assert left("3:pids:/c\n0::/a\n", tasks_left) == 30
    write("a", pids__max="max", pids__current=40)
    assert left("0::/a\n", tasks_left) is None
