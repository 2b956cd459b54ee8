//! The marketplace over TLS: services, shells and probes as processes, and certificates that change.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;
use support::{Client, Process, Service};
use tempfile::TempDir;

use super::PROGRAM;

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/certificates").join(name)
}

/// The options of a service that shows this certificate.
pub(super) fn identity(name: &str) -> Vec<String> {
    let file = |ending: &str| certificate(&format!("{name}.{ending}")).display().to_string();
    vec![format!("--tls-cert={}", file("pem")), format!("--tls-key={}", file("key"))]
}

pub(super) fn option(option: &str, authority: &str) -> String {
    format!("--{option}={}", certificate(authority).display())
}

fn start(name: &'static str, args: Vec<String>) -> Service {
    Service::adopt(name, PROGRAM.command(&[name, "--listen=127.0.0.1:0"]).args(args))
}

/// All services but the buyers' frontend. The databases serve only clients with a certificate.
struct Marketplace {
    customer: Service,
    product: Service,
    seller: Service,
    _data: TempDir,
}

impl Marketplace {
    fn start() -> Self {
        let data = TempDir::new().unwrap();
        let [customer, product] = ["db_customer", "db_product"].map(|name| {
            let ca = option("tls-client-ca", "authority.pem");
            start(name, [Service::database_args(name, data.path()), identity("server"), vec![ca]].concat())
        });
        let seller = start("server_seller", frontend_args(&customer, &product, &identity("server")));
        Self { customer, product, seller, _data: data }
    }
}

fn frontend_args(customer: &Service, product: &Service, more: &[String]) -> Vec<String> {
    let mut args = vec![
        format!("--customer=localhost:{}", customer.address.port()),
        format!("--product=localhost:{}", product.address.port()),
        option("tls-ca", "authority.pem"),
    ];
    args.extend_from_slice(more);
    args
}

fn run(args: &[&str], more: &[String]) -> Output {
    PROGRAM.command(args).args(more).output().unwrap()
}

