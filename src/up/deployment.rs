//! [`Deployment`]: where the four services run and with what they are started. Nothing is started here.

use std::net::{IpAddr, TcpListener};

use getopts::Matches;
use net::ClientTls;
use services::Secrets;

use super::options::PassedOn;
use crate::client::check_address;
use crate::command_line::reject_arguments;
use crate::serve::{Settings, Store};
use crate::service::{Kind, Service};
use crate::shell::{BUYER, Role, SELLER};
use crate::store_option::Engine;

/// Where the services run.
pub(super) struct Deployment {
    /// A host name or address, without brackets.
    host: String,
    admin: Option<Admin>,
    /// The folder of the databases, if one was given.
    data: Option<String>,
    passed_on: PassedOn,
}

/// What has to be known of the services to start them, besides their command lines.
pub(super) struct Known {
    /// The engine that keeps what they know, if one does.
    pub(super) engine: Option<Engine>,
    /// How to connect to them.
    pub(super) tls: Option<ClientTls>,
    /// What their databases demand.
    pub(super) secrets: Option<Secrets>,
    /// Where the data is, for people.
    place: String,
}

/// Where the services are watched: each at a port of its own, one after another.
#[derive(Clone)]
struct Admin {
    host: String,
    first_port: u16,
}

impl Deployment {
    /// What the command line says, and what follows from it once each service has looked at its part.
    ///
    /// # Errors
    /// It makes no sense, to `up` or to a service.
    pub(super) fn read(matches: &Matches, passed_on: PassedOn) -> Result<(Self, Known), String> {
        reject_arguments(matches)?;
        let host = matches.opt_str("host").unwrap_or_else(|| "127.0.0.1".to_owned());
        let deployment = Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            admin: matches.opt_str("admin").map(|text| Admin::read(&text)).transpose()?,
            data: matches.opt_str("data"),
            passed_on,
        };
        let settings = |service| Settings::of(service, &deployment.options(service));
        for service in Service::ALL {
            settings(service)?;
        }
        let known = Known::of(settings(Service::DbCustomer)?, settings(Service::ServerBuyer)?)?;
        Ok((deployment, known))
    }

    /// The address to connect to. One that means all addresses of the machine is none of them.
    pub(super) fn connect_address(&self, service: Service) -> String {
        let port = service.default_port();
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() => address("127.0.0.1", port),
            Ok(IpAddr::V6(ip)) if ip.is_unspecified() => address("::1", port),
            _ => address(&self.host, port),
        }
    }

    /// The command line of a service, without the program.
    pub(super) fn service_args(&self, service: Service) -> Vec<String> {
        let mut args = vec![service.name().to_owned()];
        args.extend(self.options(service));
        args
    }

    /// Fails if a port is taken, or wanted twice.
    ///
    /// Otherwise a marketplace that runs already would answer in place of the one being started,
    /// and frontends that share their port would even take turns with it.
    pub(super) fn check_ports(&self) -> Result<(), String> {
        let mut free = Vec::new();
        for service in Service::ALL {
            for address in
                [Some(self.listen_address(service)), self.admin_address(service)].into_iter().flatten()
            {
                match TcpListener::bind(&address) {
                    // It is kept until all are.
                    Ok(listener) => free.push(listener),
                    Err(error) => return Err(format!("cannot listen on {address} for {service}: {error}")),
                }
            }
        }
        Ok(())
    }

    /// Where all is, and what to do next.
    pub(super) fn summary(&self, known: &Known) -> String {
        let mut text = String::from("\n");
        for service in Service::ALL {
            let watched = self.admin_address(service).map(|admin| format!("   http://{admin}/metrics"));
            let watched = watched.unwrap_or_default();
            text.push_str(&format!("  {service:15} {}{watched}\n", self.listen_address(service)));
        }
        let shell = |role: &Role| match self.connect_address(role.service) {
            server if server == role.service.default_address() => format!("marketplace {}", role.name),
            server => format!("marketplace {} --server {server}", role.name),
        };
        text.push_str(&format!("\nThe data is in {}. Ctrl-C stops all four.\n", known.place));
        text.push_str("Next, each in a terminal of its own:\n\n");
        text.push_str(&format!("  {}\n  {}\n\n", shell(&SELLER), shell(&BUYER)));
        text
    }

    fn options(&self, service: Service) -> Vec<String> {
        let mut options = vec!["--listen".to_owned(), self.listen_address(service)];
        match (service.kind(), &self.data) {
            (Kind::Database, Some(data)) => options.extend(["--data".to_owned(), data.clone()]),
            (Kind::Database, None) => {}
            (Kind::Frontend, _) => {
                options.extend(["--customer".to_owned(), self.connect_address(Service::DbCustomer)]);
                options.extend(["--product".to_owned(), self.connect_address(Service::DbProduct)]);
            }
        }
        options
            .extend(self.admin_address(service).into_iter().flat_map(|admin| ["--admin".to_owned(), admin]));
        options.extend(self.passed_on.to(service));
        options
    }

    fn listen_address(&self, service: Service) -> String {
        address(&self.host, service.default_port())
    }

    fn admin_address(&self, service: Service) -> Option<String> {
        let Admin { host, first_port } = self.admin.as_ref()?;
        let mut ports = (*first_port..=u16::MAX).zip(Service::ALL);
        let (port, _) = ports.find(|(_, each)| *each == service).expect("there is room for four");
        Some(format!("{host}:{port}"))
    }
}

