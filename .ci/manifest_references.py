"""What refers to something in Kubernetes' objects must find it: Kubernetes itself accepts nearly all of this."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

WORKLOADS = {"StatefulSet", "Deployment", "Job"}
PROBES = ["startupProbe", "readinessProbe", "livenessProbe"]


def faults(objects: list[Object]) -> Iterator[str]:
    """Says what is not found, of objects that are deployed together."""
    checks = {
        "StatefulSet": stateful_set_faults,
        "Deployment": deployment_faults,
        "Service": service_faults,
        "NetworkPolicy": policy_faults,
        "HorizontalPodAutoscaler": autoscaler_faults,
        "PodDisruptionBudget": budget_faults,
        "PodMonitoring": monitoring_faults,
    }
    for each in objects:
        title = f"{each['kind']} {each['metadata']['name']}"
        found = list(checks[each["kind"]](each, objects)) if each["kind"] in checks else []
        if each["kind"] in WORKLOADS:
            found += pod_faults(each, objects)
        yield from (f"{title}: {fault}" for fault in found)


def pod_spec(each: Object) -> Object:
    """The pods that an object makes, empty for one that makes none."""
    return each["spec"]["template"]["spec"] if each["kind"] in WORKLOADS else {}


def pod_faults(workload: Object, objects: list[Object]) -> Iterator[str]:
    pod = pod_spec(workload)
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    for container in pod["containers"]:
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        yield from (f"the volume {volume} is not there" for volume in sorted(mounted - volumes))
        yield from (f"the volume {volume} is not mounted" for volume in sorted(volumes - mounted))
        yield from argument_faults(container, objects)
        if workload["kind"] != "Job":
            yield from probe_faults(container)
    yield from claim_faults(pod, objects)
    if selector := workload["spec"].get("selector"):
        if not selects(selector, pod_labels(workload)):
            yield "its selector does not match its own pods"
    for spread in pod.get("topologySpreadConstraints", []):
        if not selects(spread["labelSelector"], pod_labels(workload)):
            yield "a spread constraint does not match its own pods"


def claim_faults(pod: Object, objects: list[Object]) -> Iterator[str]:
    """A claim is that of a StatefulSet's only pod."""
    claims = {
        f"{claim['metadata']['name']}-{each['metadata']['name']}-0"
        for each in objects
        if each["kind"] == "StatefulSet"
        for claim in each["spec"]["volumeClaimTemplates"]
    }
    for volume in pod.get("volumes", []):
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None and claim not in claims:
            yield f"the claim {claim} is not there"


def probe_faults(container: Object) -> Iterator[str]:
    """Each probe asks the event loop: the kernel would accept a TCP connection for a loop that hangs."""
    for probe in PROBES:
        request = container.get(probe, {}).get("httpGet")
        if request is None:
            yield f"the {probe} is no httpGet"
        elif request["port"] != "admin" or "admin" not in port_names(container):
            yield f"the {probe} asks the port {request['port']}, not the container's port admin"


