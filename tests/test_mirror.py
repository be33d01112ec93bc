"""`tests/` mirrors `lb/`: whoever changes a module finds its tests by the module's name, and so does `make near`."""

from __future__ import annotations

from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
ROOT = TOP / "lb"

# Modules without a test file of their own, each with its reason. Nothing that decides anything belongs here.
WITHOUT: dict[str, str] = {
    "__main__.py": "calls the command line, which tests/cli starts as it does",
    "importing/source_line.py": "the place of a line, which every test of an import looks at",
    "config/base.py": "a base class without a line of its own; test_model looks at what it sets",
    "process/start_error.py": "the name of one exception",
    "proxy/downstream.py": "a base type: every dialogue is about what derives from it",
    "proxy/handler.py": "a base type: test_states walks every event of it",
    "routing/compression.py": "a record of what test_compile compiles",
    "routing/route_extras.py": "a record of what test_compile_routes compiles",
    "routing/route.py": "a record of what test_compile compiles",
}

# Test files that prove several modules together, because these only do their work together.
TOGETHER: dict[str, tuple[str, ...]] = {
    "apps/build/test_builder.py": (
        "apps/build/environment.py",
        "apps/build/environments.py",
        "apps/build/install_folder.py",
        "apps/build/installer.py",
        "apps/build/servers.py",
        "apps/build/settings.py",
        "apps/build/system_packages.py",
        "apps/build/system_step.py",
        "apps/build/wanted_python.py",
    ),
    "apps/build/test_steps.py": (
        "apps/build/processes.py",
        "apps/build/step_child.py",
    ),
    "apps/project/test_detect.py": (
        "apps/project/application.py",
        "apps/project/serving.py",
        "apps/project/start.py",
    ),
    "apps/project/test_manifest.py": (
        "apps/project/errors.py",
        "apps/project/manifest_values.py",
    ),
    "apps/project/test_reference.py": ("apps/project/system_dependencies.py",),
    "apps/run/test_instance.py": ("apps/run/order.py",),
    "apps/run/test_log_files.py": ("apps/run/log_writer.py",),
    "apps/run/test_shim.py": (
        "apps/run/shim_child.py",
        "apps/run/shim_client.py",
        "apps/run/shim_control.py",
        "apps/run/shim_start.py",
    ),
    "apps/service/test_api.py": ("apps/service/engine_socket.py",),
    "apps/service/test_deploy.py": (
        "apps/service/parts.py",
        "apps/service/reconciler.py",
        "apps/service/replacement.py",
        "apps/service/retirement.py",
        "apps/service/rollout.py",
    ),
    "apps/service/test_killed.py": ("apps/service/recovery.py",),
    "apps/service/test_sleeper.py": ("apps/service/door_figures.py",),
    "cli/test_demo.py": (
        "cli/demo_engine.py",
        "cli/demo_service.py",
    ),
    "cli/test_import_configuration.py": ("importing/omissions.py",),
    "cli/test_projects.py": (
        "cli/doctor.py",
        "cli/env.py",
        "cli/init.py",
        "cli/up.py",
    ),
    "importing/caddy/test_read.py": (
        "importing/caddy/answers.py",
        "importing/caddy/blocks.py",
        "importing/caddy/changes.py",
        "importing/caddy/fields.py",
        "importing/caddy/files.py",
        "importing/caddy/matchers.py",
        "importing/caddy/options.py",
        "importing/caddy/placeholders.py",
        "importing/caddy/proxies.py",
        "importing/caddy/sites.py",
    ),
    "importing/nginx/test_read.py": (
        "importing/nginx/answers.py",
        "importing/nginx/fields.py",
        "importing/nginx/files.py",
        "importing/nginx/left_out.py",
        "importing/nginx/limits.py",
        "importing/nginx/pages.py",
        "importing/nginx/scope.py",
    ),
    "importing/nginx/test_guards.py": ("importing/judges.py",),
    "importing/nginx/test_servers.py": (
        "importing/assemble.py",
        "importing/nginx/names.py",
    ),
    "importing/test_fuzz.py": (
        "importing/draft.py",
        "importing/import_file.py",
    ),
    "importing/traefik/test_read.py": (
        "importing/traefik/compose_file.py",
        "importing/traefik/middlewares.py",
        "importing/traefik/routers.py",
        "importing/traefik/services.py",
        "importing/traefik/settings_tree.py",
        "importing/traefik/static.py",
    ),
    "e2e/apps/test_deployed_door.py": (
        "health/deployments.py",
        "health/engine_link.py",
    ),
    "e2e/apps/test_deploying.py": (
        "apps/service/app_commands.py",
        "apps/service/app_releases.py",
        "apps/service/deploy_commands.py",
        "apps/service/deployed_app.py",
        "apps/service/look_commands.py",
        "apps/service/machine.py",
        "apps/service/views.py",
        "cli/apps.py",
        "cli/deploy.py",
        "cli/engine_client.py",
        "cli/engine_plumbing.py",
        "cli/following.py",
        "cli/lifecycle.py",
        "cli/logs.py",
        "cli/releases.py",
        "cli/run.py",
    ),
    "e2e/apps/test_engine_and_door.py": (
        "apps/service/engine_service.py",
        "apps/service/environment_unit.py",
        "cli/engine.py",
    ),
    "e2e/apps/test_engine_beginning.py": (
        "apps/service/main.py",
        "cli/engine_start.py",
    ),
    "cli/test_check_reload.py": ("apps/service/reload_question.py",),
    "e2e/apps/test_templates.py": ("cli/ps.py",),
    "e2e/test_http2.py": (
        "proxy/http2/beginning.py",
        "proxy/http2/control_frames.py",
        "proxy/http2/session.py",
    ),
    "e2e/test_http2_flow.py": (
        "proxy/http2/flow.py",
        "proxy/http2/sender.py",
        "proxy/http2/stream.py",
    ),
    "e2e/test_on_demand.py": ("proxy/http1/handshake.py",),
    "e2e/test_basic_auth.py": ("proxy/guards/password_guard.py",),
    "e2e/test_forward_auth.py": ("proxy/guards/service_guard.py",),
    "proxy/guards/test_gate.py": (
        "proxy/guards/guarded.py",
        "proxy/guards/services.py",
        "routing/auth_rules.py",
    ),
}
PROVEN_ELSEWHERE = {module: test for test, modules in TOGETHER.items() for module in modules}

