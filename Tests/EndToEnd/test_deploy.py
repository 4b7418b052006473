"""What is in deploy/ fits the binary: its metrics, its policy and its command line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from authority import Authority
from conftest import StartGateway
from processes import HERE, ROOT, Process, eventually, one_pool, request
from sockets import closed_address

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus-rules.yaml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
OPERATING = (ROOT / "docs/operating.md").read_text()

METRIC = re.compile(r"\b(?:penstock|process)_[a-z0-9_]+\b")
# Rules name the series that they record with colons, which no metric of the gateway's has.
RECORDED = re.compile(r"\b[a-z]+:[a-z0-9_:]+")


def strings(value: Any, key: str) -> Iterator[str]:
    """All strings under `key`, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, str):
                yield inner
            else:
                yield from strings(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


def named_metrics() -> dict[str, set[str]]:
    """The metrics that each file asks for."""
    rules = list(strings(yaml.safe_load(RULES.read_text()), "expr"))
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [*strings(dashboard, "expr"), *strings(dashboard, "query")]
    return {
        path.name: {
            name for text in texts for name in METRIC.findall(RECORDED.sub("", text))
        }
        for path, texts in ((RULES, rules), (DASHBOARD, queries))
    }


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_metrics_exist(gateway: StartGateway, tmp_path: Path, path: Path) -> None:
    """Every metric that a rule or panel asks for is in a gateway's /metrics from its first scrape on, if only by its type."""
    Authority(tmp_path).issue("own", "DNS:a.example")
    listen = f"{{address: '127.0.0.1:0', tls: {{certificates: [{{certificate_file: {tmp_path}/own.pem, "
    listen += f"key_file: {tmp_path}/own.key}}]}}}}"
    found = "pools:\n  found: {backends: {file: /nowhere/backends.json}}\n"
    policy = one_pool(closed_address(), listen=listen).replace("pools:\n", found)
    policy = policy.replace("    limit:", "    affinity: {by: prefix}\n    bytes_per_second: 1MiB\n    workers: {}\n    limit:")
    (tmp_path / "workers.keys").touch(0o600)
    policy += f"workers: {{listen: '127.0.0.1:0', keys: {tmp_path}/workers.keys}}\n"
    policy += "bulk: {path: /bulk, class: default}\n"
    topic = "name: questions, topic: asked, group: g, results: answered, class: default"
    policy += f"topics: [{{{topic}, brokers: ['{urlsplit(closed_address()).netloc}']}}]\n"
    through = gateway(policy)
    shown = {sample.name for sample in through.metrics()}
    shown |= set(re.findall(r"^# TYPE (\S+)", request(through.admin_url, "/metrics").body.decode(), re.M))
    wanted = named_metrics()[path.name]
    assert len(wanted) > 5
    assert wanted <= shown, f"not in /metrics: {sorted(wanted - shown)}"


# What says something to whoever looks for a fault in the gateway itself, and nothing to who operates it.
NOT_SHOWN = {"penstock_timers", "process_virtual_memory_bytes"}


def test_every_metric_has_a_panel() -> None:
    """What the gateway counts can be looked at."""
    families = set(re.findall(r"^\| `((?:penstock|process)_\w+)` \|", OPERATING, re.M))
    assert len(families) > 50
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named_metrics()[DASHBOARD.name]}
    assert families - asked == NOT_SHOWN


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_queries_parse(tmp_path: Path) -> None:
    """Prometheus understands what each panel and each annotation asks for."""
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [re.sub(r"\$__\w+", "5m", text) for text in strings(dashboard, "expr")]
    rules = tmp_path / "queries.yaml"
    for extra, is_good in ([], True), (["sum by (pool"], False):
        group = [{"record": f"query:{place}", "expr": text} for place, text in enumerate(queries + extra)]
        rules.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": group}]}))
        ended = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, timeout=30, check=False)
        assert (ended.returncode == 0) == is_good, ended.stdout + ended.stderr


