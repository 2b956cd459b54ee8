"""Secrets must be there, for those alone who need them, and services must show each other what the others ask for: a
pod that lacks a Secret waits in silence, and services that disagree fail all calls.
"""

import re
from collections.abc import Iterator
from typing import Any

from manifest_references import pod_spec

Object = dict[str, Any]

SERVICES = {"StatefulSet", "Deployment"}
FILES = ("--secret-file", "--tls-cert", "--tls-key", "--tls-client-ca", "--tls-ca")
CALLS = ("--customer", "--product", "--buyer", "--seller")


def faults(objects: list[Object]) -> Iterator[str]:
    """Says what is wrong with the secrets of objects that are deployed together."""
    for each in objects:
        found: list[str] = []
        if pod_spec(each):
            found += [*file_faults(each), *mode_faults(each), *shared_secret_faults(each)]
            found += [*filled_faults(each, objects), *call_faults(each, objects)]
            found += [*variable_faults(each), *store_faults(each, objects)]
        if each["kind"] == "Certificate":
            found += issuer_faults(each, objects)
        yield from (f"{each['kind']} {each['metadata']['name']}: {fault}" for fault in found)


def file_faults(workload: Object) -> Iterator[str]:
    """The files in a service's options are those of Secrets that are mounted."""
    items = {volume["name"]: item_paths(volume) for volume in secret_volumes(workload)}
    [container] = pod_spec(workload)["containers"]
    files = {
        f"{mount['mountPath']}/{path}"
        for mount in container.get("volumeMounts", [])
        for path in items.get(mount["name"], set())
    }
    named_files = {option: value for option, value in options(workload).items() if option in FILES}
    named_files |= {name: each["value"] for name, each in variables(workload).items() if name.endswith("_FILE")}
    for name, value in named_files.items():
        if value not in files:
            yield f"{name}={value}: no Secret is mounted there"


def mode_faults(workload: Object) -> Iterator[str]:
    """A service does not start with a secret that all users can read, and cannot read what is only root's."""
    for volume in secret_volumes(workload):
        if volume["secret"].get("defaultMode") != 0o440:
            yield f"the mode of the volume {volume['name']} is not 0440"
        if "fsGroup" not in pod_spec(workload)["securityContext"]:
            yield f"there is no fsGroup that could read the volume {volume['name']}"


def shared_secret_faults(workload: Object) -> Iterator[str]:
    if workload["kind"] in SERVICES and "--secret-file" not in options(workload):
        yield "it has no --secret-file"


def filled_faults(workload: Object, objects: list[Object]) -> Iterator[str]:
    """A service has a certificate of its own; what is no service has no key."""
    for volume in secret_volumes(workload):
        name = volume["secret"]["secretName"]
        if "ca.crt" in item_paths(volume) and certificate(name, objects) is None:
            yield f"no Certificate fills the Secret {name}"
        if "tls.key" in item_paths(volume) and name != workload["metadata"]["name"]:
            yield f"it has the key of {name}"


def call_faults(workload: Object, objects: list[Object]) -> Iterator[str]:
    """Who calls a service encrypts if that does, finds its name in the certificate, and shows one if it is asked to."""
    own = options(workload)
    if "--tls-ca" in own and not own.keys() & set(CALLS):
        yield "it has --tls-ca, and calls nobody"
    for option, value in own.items():
        called = named(value.partition(":")[0], objects) if option in CALLS else None
        if called is None:
            continue
        name, asked = called["metadata"]["name"], options(called)
        if ("--tls-cert" in asked) != ("--tls-ca" in own):
            yield f"only one of it and {name} encrypts"
        names = (certificate(name, objects) or {"spec": {"dnsNames": [name]}})["spec"]["dnsNames"]
        if "--tls-cert" in asked and name not in names:
            yield f"the certificate of {name} does not hold for that name"
        shown = certificate(workload["metadata"]["name"], objects) if "--tls-cert" in own else None
        if "--tls-client-ca" in asked and (shown is None or "client auth" not in shown["spec"]["usages"]):
            yield f"it has no certificate for {name}, which asks for one"


def variable_faults(workload: Object) -> Iterator[str]:
    """Of a variable that is not there, Kubernetes passes on the name in place of the value."""
    for option, value in options(workload).items():
        for name in re.findall(r"\$\((\w+)\)", value):
            if name not in variables(workload):
                yield f"{option}={value}: there is no variable {name}"


def store_faults(workload: Object, objects: list[Object]) -> Iterator[str]:
    """A database has files or a store, and whoever has a store has the same one."""
    kept = {"--data", "--store"} & options(workload).keys()
    if workload["metadata"]["labels"].get("app.kubernetes.io/component") == "database" and len(kept) != 1:
        yield f"it has {' and '.join(sorted(kept)) or 'neither --data nor --store'}"
    own, others = stores([workload]), stores(objects)
    if own and own != others:
        yield f"not all have the same store: {sorted(others)}"


def issuer_faults(each: Object, objects: list[Object]) -> Iterator[str]:
    issuer = each["spec"]["issuerRef"]["name"]
    if not any(other["kind"] == "Issuer" and other["metadata"]["name"] == issuer for other in objects):
        yield f"the issuer {issuer} is not there"


def options(workload: Object) -> dict[str, str]:
    """The options of a workload's only container."""
    [container] = pod_spec(workload)["containers"]
    return {option: value for option, _, value in (each.partition("=") for each in container["args"])}


def variables(workload: Object) -> dict[str, Object]:
    """The environment of a workload's only container."""
    [container] = pod_spec(workload)["containers"]
    return {each["name"]: each for each in container.get("env", [])}


def stores(objects: list[Object]) -> set[str]:
    """The Secrets and keys that the URLs of stores are from."""
    users = [each for each in objects if pod_spec(each) and "--store" in options(each)]
    keys = [each["valueFrom"]["secretKeyRef"] for user in users for each in variables(user).values() if "valueFrom" in each]
    return {f"{key['key']} of {key['name']}" for key in keys}


def secret_volumes(workload: Object) -> list[Object]:
    return [volume for volume in pod_spec(workload).get("volumes", []) if "secret" in volume]


def item_paths(volume: Object) -> set[str]:
    return {item["path"] for item in volume["secret"].get("items", [])}


def certificate(secret: str, objects: list[Object]) -> Object | None:
    """The one that fills a Secret."""
    found = (each for each in objects if each["kind"] == "Certificate" and each["spec"]["secretName"] == secret)
    return next(found, None)


def named(name: str, objects: list[Object]) -> Object | None:
    """A service by the name that its Service has as well."""
    return next((each for each in objects if each["kind"] in SERVICES and each["metadata"]["name"] == name), None)