def argument_faults(container: Object, objects: list[Object]) -> Iterator[str]:
    """The addresses in a service's options are those of its own ports and of Services."""
    own = {f"0.0.0.0:{port['containerPort']}" for port in container.get("ports", [])}
    others = {
        f"{each['metadata']['name']}:{port['port']}"
        for each in objects
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    listened = set()
    for argument in container["args"]:
        option, _, value = argument.partition("=")
        if option in ("--listen", "--admin"):
            listened.add(value)
        elif option in ("--customer", "--product", "--buyer", "--seller") and value not in others:
            yield f"{argument}: there is no such Service"
    if listened != own:
        yield f"it listens on {sorted(listened)}, but its ports are {sorted(own)}"


def stateful_set_faults(each: Object, objects: list[Object]) -> Iterator[str]:
    services = [other for other in objects if other["kind"] == "Service"]
    governing = [other for other in services if other["metadata"]["name"] == each["spec"]["serviceName"]]
    if not any(other["spec"].get("clusterIP") == "None" for other in governing):
        yield f"{each['spec']['serviceName']} is no headless Service"
    if each["spec"]["replicas"] != 1:
        yield "a database is one process"
    classes = {other["metadata"]["name"] for other in objects if other["kind"] == "StorageClass"}
    for claim in each["spec"]["volumeClaimTemplates"]:
        used = claim["spec"].get("storageClassName")
        if used is not None and used not in classes:
            yield f"the storage class {used} is not there"


def deployment_faults(each: Object, objects: list[Object]) -> Iterator[str]:
    if "replicas" in each["spec"]:
        yield "replicas is the autoscaler's to set"
    if not any(is_scaled_by(other, each) for other in objects if other["kind"] == "HorizontalPodAutoscaler"):
        yield "there is no autoscaler to set its replicas"
    for container in pod_spec(each)["containers"]:
        if any(argument.startswith("--data") for argument in container["args"]):
            yield "a database with files of its own is one process"


def is_scaled_by(autoscaler: Object, workload: Object) -> bool:
    target = autoscaler["spec"]["scaleTargetRef"]
    return (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"])


def service_faults(service: Object, objects: list[Object]) -> Iterator[str]:
    selected = containers(objects, {"matchLabels": service["spec"]["selector"]})
    if not selected:
        yield "its selector matches no pod"
    for port in service["spec"]["ports"]:
        for container in selected:
            if port["targetPort"] not in port_names(container):
                yield f"the port {port['targetPort']} is none of the pods'"


def policy_faults(policy: Object, objects: list[Object]) -> Iterator[str]:
    spec = policy["spec"]
    selected = containers(objects, spec["podSelector"])
    if not selected:
        yield "its selector matches no pod"
    for rule in spec.get("ingress", []):
        yield from peer_faults(rule.get("from", []), objects)
        yield from policy_port_faults(rule, selected)
    for rule in spec.get("egress", []):
        yield from peer_faults(rule.get("to", []), objects)
        for peer in rule.get("to", []):
            yield from policy_port_faults(rule, containers(objects, peer["podSelector"]))


def peer_faults(peers: list[Object], objects: list[Object]) -> Iterator[str]:
    for peer in peers:
        if "podSelector" in peer and not containers(objects, peer["podSelector"]):
            yield f"its peer {peer['podSelector']} matches no pod"


def policy_port_faults(rule: Object, targets: list[Object]) -> Iterator[str]:
    for port in rule["ports"]:
        for container in targets:
            if isinstance(port["port"], str) and port["port"] not in port_names(container):
                yield f"the port {port['port']} is none of the pods'"


def autoscaler_faults(each: Object, objects: list[Object]) -> Iterator[str]:
    target = each["spec"]["scaleTargetRef"]
    names = {other["metadata"]["name"] for other in objects if other["kind"] == target["kind"]}
    if target["name"] not in names:
        yield f"{target['kind']} {target['name']} is not there"


def budget_faults(each: Object, objects: list[Object]) -> Iterator[str]:
    if not containers(objects, each["spec"]["selector"]):
        yield "its selector matches no pod"


def monitoring_faults(each: Object, objects: list[Object]) -> Iterator[str]:
    selected = containers(objects, each["spec"]["selector"])
    if not selected:
        yield "its selector matches no pod"
    for endpoint in each["spec"]["endpoints"]:
        for container in selected:
            if endpoint["port"] not in port_names(container):
                yield f"the port {endpoint['port']} is none of the pods'"


def containers(objects: list[Object], selector: Object) -> list[Object]:
    """The containers of all pods that `selector` matches."""
    workloads = [each for each in objects if each["kind"] in WORKLOADS and selects(selector, pod_labels(each))]
    return [container for workload in workloads for container in pod_spec(workload)["containers"]]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    for requirement in selector.get("matchExpressions", []):
        assert requirement["operator"] == "In", f"{requirement['operator']} is not used here"
        if labels.get(requirement["key"]) not in requirement["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def pod_labels(workload: Object) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def port_names(container: Object) -> set[str]:
    return {port["name"] for port in container.get("ports", [])}