def test_dashboard_is_sound() -> None:
    """Panels have different ids, and every variable that a query uses is defined."""
    dashboard = json.loads(DASHBOARD.read_text())
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(x, place["y"] + dy) for place in places for x in range(place["x"], place["x"] + place["w"]) for dy in range(place["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "panels lie over each other"
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = {
        name
        for text in [*strings(dashboard, "expr"), *strings(dashboard, "uid")]
        for name in re.findall(r"\$\{?([a-z]\w*)", text)
    }
    assert used and used <= defined


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize("arguments", [["check", str(RULES)], ["test", "prometheus_rules_test.yaml"]])
def test_alert_rules(arguments: list[str]) -> None:
    """The rules parse, fire when they should and are silent when all is well."""
    command = ["promtool", arguments[0], "rules", arguments[1]]
    ended = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_is_tested() -> None:
    """No alert without a case in which it fires and one in which it does not."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    good, *bad = yaml.safe_load((HERE / "prometheus_rules_test.yaml").read_text())["tests"]
    assert {case["alertname"] for case in good["alert_rule_test"]} == alerts
    fired = [sample for day in bad for case in day["promql_expr_test"] for sample in case["exp_samples"]]
    assert {name for sample in fired for name in re.findall(r'alertname="(\w+)"', sample["labels"])} == alerts


def table(heading: str, start: str) -> dict[str, list[str]]:
    """The table of operating.md below the heading whose first row begins so: rows by their first cell."""
    below = OPERATING.split(f"\n{heading}\n", 1)[1]
    rows = below[below.index(f"\n| {start} |"):].split("\n\n", 1)[0].splitlines()[3:]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    return {first.strip("`"): rest for first, *rest in cells}


def test_every_alert_is_described() -> None:
    """The page has each alert with its severity, and something to do about it."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {
        rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"] if "alert" in rule
    }
    described = table("### What to do", "alert")
    assert {name: cells[0] for name, cells in described.items()} == alerts
    assert all(len(cells[1]) > 20 for cells in described.values())


def test_every_reason_counts_as_something() -> None:
    """A request that ends with a reason is good, bad, refused or the client's own doing; the rules say what the page says."""
    kinds = {
        kind: set(re.findall(r"`(\w+)`", cells[0])) for kind, cells in table("### Objectives", "a request is").items()
    }
    assert list(kinds) == ["good", "bad", "refused, and not counted", "the client's own doing, and not counted"]
    good, bad, refused, own = kinds.values()
    assert good == {"none"} and not refused & own and not (refused | own) & bad
    assert good | bad | refused | own == set(table("## Reasons", "reason"))
    (rules,) = [group for group in yaml.safe_load(RULES.read_text())["groups"] if group["name"] == "penstock-objectives"]
    counted, failed = [
        set(re.findall(r'reason=~"([^"]+)"', rule["expr"])[0].split("|"))
        for rule in rules["rules"] if rule.get("labels", {}).get("slo") == "availability" and "reason=~" in rule["expr"]
    ]
    assert counted == bad and failed == bad - good
    # The bound of the first token's objective is one of the histogram's, which the golden text of the metrics has.
    (bound,) = re.findall(r'le=~"(\d+)\(', RULES.read_text())
    golden = (ROOT / "Tests/GatewayTests/Telemetry/ObservabilityGoldenText+Models.swift").read_text()
    assert re.search(rf'penstock_time_to_first_token_seconds_bucket{{[^}}]*le="{bound}(\.0)?"', golden)
    assert f"after more than {bound} s" in OPERATING


MANIFESTS = ["kubernetes.yaml", "kubernetes/gateway.yaml"]


def kubernetes(kind: str, file: str = "kubernetes.yaml") -> dict[str, Any]:
    """The one object of `kind` in the manifests."""
    objects = yaml.safe_load_all((DEPLOY / file).read_text())
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


@pytest.mark.parametrize("file", MANIFESTS)
def test_kubernetes_policy(penstock: Path, tmp_path: Path, file: str) -> None:
    """The policy in the ConfigMap is valid, and its ports and times are the pod's."""
    text = kubernetes("ConfigMap", file)["data"]["policy.yaml"]
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    subprocess.run([penstock, "check", str(path)], timeout=20, check=True)
    policy = yaml.safe_load(text)
    pod = kubernetes("Deployment", file)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert policy["listen"].endswith(f":{ports['http']}")
    assert policy["admin"]["address"].endswith(f":{ports['admin']}")
    delay, drain = (int(policy["server"][key].removesuffix("s")) for key in ("drain_delay", "drain_timeout"))
    readiness = container["readinessProbe"]
    # Long enough for it to be seen that the pod is not ready, and for the nodes to hear of it.
    assert delay > readiness["periodSeconds"] + readiness["timeoutSeconds"] and "lifecycle" not in container
    assert pod["terminationGracePeriodSeconds"] >= delay + drain + 5
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("file", MANIFESTS)
def test_kubernetes_gateways_share(file: str) -> None:
    """The gateways know how many they are."""
    policy = yaml.safe_load(kubernetes("ConfigMap", file)["data"]["policy.yaml"])
    shared = {pool["limit"]["replicas"] for pool in policy["pools"].values()}
    assert shared == {kubernetes("Deployment", file)["spec"]["replicas"]}


def test_kubernetes_role() -> None:
    """The gateway that asks the API server may do so, in the name that it asks in, and nothing else."""
    file = "kubernetes/role.yaml"
    (rule,) = kubernetes("Role", file)["rules"]
    assert rule == {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    account = kubernetes("ServiceAccount", file)["metadata"]["name"]
    binding = kubernetes("RoleBinding", file)
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert binding["roleRef"]["name"] == kubernetes("Role", file)["metadata"]["name"]
    pod = kubernetes("Deployment", "kubernetes/gateway.yaml")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account and pod["automountServiceAccountToken"] is True
    # Those that do not ask have no token.
    assert kubernetes("Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("file", MANIFESTS)
def test_kubernetes_memory_suffices(penstock: Path, tmp_path: Path, file: str) -> None:
    """What the threads may hold at once fits into the container's limit, and as much again does."""
    path = tmp_path / "policy.yaml"
    path.write_text(kubernetes("ConfigMap", file)["data"]["policy.yaml"])
    ended = subprocess.run(
        [penstock, "check", "--dump", str(path)], capture_output=True, text=True, timeout=20, check=True
    )
    policy = yaml.safe_load(ended.stdout)
    assert not any(route["models"] for route in policy["routes"]), "held bodies count as well"
    server = policy["server"]
    held = [server["body_before_queue_total"], server["buffer"]["responses_total"]]
    mebibytes = policy["threads"] * sum(int(size.removesuffix("MiB")) for size in held)
    (container,) = kubernetes("Deployment", file)["spec"]["template"]["spec"]["containers"]
    assert int(container["resources"]["limits"]["memory"].removesuffix("Mi")) >= 2 * mebibytes


def scaling(file: str) -> tuple[dict[str, Any], str]:
    """The one object of a manifest for autoscalers, and its text."""
    text = (DEPLOY / "scaling" / file).read_text()
    return yaml.safe_load(text), text


# What the two kinds of objects may have, as KEDA 2.20 and Kubernetes 1.35 document them.
SCALED_OBJECT = {
    "scaleTargetRef", "pollingInterval", "cooldownPeriod", "initialCooldownPeriod", "idleReplicaCount",
    "minReplicaCount", "maxReplicaCount", "fallback", "advanced", "triggers",
}
TRIGGER = {"type", "name", "metadata", "authenticationRef", "metricType", "useCachedMetrics"}
AUTOSCALER = {"scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior"}
BEHAVIOR = {"stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"}


def check_behavior(behavior: dict[str, Any]) -> None:
    """Up at once, and down by the highest number of ten minutes: what scenarios I1 to I4 judge."""
    assert set(behavior) == {"scaleUp", "scaleDown"}
    assert all(set(rules) <= BEHAVIOR for rules in behavior.values())
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 600


def test_scaled_object_asks_for_what_there_is(gateway: StartGateway) -> None:
    """KEDA's object has known fields, and both of its triggers ask for what a gateway answers."""
    scaled, text = scaling("keda.yaml")
    assert (scaled["apiVersion"], scaled["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    spec = scaled["spec"]
    assert set(spec) <= SCALED_OBJECT and 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
    check_behavior(spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"])
    (trigger,) = spec["triggers"]
    # The other one is a comment, and has to be as good.
    other = "\n".join(line.removeprefix("    # ") for line in text.splitlines() if line.startswith("    # "))
    (direct,) = yaml.safe_load(other[other.index("- type: metrics-api"):])
    for each in (trigger, direct):
        assert set(each) <= TRIGGER and each["metricType"] == "AverageValue"
        assert all(isinstance(value, str) for value in each["metadata"].values())
    assert direct["metadata"]["aggregationType"] == "sum"
    assert trigger["metadata"]["threshold"] == direct["metadata"]["targetValue"] == "1"
    through = gateway(one_pool(closed_address()))
    found = re.fullmatch(r"sum\((\w+)\{pool=\"(\w+)\"\}\)", trigger["metadata"]["query"])
    assert found and [sample.labels for sample in through.metrics() if sample.name == found[1]] == [{"pool": found[2]}]
    answer = request(through.admin_url, urlsplit(direct["metadata"]["url"]).path)
    assert answer.status == 200 and isinstance(answer.json()[direct["metadata"]["valueLocation"]], float)


def test_scaled_object_of_topics_asks_for_what_is_documented() -> None:
    """The same of the object for topics: its metric is one that pages have."""
    scaled, _ = scaling("kafka.yaml")
    spec = scaled["spec"]
    assert set(spec) <= SCALED_OBJECT and 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
    check_behavior(spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"])
    (trigger,) = spec["triggers"]
    assert set(trigger) <= TRIGGER and trigger["metricType"] == "AverageValue"
    found = re.fullmatch(r"sum\((\w+)\{topic=\"questions\"\}\)", trigger["metadata"]["query"])
    assert found and f"| `{found[1]}` | gauge | `topic`, `partition` |" in (ROOT / "docs/operating.md").read_text()


def test_autoscaler_asks_for_what_there_is(gateway: StartGateway) -> None:
    """The same of Kubernetes' own object, and of the rule in its comment."""
    scaled, text = scaling("hpa.yaml")
    assert (scaled["apiVersion"], scaled["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    spec = scaled["spec"]
    assert set(spec) == AUTOSCALER and 1 <= spec["minReplicas"] <= spec["maxReplicas"]
    check_behavior(spec["behavior"])
    (metric,) = spec["metrics"]
    external = metric["external"]
    assert metric["type"] == "External" and external["target"] == {"type": "AverageValue", "averageValue": "1"}
    rules = "\n".join(line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   "))
    (rule,) = yaml.safe_load(rules)["externalRules"]
    name = external["metric"]["name"]
    assert rule["name"]["as"] == rule["seriesQuery"] == name and f"sum({name}{{" in rule["metricsQuery"]
    through = gateway(one_pool(closed_address()))
    labels = [sample.labels for sample in through.metrics() if sample.name == name]
    assert labels == [external["metric"]["selector"]["matchLabels"]]


def swap(volume: Path, version: str, policy: str) -> None:
    """What the kubelet does when a ConfigMap has changed: another directory, and a link that is renamed."""
    (volume / version).mkdir()
    (volume / version / "policy.yaml").write_text(policy)
    (volume / "..data_tmp").symlink_to(version)
    (volume / "..data_tmp").rename(volume / "..data")


@pytest.mark.parametrize("file", MANIFESTS)
def test_kubernetes_reloads(penstock: Path, tmp_path: Path, file: str) -> None:
    """A changed ConfigMap is put in force without anybody's help, and one that is not valid is told."""
    text = kubernetes("ConfigMap", file)["data"]["policy.yaml"]
    assert yaml.safe_load(text)["reload"] == {"watch": True}
    # The same on this machine, without an API server.
    text = text.replace("0.0.0.0:8080", "127.0.0.1:0").replace("0.0.0.0:9090", "127.0.0.1:0")
    text = text.replace("{kubernetes: {service: model, port: http}}", "[http://127.0.0.1:1]")
    swap(tmp_path, "..1", text)
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    through = Process([str(penstock), "serve", "--policy", str(tmp_path / "policy.yaml")])

    def says(message: str) -> None:
        eventually(lambda: any(message in line for line in through.errors), message)

    try:
        says("listening")
        swap(tmp_path, "..2", text.replace("max: 256", "max: 255"))
        says("policy reloaded")
        swap(tmp_path, "..3", "version: 1\n")
        says("policy invalid")
    finally:
        through.kill()


def test_commands_exist(penstock: Path) -> None:
    """The unit, the image and the manifests start the binary with arguments that it has."""
    unit = (DEPLOY / "penstock.service").read_text()
    image = (DEPLOY / "Dockerfile").read_text()
    (container,) = kubernetes("Deployment")["spec"]["template"]["spec"]["containers"]
    arguments = ["serve", "--policy", "/etc/penstock/policy.yaml"]
    assert f"ExecStart=/usr/bin/penstock {' '.join(arguments)}" in unit
    assert f"CMD {json.dumps(arguments)}" in image
    assert container["args"] == arguments
    ended = subprocess.run(
        [penstock, "help", "serve"], capture_output=True, text=True, timeout=20, check=True
    )
    assert "--policy" in ended.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_units_are_sound(penstock: Path, tmp_path: Path) -> None:
    """systemd understands every line of the units."""
    units = [tmp_path / "penstock.service", tmp_path / "penstock.socket"]
    for unit in units:
        unit.write_text((DEPLOY / unit.name).read_text().replace("/usr/bin/penstock", str(penstock)))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0 and "penstock." not in ended.stderr, ended.stderr
    units[1].write_text(units[1].read_text() + "[Socket]\nBacklogs=1\n")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "penstock.socket" in ended.stderr


@pytest.mark.parametrize("script", ["quickstart.sh", "test.sh", "test-long.sh", "packages.sh", "package.sh"])
def test_scripts_parse(script: str) -> None:
    """bash can read them."""
    subprocess.run(["bash", "-n", str(DEPLOY / script)], timeout=10, check=True)
