"""Deployed environments as Prometheus text."""

from __future__ import annotations

from lb.telemetry.prometheus_deployed import render_deployed


def test_an_environment_and_its_instances() -> None:
    usage = {"memory": 1 << 20, "cpu": 1.5, "files": 0, "processes": 3, "restarts": 2, "last_cause": "exit status 3"}
    web1 = {"name": "web1", "requests": 3, "seconds": 0.25, "failures": 1, "in_flight": 2, "tunnels": 0, "usage": usage}
    text = render_deployed([("shop", "production", {"waiting": 4, "idle": 7, "instances": [web1]})]).decode()
    environment = 'app="shop",environment="production"'
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert samples == [
        f"lb_deployed_requests_waiting{{{environment}}} 4",
        f"lb_deployed_idle_seconds{{{environment}}} 7",
        f'lb_deployed_requests_total{{{environment},instance="web1"}} 3',
        f'lb_deployed_response_seconds_total{{{environment},instance="web1"}} 0.25',
        f'lb_deployed_failures_total{{{environment},instance="web1"}} 1',
        f'lb_deployed_requests_in_flight{{{environment},instance="web1"}} 2',
        f'lb_deployed_tunnels{{{environment},instance="web1"}} 0',
        f'lb_deployed_memory_bytes{{{environment},instance="web1"}} 1048576',
        f'lb_deployed_cpu_seconds_total{{{environment},instance="web1"}} 1.5',
        f'lb_deployed_files_bytes{{{environment},instance="web1"}} 0',
        f'lb_deployed_processes{{{environment},instance="web1"}} 3',
        f'lb_deployed_restarts_total{{{environment},instance="web1"}} 2',
    ]
    assert text.count("# TYPE") == len(samples)


def test_what_is_not_known_of_an_instance_is_left_out() -> None:
    web1 = {"name": "web1", "requests": 0, "seconds": 0.0, "failures": 0, "in_flight": 0, "tunnels": 0, "usage": None}
    assert (
        "memory_bytes{"
        not in render_deployed([("shop", "staging", {"waiting": 0, "idle": 0, "instances": [web1]})]).decode()
    )
    hidden = {"memory": 1, "cpu": 0.0, "files": -1, "processes": 1, "restarts": 0, "last_cause": ""}
    web1["usage"] = hidden
    text = render_deployed([("shop", "staging", {"waiting": 0, "idle": 0, "instances": [web1]})]).decode()
    assert "files_bytes{" not in text
    assert "memory_bytes{" in text


def test_without_deployed_apps_there_are_no_metrics_of_them() -> None:
    assert render_deployed([]) == b""
