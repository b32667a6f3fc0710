"""The manifests under deploy/kubernetes: rendered by kustomize, and validated by Kubernetes' schemas."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cli.main import COMMANDS
from core.settings import PREFIX, Settings

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "deploy" / "kubernetes"
OWN_KINDS = {"Kustomization", "Component"}

Resource = dict[str, Any]


def files() -> list[Path]:
    """The resource files, without those for kustomize."""
    return [file for file in sorted(MANIFESTS.glob("*/*.yaml")) if file.name != "kustomization.yaml"]


def resources() -> list[Resource]:
    return [resource for file in files() for resource in yaml.safe_load_all(file.read_text())]


@pytest.fixture(scope="module")
def rendered() -> list[Resource]:
    """The output of `kubectl kustomize` for the example."""
    if shutil.which("kubectl") is None:
        if os.environ.get("CI"):
            pytest.fail("kubectl is not installed")
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", str(MANIFESTS / "example")]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(made))


def named(resources: list[Resource], kind: str, name: str) -> Resource:
    [found] = [one for one in resources if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pods(resources: list[Resource]) -> dict[str, Resource]:
    """The pod specifications by the name of their resource."""
    makers = [one for one in resources if one["kind"] in ("Deployment", "Job")]
    return {maker["metadata"]["name"]: maker["spec"]["template"]["spec"] for maker in makers}


def without_schema(resource: Resource) -> bool:
    return resource["apiVersion"].startswith("keda.sh/")


def test_files_fit_the_schemas_of_kubernetes() -> None:
    for resource in filter(lambda one: not without_schema(one), resources()):
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_a_file_that_does_not_fit_is_found() -> None:
    broken = next(one for one in resources() if one["kind"] == "Deployment")
    broken["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


def test_rendered_example_fits_the_schemas_of_kubernetes(rendered: list[Resource]) -> None:
    for resource in filter(lambda one: not without_schema(one), rendered):
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_containers_run_commands_that_exist() -> None:
    for pod in pods(resources()).values():
        for container in pod["containers"]:
            program, command = container["command"][:2]
            assert (program, command in COMMANDS) == ("exemplar", True)


def test_pods_give_up_what_the_restricted_standard_forbids() -> None:
    for pod in pods(resources()).values():
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def test_settings_in_the_manifests_exist() -> None:
    text = "".join(file.read_text() for file in MANIFESTS.glob("*/*.yaml"))
    known = {f"{PREFIX}{name.upper()}{end}" for name in Settings.model_fields for end in ("", "_FILE")}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text)) <= known


def test_every_deployment_has_a_disruption_budget_and_the_labels_agree() -> None:
    found = resources()
    for deployment in [one for one in found if one["kind"] == "Deployment"]:
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        budget = named(found, "PodDisruptionBudget", deployment["metadata"]["name"])
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_keda_scales_a_deployment_by_a_metric_of_the_api(rendered: list[Resource]) -> None:
    scaled = named(rendered, "ScaledObject", "exemplar-worker")
    target = named(rendered, "Deployment", scaled["spec"]["scaleTargetRef"]["name"])
    assert "replicas" not in target["spec"], "both KEDA and the manifest would set the number of workers"
    encoder = target["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    metrics = (ROOT / "api" / "metrics.py").read_text()
    for trigger in scaled["spec"]["triggers"]:
        metric, asked = re.search(r'max\((\w+)\{encoder="(\w+)"', trigger["metadata"]["query"]).groups()
        assert f'"{metric}"' in metrics
        assert asked == encoder


def test_keda_gets_the_types_that_its_definition_of_the_resource_states(rendered: list[Resource]) -> None:
    spec = named(rendered, "ScaledObject", "exemplar-worker")["spec"]
    for trigger in spec["triggers"]:
        assert trigger["type"] and all(isinstance(value, str) for value in trigger["metadata"].values())
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    for rules in (behavior["scaleUp"], behavior["scaleDown"]):
        assert 0 <= rules["stabilizationWindowSeconds"] <= 3600
        for policy in rules["policies"]:
            assert policy["type"] in ("Percent", "Pods") and policy["value"] > 0
            assert 0 < policy["periodSeconds"] <= 1800
    counts = [
        spec[name] for name in ("minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod")
    ]
    assert all(isinstance(count, int) and count > 0 for count in counts) and counts[0] <= counts[1]


def test_images_are_targets_of_the_dockerfile(rendered: list[Resource]) -> None:
    targets = set(re.findall(r"^FROM base AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    used = {pod["containers"][0]["image"] for pod in pods(rendered).values()}
    assert {re.sub(r".*/exemplar-|:.*", "", image) for image in used} == targets


def test_only_gpu_workers_ask_for_a_gpu(rendered: list[Resource]) -> None:
    asked = {
        name: "nvidia.com/gpu" in pod["containers"][0]["resources"]["limits"]
        for name, pod in pods(rendered).items()
    }
    assert asked == {name: name == "exemplar-worker-gpu" for name in asked}
