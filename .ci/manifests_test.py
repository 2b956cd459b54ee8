"""Plants faults in a copy of k8s/, one at a time, and checks that each is found."""

import shutil
import tempfile
import unittest
from pathlib import Path

import manifests

# What is wrong, in which file, what stands there, what is planted, and what the report must say.
FAULTS = [
    ("another alert", "overlays/gke/alerts.yaml", "for: 2m", "for: 3m", "its alerts are not those of"),
    ("a probe's port", "base/probes.yaml", "/livez, port: admin", "/livez, port: marketplace", "startupProbe asks"),
    (
        "a probe of TCP",
        "base/probes.yaml",
        "httpGet: {path: /readyz, port: admin}",
        "tcpSocket: {port: admin}",
        "no httpGet",
    ),
    ("a port in an option", "base/server-buyer.yaml", "--admin=0.0.0.0:9103", "--admin=0.0.0.0:9104", "it listens on"),
    ("a database's name", "base/server-buyer.yaml", "=db-product:", "=db-products:", "there is no such Service"),
    ("an unknown field", "base/database.yaml", "whenScaled:", "whenScale:", "Additional properties"),
    ("a wrong type", "base/probes.yaml", "failureThreshold: 300", "failureThreshold: many", "failureThreshold"),
    (
        "a misspelt kind",
        "base/server-buyer.yaml",
        "kind: PodDisruptionBudget",
        "kind: PodBudget",
        "Couldn't find schema",
    ),
    ("a volume's name", "base/database.yaml", "- name: data\n", "- name: date\n", "the volume date is not there"),
    ("a second database", "base/database.yaml", "replicas: 1", "replicas: 2", "a database is one process"),
    (
        "a governing Service",
        "base/db-product.yaml",
        "serviceName: db-product",
        "serviceName: product",
        "no headless Service",
    ),
    ("a virtual address", "base/db-product.yaml", "  clusterIP: None\n", "", "no headless Service"),
    (
        "a Service's selector",
        "base/db-customer.yaml",
        "  selector:\n    app.kubernetes.io/name: db-customer",
        "  selector:\n    app.kubernetes.io/name: customer",
        "selector matches no pod",
    ),
    (
        "a Service's port",
        "base/server-seller.yaml",
        "targetPort: marketplace",
        "targetPort: market",
        "port market is none",
    ),
    (
        "a workload's selector",
        "base/server-seller.yaml",
        "matchLabels:\n      app.kubernetes.io/name: server-seller\n  template",
        "matchLabels:\n      app.kubernetes.io/name: seller\n  template",
        "does not match its own pods",
    ),
    ("a spread constraint", "base/frontend.yaml", "component: frontend", "component: front", "a spread constraint"),
    (
        "fixed replicas",
        "base/frontend.yaml",
        "spec:\n  strategy",
        "spec:\n  replicas: 2\n  strategy",
        "the autoscaler's",
    ),
    (
        "an autoscaler's target",
        "base/server-buyer.yaml",
        "    kind: Deployment\n    name: server-buyer",
        "    kind: Deployment\n    name: buyer",
        "Deployment buyer is not there",
    ),
    (
        "a budget's selector",
        "base/server-buyer.yaml",
        "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: server-buyer",
        "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: buyer",
        "PodDisruptionBudget server-buyer: its selector",
    ),
    (
        "a policy's selector",
        "base/network-policies.yaml",
        "component: database\n  policyTypes: [Ingress]",
        "component: databases\n  policyTypes: [Ingress]",
        "NetworkPolicy database: its selector",
    ),
    (
        "a policy's peer",
        "base/network-policies.yaml",
        "matchLabels:\n              app.kubernetes.io/component: frontend\n      ports:\n",
        "matchLabels:\n              app.kubernetes.io/component: front\n      ports:\n",
        "NetworkPolicy database: its peer",
    ),
    (
        "a policy's port",
        "base/network-policies.yaml",
        "port: admin",
        "port: administration",
        "NetworkPolicy monitoring: the port",
    ),
    (
        "a bench's server",
        "bench/job.yaml",
        "--buyer=server-buyer:6003",
        "--buyer=server-buyer:6004",
        "there is no such Service",
    ),
    (
        "a database to be restored",
        "restore/db-product.yaml",
        "claimName: data-db-product-0",
        "claimName: db-product",
        "the claim db-product is not there",
    ),
    (
        "a monitored port",
        "overlays/gke/pod-monitoring.yaml",
        "port: admin",
        "port: metrics",
        "PodMonitoring marketplace: the port",
    ),
    (
        "a secret that all users can read",
        "components/secret/volume.yaml",
        "defaultMode: 0440",
        "defaultMode: 0444",
        "the mode of the volume database-secret is not 0440",
    ),
    (
        "a secret that only root can read",
        "pods/security.yaml",
        "        fsGroup: 65532\n",
        "",
        "there is no fsGroup that could read the volume database-secret",
    ),
    (
        "a secret from elsewhere",
        "components/secret/option.yaml",
        "/database/secret",
        "/databases/secret",
        "no Secret is mounted there",
    ),
    (
        "a frontend that shows no secret",
        "components/secret/kustomization.yaml",
        "path: option.yaml\n    target:\n      kind: StatefulSet|Deployment",
        "path: option.yaml\n    target:\n      kind: StatefulSet",
        "Deployment server-buyer: it has no --secret-file",
    ),
    (
        "a database that is not encrypted",
        "components/tls/kustomization.yaml",
        "path: certificate.yaml\n    target:\n      kind: StatefulSet|Deployment",
        "path: certificate.yaml\n    target:\n      kind: Deployment",
        "only one of it and db-customer encrypts",
    ),
    (
        "a frontend without a certificate",
        "components/tls/kustomization.yaml",
        "path: certificate.yaml\n    target:\n      kind: StatefulSet|Deployment",
        "path: certificate.yaml\n    target:\n      kind: StatefulSet",
        "it has no certificate for db-customer",
    ),
    (
        "a certificate that is only for servers",
        "certificates/services.yaml",
        "server auth, client auth",
        "server auth",
        "it has no certificate for db-customer",
    ),
    (
        "a name in a certificate",
        "certificates/services.yaml",
        "dnsNames: [db-product,",
        "dnsNames: [db_product,",
        "the certificate of db-product does not hold",
    ),
    (
        "a Secret that nobody fills",
        "certificates/services.yaml",
        "secretName: server-buyer",
        "secretName: buyer",
        "no Certificate fills the Secret server-buyer",
    ),
    (
        "another's key",
        "components/tls/kustomization.yaml",
        "source: {kind: Deployment, name: server-seller}",
        "source: {kind: Deployment, name: server-buyer}",
        "it has the key of server-buyer",
    ),
    (
        "an issuer's name",
        "certificates/services.yaml",
        "{kind: Issuer, name: authority}",
        "{kind: Issuer, name: authorities}",
        "the issuer authorities is not there",
    ),
    (
        "a bench that does not encrypt",
        "bench-tls/option.yaml",
        "--tls-ca=",
        "--tls-client-ca=",
        "only one of it and server-buyer encrypts",
    ),
    (
        "a certificate at another place",
        "components/tls/volume.yaml",
        "mountPath: /run/secrets/tls",
        "mountPath: /run/secrets",
        "--tls-cert=/run/secrets/tls/tls.crt: no Secret is mounted there",
    ),
    (
        "a second database on files",
        "components/postgres/deployment.yaml",
        "- op: remove\n  path: /spec/template/spec/containers/0/args/3\n",
        "",
        "a database with files of its own is one process",
    ),
    (
        "a database that keeps its volume",
        "components/postgres/deployment.yaml",
        "- op: remove\n  path: /spec/volumeClaimTemplates\n",
        "",
        "volumeClaimTemplates",
    ),
    (
        "databases without a store",
        "components/store/kustomization.yaml",
        "path: option.yaml\n    target: *users",
        "path: option.yaml\n    target: {kind: Job}",
        "Deployment db-customer: it has neither --data nor --store",
    ),
    (
        "the store's variable",
        "components/store/option.yaml",
        "$(STORE_URL)",
        "$(STORE)",
        "there is no variable STORE",
    ),
    (
        "a password from elsewhere",
        "components/store/volume.yaml",
        "value: /run/secrets/store/password",
        "value: /run/secrets/store/passwords",
        "MARKETPLACE_STORE_PASSWORD_FILE=/run/secrets/store/passwords: no Secret is mounted there",
    ),
    (
        "tables in another store",
        "migrate/kustomization.yaml",
        "components:\n",
        "patches:\n  - target: {kind: Job}\n    patch: |-\n      - op: replace\n        path: /spec/template/spec/"
        "containers/0/env/0/valueFrom/secretKeyRef/name\n        value: other\ncomponents:\n",
        "not all have the same store",
    ),
    (
        "a database's autoscaler",
        "components/postgres/db-product.yaml",
        "    kind: Deployment\n    name: db-product",
        "    kind: StatefulSet\n    name: db-product",
        "StatefulSet db-product is not there",
    ),
    (
        "a database that nothing scales",
        "components/postgres/db-product.yaml",
        "    kind: Deployment\n    name: db-product",
        "    kind: Deployment\n    name: db-customer",
        "Deployment db-product: there is no autoscaler",
    ),
    (
        "a component that comes too early",
        "overlays/gke-postgres/kustomization.yaml",
        "  - ../gke-external\n\ncomponents:\n  - ../../components/postgres",
        "  - ../gke\n\ncomponents:\n  - ../../components/postgres\n  - ../../components/tls",
        "Deployment db-customer: it has --tls-ca, and calls nobody",
    ),
    (
        "databases that are left without names",
        "components/postgres/kustomization.yaml",
        "kind: NetworkPolicy\n      name: names",
        "kind: NetworkPolicy\n      name: name",
        "changes nothing",
    ),
    ("a storage class", "overlays/gke/volume.yaml", "value: marketplace", "value: fast", "the storage class fast"),
    ("an old tag", "pods/kustomization.yaml", "newTag: ", "newTag: 0", "the version in Cargo.toml"),
    ("an image without its name", "bench/job.yaml", "image: marketplace", "image: market", "more than one image"),
    (
        "an image that is not used",
        "pods/kustomization.yaml",
        "images:\n",
        "images:\n  - {name: market, newTag: '1'}\n",
        "changes nothing",
    ),
    (
        "a patch without a target",
        "overlays/local/kustomization.yaml",
        "kind: StatefulSet\n",
        "kind: StatefulSets\n",
        "changes nothing",
    ),
    (
        "a patch by an old name",
        "overlays/local/node-port-buyer.yaml",
        "name: server-buyer",
        "name: buyer",
        "no matches for Id",
    ),
    (
        "a patch of an old path",
        "overlays/local/volume.yaml",
        "/resources/requests/storage",
        "/resources/request/storage",
        "request",
    ),
]


class PlantedFaults(unittest.TestCase):
    def test_each_is_found(self) -> None:
        for title, file, found, planted, report in FAULTS:
            with self.subTest(title), tempfile.TemporaryDirectory() as folder:
                root = Path(folder) / "k8s"
                shutil.copytree(manifests.REPOSITORY / "k8s", root)
                text = (root / file).read_text()
                self.assertIn(found, text, "what is to be replaced is not there")
                (root / file).write_text(text.replace(found, planted, 1))
                faults = manifests.check(root, manifests.version_of_program())
                self.assertTrue(any(report in fault for fault in faults), f"reported: {faults}")
                print(f"found {title}: {next(fault for fault in faults if report in fault).splitlines()[0]}")


if __name__ == "__main__":
    unittest.main()
