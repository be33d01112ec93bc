"""Deployed environments as Prometheus text."""

from __future__ import annotations

from lb.telemetry.prometheus_deployed import render_deployed


def test_an_environment_and_its_instances() -> None:
    web1 = {"name": "web1", "requests": 3, "seconds": 0.25, "failures": 1, "in_flight": 2, "tunnels": 0}
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
    ]
    assert text.count("# TYPE") == len(samples)


def test_without_deployed_apps_there_are_no_metrics_of_them() -> None:
    assert render_deployed([]) == b""
