"""Checks k8s/: that each overlay builds, that Kubernetes knows each field, that what refers to something finds it (see
manifest_references.py), that secrets are kept and agreed on (manifest_secrets.py), and that each entry of a
kustomization changes something. kubectl accepts one that does not.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import manifest_references
import manifest_secrets
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent

# What is deployed, each with all that it is deployed beside.
DEPLOYMENTS = {
    "overlays/local": ["overlays/local", "bench", "restore"],
    "overlays/gke": ["overlays/gke", "bench", "restore"],
    "overlays/gke-external": ["overlays/gke-external", "certificates", "bench-tls", "restore"],
    "overlays/local-postgres": ["overlays/local-postgres", "migrate", "bench"],
    "overlays/gke-postgres": ["overlays/gke-postgres", "migrate", "certificates", "bench-tls"],
}
# The pause before SIGTERM is on by default since 1.30. The newest is what kubernetes-validate knows.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
# Definitions of the cluster's own, for which there is no schema.
NO_SCHEMA = {"PodMonitoring", "Rules", "Certificate", "Issuer"}
# The lists of a kustomization whose entries may be without effect.
TRANSFORMERS = ["patches", "images", "labels", "components", "replacements"]

Object = dict[str, Any]


class BuildError(Exception):
    """kubectl could not build a kustomization."""


def main() -> int:
    faults = check(REPOSITORY / "k8s", version_of_program())
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    if not faults:
        print(f"manifests: {len(DEPLOYMENTS)} overlays are good for Kubernetes {' and '.join(VERSIONS)}")
    return 1 if faults else 0


def check(root: Path, version: str) -> list[str]:
    """Returns what is wrong with the kustomizations in `root`."""
    try:
        built = {part: build(root / part) for parts in DEPLOYMENTS.values() for part in parts}
    except BuildError as error:
        return [str(error)]
    faults = list(schema_faults(distinct(built)))
    for overlay, parts in DEPLOYMENTS.items():
        objects = [each for part in parts for each in built[part]]
        found = [*manifest_references.faults(objects), *manifest_secrets.faults(objects)]
        found += [*image_faults(objects, version), *alert_faults(objects)]
        faults += [f"{overlay}: {fault}" for fault in found]
    # Takes longest, so only when all else is right.
    return faults or list(idle_entries(root, built))


def build(kustomization: Path) -> list[Object]:
    done = subprocess.run(["kubectl", "kustomize", kustomization], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{kustomization.name}: {done.stderr.strip()}")
    return [each for each in yaml.safe_load_all(done.stdout) if each is not None]


def distinct(built: dict[str, list[Object]]) -> list[Object]:
    """Most objects are the same in all overlays."""
    return list({json.dumps(each): each for objects in built.values() for each in objects}.values())


def schema_faults(objects: list[Object]) -> Iterator[str]:
    for version in VERSIONS:
        for each in objects:
            if each["kind"] in NO_SCHEMA:
                continue
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.SchemaNotFoundError as error:
                yield f"{name(each)}: {error.message}"
            except kubernetes_validate.ValidationError as error:
                where = ".".join(str(step) for step in error.path)
                yield f"{name(each)}: Kubernetes {version}: {where}: {error.message}"


def image_faults(objects: list[Object], version: str) -> Iterator[str]:
    """One image for all, with the version of the program that it holds."""
    images = {
        container["image"]: name(each)
        for each in objects
        for container in manifest_references.pod_spec(each).get("containers", [])
    }
    if len(images) > 1:
        yield f"more than one image: {images}"
    for image, user in images.items():
        if not image.endswith(f":{version}"):
            yield f"{user}: the tag of {image} is not {version}, the version in Cargo.toml"


def alert_faults(objects: list[Object]) -> Iterator[str]:
    """The alerts are those that .ci/metrics checks; a kustomization cannot take them from there."""
    checked = yaml.safe_load((REPOSITORY / "containers/alerts.yaml").read_text())
    for each in objects:
        if each["kind"] == "Rules" and each["spec"] != checked:
            yield f"{name(each)}: its alerts are not those of containers/alerts.yaml"


def version_of_program() -> str:
    found = re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)
    assert found, "Cargo.toml has a version"
    return found[1]


def idle_entries(root: Path, built: dict[str, list[Object]]) -> Iterator[str]:
    """Leaves out one entry after another, and reports those without which everything is built as before."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / root.name
        shutil.copytree(root, copy)
        for path in sorted(copy.rglob("kustomization.yaml")):
            original = path.read_text()
            for title, without in shortened(yaml.safe_load(original)):
                path.write_text(yaml.safe_dump(without))
                if all(same(copy / part, objects) for part, objects in built.items()):
                    yield f"{path.relative_to(copy)}: {title} changes nothing"
            path.write_text(original)


def shortened(kustomization: Object) -> Iterator[tuple[str, Object]]:
    """A kustomization without one of its entries, for each."""
    for field in TRANSFORMERS:
        entries = kustomization.get(field, [])
        for index, entry in enumerate(entries):
            rest = entries[:index] + entries[index + 1 :]
            yield f"{field}: {entry}", {**kustomization, field: rest}


def same(kustomization: Path, objects: list[Object]) -> bool:
    try:
        return build(kustomization) == objects
    except BuildError:
        return False


def name(each: Object) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


if __name__ == "__main__":
    sys.exit(main())
