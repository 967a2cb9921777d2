"""The statistics and tables of the benchmarks."""

from __future__ import annotations

import pytest
from figures import Sample, grown, of, quantile, section, summary, table, with_section
from throughput import SERVICE, cpu_by_service, seconds_of, service_of


def sample(cluster="a", workload="w", tasks=10, seconds=5.0, waits=(1.0,), **more):
    return Sample(cluster, workload, tasks, seconds, waits, **more)


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ([3.0], 0.95, 3.0),
        ([1.0, 3.0], 0.5, 2.0),
        ([5.0, 1.0, 3.0], 0.5, 3.0),
        (list(map(float, range(101))), 0.95, 95.0),
        ([0.0, 10.0], 0.95, 9.5),
        ([1.0, 2.0, 3.0], 1.0, 3.0),
        ([1.0, 2.0, 3.0], 0.0, 1.0),
    ],
)
def test_quantiles_lie_on_the_line_between_two_values(values, share, found):
    assert quantile(values, share) == pytest.approx(found)


def test_nothing_has_no_quantile():
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_counter_that_began_again_counts_from_nothing():
    before, after = {"kept": 5.0, "restarted": 9.0, "gone": 1.0}, {"kept": 7.0, "restarted": 2.0, "new": 3.0}
    assert grown(before, after) == {"kept": 2.0, "restarted": 2.0, "new": 3.0}


def test_a_summary_has_the_middle_of_each_figure():
    samples = [
        sample(seconds=5.0, waits=(1.0, 3.0), cpu={"worker": 4.0}, statements=100, sessions=10),
        sample(seconds=2.0, waits=(2.0, 2.0), cpu={"worker": 2.0, "haproxy": 1.0}, statements=300, sessions=30),
        sample(seconds=10.0, waits=(9.0, 9.0), cpu={"worker": 9.0, "haproxy": 3.0}, statements=200, sessions=20),
    ]
    found = summary(samples)
    assert (found.runs, found.rate, found.wait) == (3, 2.0, 2.0)
    assert found.cpu == pytest.approx(0.4)
    assert found.by_service == {"haproxy": 0.1, "worker": 0.4}
    assert (found.statements, found.sessions) == (20.0, 2.0)


def test_the_late_ones_are_those_of_each_run_and_not_of_all():
    quick, slow = sample(waits=tuple([1.0] * 20)), sample(waits=tuple([1.0] * 10 + [50.0] * 10))
    assert summary([quick, quick, slow]).late == 1.0
    assert summary([quick, slow, slow]).late == 50.0


def test_no_samples_have_no_summary():
    with pytest.raises(ValueError, match="no samples"):
        summary(of([sample()], "b", "w"))


def test_samples_are_chosen_by_cluster_and_workload():
    samples = [sample(), sample(cluster="b"), sample(workload="v")]
    assert of(samples, "a", "w") == samples[:1]


def test_a_table():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_section_is_replaced_where_it_stands_and_added_where_there_is_none():
    page = with_section("# Title\n\nText.\n", "tasks", "first")
    assert page == "# Title\n\nText.\n\n<!-- tasks: begin -->\n\nfirst\n\n<!-- tasks: end -->\n"
    more = page + "\nMore.\n"
    again = with_section(more, "tasks", "second\n")
    assert again == more.replace("first", "second")
    assert section(again, "tasks") == "second"
    assert section(again, "other") == ""


def test_processor_time_is_that_of_services_checks_and_the_rest():
    before = {
        "master1/.": 100.0,
        "master1/airflow.slice": 50.0,
        "master1/airflow.slice/airflow-scheduler.service": 30.0,
        "worker1/.": 10.0,
        "worker1/airflow.slice": 5.0,
        "worker1/airflow.slice/airflow-worker@default.service": 5.0,
        "db1/.": 10.0,
        "db1/system.slice/system-postgresql.slice/postgresql@15-main.service": 9.0,
    }
    after = {name: seconds + {"master1/.": 4.0, "worker1/.": 8.0}.get(name, 3.0) for name, seconds in before.items()}
    after["master1/airflow.slice/airflow-scheduler.service"] -= 1.0
    # Its count was made a moment later than that of its slice.
    after["worker1/airflow.slice/airflow-worker@default.service"] += 0.001
    assert cpu_by_service(grown(before, after)) == pytest.approx(
        {"scheduler": 2.0, "worker": 3.001, "postgresql": 3.0, "checks": 0.999, "other": 6.0}
    )


@pytest.mark.parametrize(
    ("unit", "service"),
    [
        ("airflow-worker@default.service", "worker"),
        ("worker.service", "worker"),
        ("airflow-api-server.service", "api-server"),
        ("rabbitmq-server.service", "rabbitmq"),
        ("postgresql@15-main.service", "postgresql"),
        ("haproxy.service", "haproxy"),
    ],
)
def test_a_unit_has_the_same_name_on_both_clusters(unit, service):
    assert SERVICE.match(unit)
    assert service_of(unit) == service


@pytest.mark.parametrize("unit", ["airflow-watchdog@airflow-worker@default.service", "dbus.service"])
def test_what_is_no_service_of_the_cluster_is_no_row(unit):
    assert not SERVICE.match(unit)


def test_runs_that_follow_each_other_leave_out_the_time_between_them():
    begins, ends = {"a": 10.0, "b": 20.0}, [("a", 11.0), ("a", 12.0), ("b", 21.0)]
    assert seconds_of(begins, ends, one_by_one=True) == 3.0
    assert seconds_of(begins, ends, one_by_one=False) == 11.0