/// The exit code of `ping`, and what it says.
fn ping(host: &str, address: SocketAddr, options: &[String]) -> (Option<i32>, String) {
    let output = run(&["ping", &format!("{host}:{}", address.port())], options);
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn a_marketplace_works_over_tls_alone() {
    let market = Marketplace::start();
    let trust = [option("tls-ca", "authority.pem")];
    let server = format!("--server=localhost:{}", market.seller.address.port());
    let state = TempDir::new().unwrap();
    let seller = |words: &[&str]| {
        let mut command = PROGRAM.command(&["seller", &server, &trust[0]]);
        command.args(words).env("XDG_STATE_HOME", state.path()).env("MARKETPLACE_PASSWORD", "s");
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
        said
    };
    seller(&["create-account", "sam"]);
    seller(&["login", "sam"]);
    let desk = ["--name=desk", "--category=1", "--condition=new", "--price=10", "--quantity=5"];
    assert!(seller(&[&["register"], &desk[..]].concat()).contains("1:1"));

    for host in ["localhost", "127.0.0.1"] {
        let (code, said) = ping(host, market.seller.address, &trust);
        assert_eq!(code, Some(0), "{said}");
    }
    let known = [trust.as_slice(), &identity("client")].concat();
    assert_eq!(ping("localhost", market.product.address, &known).0, Some(0));
}

#[test]
fn whoever_is_not_who_he_must_be_is_told_and_so_is_the_log() {
    let mut market = Marketplace::start();
    let address = market.seller.address;
    let (code, said) = ping("localhost", address, &[option("tls-ca", "stranger.pem")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cannot connect") && said.contains("UnknownIssuer"), "{said}");
    market.seller.process().wait_for("event=tls_failed");

    let (code, said) = ping("localhost", address, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("this port speaks TLS, and nothing else"), "{said}");

    let (code, said) = ping("localhost", market.product.address, &[option("tls-ca", "authority.pem")]);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("CertificateRequired"), "{said}");
    market.product.process().wait_for("event=tls_failed");

    // A frontend that trusts another authority, one that speaks no TLS, and one whom the databases do not know.
    let (customer, product) = (&market.customer, &market.product);
    let addresses = |more: &[String]| frontend_args(customer, product, more);
    let stranger = [option("tls-ca", "stranger.pem")];
    for (args, reason) in [
        ([&addresses(&[])[..2], &stranger].concat(), "invalid peer certificate: UnknownIssuer"),
        (addresses(&[])[..2].to_vec(), "it says: this port speaks TLS, and nothing else"),
        (addresses(&[]), "received fatal alert: CertificateRequired"),
        (addresses(&identity("unknown")), "received fatal alert: UnknownCA"),
    ] {
        let mut frontend = start("server_buyer", args);
        frontend.process().wait_for(reason);
    }
}

#[test]
fn a_client_that_speaks_tls_to_a_plain_port_is_told() {
    let data = TempDir::new().unwrap();
    let mut product = PROGRAM.database("db_product", data.path());
    let (code, said) = ping("localhost", product.address, &[option("tls-ca", "authority.pem")]);
    assert_eq!(code, Some(3), "{said}");
    let mut frontend = start("server_buyer", frontend_args(&product, &product, &[]));
    let host = product.address.ip();
    let at = |option: &str| format!("--{option}={host}:{}", product.address.port());
    let (code, said) = ping(&host.to_string(), product.address, &[option("tls-ca", "authority.pem")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("it does not speak TLS"), "{said}");
    frontend.process().signal(Signal::TERM);
    let mut frontend =
        start("server_buyer", vec![at("customer"), at("product"), option("tls-ca", "authority.pem")]);
    frontend.process().wait_for("it does not speak TLS");
    product.stop();
}

#[test]
fn files_that_are_of_no_use_are_refused_at_the_start() {
    let [cert, key] = <[String; 2]>::try_from(identity("server")).unwrap();
    let other_key = identity("client").remove(1);
    let no_pem = format!("--tls-key={}", certificate("make").display());
    for (args, message) in [
        (vec![cert.clone()], "--tls-cert needs --tls-key as well"),
        (vec![key.clone()], "--tls-key needs --tls-cert as well"),
        (
            vec![option("tls-client-ca", "authority.pem")],
            "--tls-client-ca needs --tls-cert and --tls-key as well",
        ),
        (vec![cert.clone(), "--tls-key=/nowhere".into()], "cannot read /nowhere"),
        (vec![cert.clone(), no_pem], "make: there is no private key in it"),
        (vec![cert.clone(), other_key], "server.pem: "),
        (
            vec![cert, key, option("tls-client-ca", "server.key")],
            "server.key: there is no certificate of an authority in it",
        ),
    ] {
        let (code, log) = Process::run(PROGRAM.command(&["server_seller"]).args(&args));
        assert_eq!(code, Some(2), "{args:?}: {log}");
        assert!(log.starts_with("error: ") && log.contains(message), "{args:?}: {log}");
    }
}

#[test]
fn certificates_are_replaced_under_load_and_no_call_is_lost() {
    let data = TempDir::new().unwrap();
    let own = TempDir::new().unwrap();
    let files = ["pem", "key"].map(|ending| own.path().join(format!("own.{ending}")));
    let install = |name: &str| {
        for (file, ending) in files.iter().zip(["pem", "key"]) {
            fs::copy(certificate(&format!("{name}.{ending}")), file).unwrap();
        }
    };
    install("server");
    let show =
        vec![format!("--tls-cert={}", files[0].display()), format!("--tls-key={}", files[1].display())];
    let [mut customer, mut product] = ["db_customer", "db_product"]
        .map(|name| start(name, [Service::database_args(name, data.path()), show.clone()].concat()));
    let mut seller = start("server_seller", frontend_args(&customer, &product, &[]));

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let address = seller.address;
        let stop = &stop;
        let calls = scope.spawn(move || {
            let mut client = Client::connect(address);
            let mut calls = 0;
            while !stop.load(Ordering::Relaxed) {
                let name = format!("{{\"name\":\"seller {calls}\",\"password\":\"s\"}}");
                client.ok("CreateAccount", name);
                calls += 1;
            }
            calls
        });
        for name in ["unknown", "server", "expired", "server"] {
            install(name);
            for service in [&mut customer, &mut product, &mut seller] {
                service.process().signal(Signal::HUP);
                service.process().wait_for("event=reloaded what=tls");
            }
        }
        // What cannot be used is said, and changes nothing.
        fs::write(&files[1], "nonsense").unwrap();
        product.process().signal(Signal::HUP);
        product.process().wait_for("event=reload_failed what=tls");
        let trust = [option("tls-ca", "authority.pem")];
        assert_eq!(ping("localhost", product.address, &trust).0, Some(0));
        stop.store(true, Ordering::Relaxed);
        assert!(calls.join().unwrap() > 0);
    });
}

#[test]
fn replaced_certificates_are_noticed_without_a_signal() {
    // As Kubernetes replaces what is mounted: all files at once, by a link to another folder.
    let mounted = TempDir::new().unwrap();
    let [data, next] = ["..data", "..data_tmp"].map(|name| mounted.path().join(name));
    let install = |name: &str| {
        let version = mounted.path().join(name);
        fs::create_dir(&version).unwrap();
        for ending in ["pem", "key"] {
            fs::copy(certificate(&format!("{name}.{ending}")), version.join(format!("own.{ending}")))
                .unwrap();
        }
        fs::set_permissions(version.join("own.key"), Permissions::from_mode(0o604)).unwrap();
        symlink(&version, &next).unwrap();
        fs::rename(&next, &data).unwrap();
    };
    install("unknown");
    let file = |ending: &str| data.join(format!("own.{ending}")).display().to_string();
    let show = [format!("--tls-cert={}", file("pem")), format!("--tls-key={}", file("key"))];
    let folder = TempDir::new().unwrap();
    let args = [Service::database_args("db_product", folder.path()), show.to_vec()].concat();
    let mut product = start("db_product", args);
    let trust = [option("tls-ca", "authority.pem")];
    assert_eq!(ping("localhost", product.address, &trust).0, Some(3));

    install("server");
    product.process().wait_for("event=reloaded what=tls");
    assert_eq!(ping("localhost", product.address, &trust).0, Some(0));
    fs::write(file("key"), "nonsense").unwrap();
    product.process().wait_for("event=reload_failed what=tls");
    assert_eq!(ping("localhost", product.address, &trust).0, Some(0));
    product.stop();
}

#[test]
fn a_key_that_all_may_read_is_warned_of() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("own.key");
    fs::copy(certificate("server.key"), &key).unwrap();
    for (mode, is_warned) in [(0o640, false), (0o644, true)] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let show = vec![identity("server").remove(0), format!("--tls-key={}", key.display())];
        let args = [Service::database_args("db_product", folder.path()), show].concat();
        let mut product = start("db_product", args);
        product.process().signal(Signal::TERM);
        let (code, log) = product.finish();
        let warning = "own.key it is open to all users (mode 644): chmod o-rwx";
        assert_eq!(
            (code, log.contains("event=open_key") && log.contains(warning)),
            (Some(0), is_warned),
            "{log}"
        );
    }
}