impl Known {
    fn of(database: Settings, frontend: Settings) -> Result<Self, String> {
        if database.server_files.is_some() != frontend.client_files.is_some() {
            return Err("--tls-cert and --tls-ca go together: the services connect to each other".to_owned());
        }
        let (engine, place) = match database.store {
            Store::Files(files) => (None, files.data.display().to_string()),
            Store::Engine(engine) => {
                let hosts: Vec<_> = engine.config.hosts.iter().map(|host| host.address()).collect();
                let place = format!("PostgreSQL at {}", hosts.join(", "));
                (Some(engine), place)
            }
        };
        let tls = frontend.client_files.map(|files| files.tls);
        Ok(Self { engine, tls, secrets: frontend.secret_file.map(|file| file.secrets), place })
    }
}

impl Admin {
    fn read(text: &str) -> Result<Self, String> {
        let last_offset = u16::try_from(Service::ALL.len() - 1).expect("they are four");
        check_address(text).map_err(|error| format!("--admin: {error}"))?;
        let (host, port) = text.rsplit_once(':').expect("it is HOST:PORT");
        let port = port.parse().ok().filter(|port| (1..=u16::MAX - last_offset).contains(port));
        let first_port = port.ok_or_else(|| {
            format!("--admin: the first of four ports is from 1 to {}", u16::MAX - last_offset)
        })?;
        Ok(Self { host: host.to_owned(), first_port })
    }
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::super::options::{own_options, tell_apart};
    use super::*;

    fn read(line: &str) -> Result<(Deployment, Known), String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let (own, passed_on) = tell_apart(&words)?;
        Deployment::read(&own_options().parse(own).unwrap(), passed_on)
    }

    fn args(line: &str, service: Service) -> String {
        read(line).unwrap().0.service_args(service).join(" ")
    }

    fn summary(line: &str) -> String {
        let (deployment, known) = read(line).unwrap();
        deployment.summary(&known)
    }

    #[test]
    fn databases_get_the_data_and_frontends_the_databases() {
        assert_eq!(args("--data d", Service::DbProduct), "db_product --listen 127.0.0.1:6002 --data d");
        assert_eq!(
            args("--data d --host 0.0.0.0", Service::ServerBuyer),
            "server_buyer --listen 0.0.0.0:6003 --customer 127.0.0.1:6001 --product 127.0.0.1:6002"
        );
        assert_eq!(
            args("--host [::]", Service::ServerSeller),
            "server_seller --listen [::]:6004 --customer [::1]:6001 --product [::1]:6002"
        );
    }

    #[test]
    fn each_service_is_watched_at_a_port_of_its_own() {
        assert!(args("--admin [::1]:7001", Service::DbCustomer).ends_with(" --admin [::1]:7001"));
        assert!(args("--admin=localhost:65532", Service::ServerSeller).ends_with(" --admin localhost:65535"));
        assert!(summary("--admin a:1").contains("  db_product      127.0.0.1:6002   http://a:2/metrics\n"));
        for wrong in ["a:0", "a:65533"] {
            let error = read(&format!("--admin {wrong}")).err().unwrap();
            assert_eq!(error, "--admin: the first of four ports is from 1 to 65532");
        }
        assert_eq!(read("--admin 7001").err().unwrap(), "--admin: \"7001\" is not HOST:PORT");
    }

    #[test]
    fn what_a_service_would_refuse_is_refused_before_any_starts() {
        let refused = |line| read(line).err().unwrap();
        assert_eq!(refused("--reactors 0"), "--reactors: \"0\" is not a number from 1 to 64");
        assert_eq!(refused("--log loud"), "--log: \"loud\" is not error, warn, info or debug");
        assert_eq!(
            refused("--data d --store postgres://market@db/market?sslmode=disable"),
            "--store and --data exclude each other"
        );
        let missing = refused("--session-timeout");
        assert!(missing.contains("session-timeout") && missing.contains("missing"), "{missing}");
        assert_eq!(refused("now"), "unexpected argument \"now\"");
    }

    #[test]
    fn the_summary_says_where_the_data_is() {
        assert!(summary("").contains("\nThe data is in ./data. "));
        let engine = summary("--store postgres://market@db1,db2:5433/market?sslmode=disable");
        assert!(engine.contains("\nThe data is in PostgreSQL at db1:5432, db2:5433. "), "{engine}");
    }

    #[test]
    fn the_hint_names_the_server_where_it_is_not_the_default() {
        assert!(summary("--host 0.0.0.0").contains("  marketplace seller\n  marketplace buyer\n"));
        assert!(summary("--host 10.0.0.7").contains("marketplace seller --server 10.0.0.7:6004\n"));
    }
}