MODULES = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*")
    if path.suffix in (".py", ".pyx") and path.name != "__init__.py" and path.with_suffix(".py").exists()
)


def files_of(module: Path) -> list[Path]:
    """`test_NAME.py` in the same place, or `test_NAME_TOPIC.py`."""
    folder = TOP / "tests" / module.parent
    name = module.stem.strip("_")
    return [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]


@pytest.mark.parametrize("module", [module for module in MODULES if module.suffix == ".py"], ids=str)
def test_each_module_has_a_test_file_of_its_name(module: Path) -> None:
    if module.as_posix() in WITHOUT:
        assert not files_of(module), "it has one: take it out of the table"
    elif module.as_posix() in PROVEN_ELSEWHERE:
        assert not files_of(module), "it has one: take it out of the table"
        assert (TOP / "tests" / PROVEN_ELSEWHERE[module.as_posix()]).exists()
    else:
        assert files_of(module), f"write tests/{module.parent}/test_{module.stem.strip('_')}.py"


def test_the_table_is_small_and_names_what_is_there() -> None:
    assert all((ROOT / name).exists() for name in (*WITHOUT, *PROVEN_ELSEWHERE))
    assert len(PROVEN_ELSEWHERE) == sum(map(len, TOGETHER.values())), "a module stands in the table twice"
    assert all(WITHOUT.values())
    assert len(WITHOUT) <= 10
