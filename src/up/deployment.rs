//! [`Deployment`]: where the four services run and with what they are started. Nothing is started here.

use std::net::{IpAddr, TcpListener};

use getopts::Matches;
use net::ClientTls;
use services::Secrets;

use super::options::passed_on;
use crate::client::check_address;
use crate::command_line::reject_arguments;
use crate::serve::{Settings, Store};
use crate::service::{Kind, Service, address};
use crate::shell::{BUYER, Role, SELLER};
use crate::store_option::Engine;

/// Where the services run.
pub(super) struct Deployment {
    /// A host name or address, without brackets.
    host: String,
    admin: Option<Admin>,
    /// What was given, of which the services are to have the rest.
    matches: Matches,
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
struct Admin {
    /// Without brackets, too.
    host: String,
    first_port: u16,
}

impl Deployment {
    /// What the command line says, and what follows from it once each service has looked at its part.
    ///
    /// # Errors
    /// It makes no sense, to `up` or to a service.
    pub(super) fn read(matches: Matches) -> Result<(Self, Known), String> {
        reject_arguments(&matches)?;
        let host = matches.opt_str("host").unwrap_or_else(|| "127.0.0.1".to_owned());
        let deployment = Self {
            host: read_host(&host)?,
            admin: matches.opt_str("admin").map(|text| Admin::read(&text)).transpose()?,
            matches,
        };
        let settings = |service| Settings::of(service, &deployment.options(service));
        // Those of a kind know the same of what is asked for here.
        let [customer, product, buyer, seller] = Service::ALL.map(settings);
        let (database, _, frontend, _) = (customer?, product?, buyer?, seller?);
        Ok((deployment, Known::of(database, frontend)?))
    }

    /// The address to connect to.
    pub(super) fn connect_address(&self, service: Service) -> String {
        service.address_at(reachable(&self.host))
    }

    /// The command line of a service, without the program.
    pub(super) fn service_args(&self, service: Service) -> Vec<String> {
        [service.name().to_owned()].into_iter().chain(self.options(service)).collect()
    }

    /// Fails if a port is taken, or wanted twice.
    ///
    /// Otherwise a marketplace that runs already would answer in place of the one being started,
    /// and frontends that share their port would even take turns with it.
    pub(super) fn check_ports(&self) -> Result<(), String> {
        let mut free = Vec::new();
        for service in Service::ALL {
            let admin = self.admin.as_ref().map(|admin| admin.address(service));
            for address in [Some(self.listen_address(service)), admin].into_iter().flatten() {
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
            let admin = self.admin.as_ref().map(|admin| admin.connect_address(service));
            let watched = admin.map_or(String::new(), |admin| format!("   http://{admin}/"));
            text.push_str(&format!("  {service:15} {}{watched}\n", self.listen_address(service)));
        }
        let authority = self.matches.opt_str("tls-ca").map(|file| format!(" --tls-ca {file}"));
        let authority = authority.unwrap_or_default();
        let shell = |role: &Role| match self.connect_address(role.service) {
            server if server == role.service.default_address() => {
                format!("marketplace {}{authority}", role.name)
            }
            server => format!("marketplace {} --server {server}{authority}", role.name),
        };
        text.push_str(&format!("\nThe data is in {}. Ctrl-C stops all four.\n", known.place));
        text.push_str("Next, each in a terminal of its own:\n\n");
        text.push_str(&format!("  {}\n  {}\n\n", shell(&SELLER), shell(&BUYER)));
        text
    }

    fn options(&self, service: Service) -> Vec<String> {
        let mut decided = vec![("--listen", self.listen_address(service))];
        if service.kind() == Kind::Frontend {
            decided.push(("--customer", self.connect_address(Service::DbCustomer)));
            decided.push(("--product", self.connect_address(Service::DbProduct)));
        }
        if let Some(admin) = &self.admin {
            decided.push(("--admin", admin.address(service)));
            // Where a browser finds them under other names, these are given.
            if let Some(peers) = admin.peers().filter(|_| !self.matches.opt_present("admin-peers")) {
                decided.push(("--admin-peers", peers));
            }
        }
        let decided = decided.into_iter().flat_map(|(option, value)| [option.to_owned(), value]);
        decided.chain(passed_on(&self.matches, service)).collect()
    }

    fn listen_address(&self, service: Service) -> String {
        service.address_at(&self.host)
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
        Ok(Self { host: without_brackets(host), first_port })
    }

    /// Where a service is to listen for those who watch it.
    fn address(&self, service: Service) -> String {
        address(&self.host, self.port(service))
    }

    /// Where it is watched.
    fn connect_address(&self, service: Service) -> String {
        address(reachable(&self.host), self.port(service))
    }

    /// All four, for the page that each of them has. `None`: its policy cannot name them.
    fn peers(&self) -> Option<String> {
        let can_be_named = !reachable(&self.host).contains(':');
        can_be_named.then(|| Service::ALL.map(|service| self.connect_address(service)).join(","))
    }

    fn port(&self, service: Service) -> u16 {
        let mut ports = (self.first_port..=u16::MAX).zip(Service::ALL);
        ports.find(|(_, each)| *each == service).expect("there is room for four").0
    }
}

/// Reads what is to be a host without a port.
fn read_host(text: &str) -> Result<String, String> {
    let host = without_brackets(text);
    if host.is_empty() || (host.contains(':') && host.parse::<IpAddr>().is_err()) {
        return Err(format!("--host: {text:?} is not a host alone; the ports are 6001 to 6004"));
    }
    Ok(host)
}

fn without_brackets(host: &str) -> String {
    host.trim_matches(['[', ']']).to_owned()
}

/// The host to connect to. One that means all addresses of the machine is none of them.
fn reachable(host: &str) -> &str {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1",
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => "::1",
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::options;
    use super::*;

    fn read(line: &str) -> Result<(Deployment, Known), String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Deployment::read(options().parse(&words)?)
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
        assert_eq!(args("--data d", Service::DbProduct), "db_product --listen 127.0.0.1:6002 --data=d");
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
        let args_of_the_last = args("--admin=localhost:65532", Service::ServerSeller);
        assert!(args_of_the_last.contains(" --admin localhost:65535 "), "{args_of_the_last}");
        assert!(summary("--admin a:1").contains("  db_product      127.0.0.1:6002   http://a:2/\n"));
        assert!(summary("--admin [::]:1").contains("   http://[::1]:2/\n"));
        for wrong in ["a:0", "a:65533"] {
            let error = read(&format!("--admin {wrong}")).err().unwrap();
            assert_eq!(error, "--admin: the first of four ports is from 1 to 65532");
        }
        assert_eq!(read("--admin 7001").err().unwrap(), "--admin: \"7001\" is not HOST:PORT");
    }

    #[test]
    fn each_page_shows_all_four_unless_they_are_called_something_else() {
        let given = args("--admin 0.0.0.0:1", Service::DbProduct);
        let peers = "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3,127.0.0.1:4";
        assert!(given.ends_with(&format!(" --admin 0.0.0.0:2 --admin-peers {peers}")), "{given}");
        let given = args("--admin 0.0.0.0:1 --admin-peers shop:1,shop:2", Service::DbProduct);
        assert!(given.ends_with(" --admin 0.0.0.0:2 --admin-peers=shop:1,shop:2"), "{given}");
        assert!(!args("--admin [::]:1", Service::DbProduct).contains("peers"));
    }

    #[test]
    fn what_a_service_would_refuse_is_refused_before_any_starts() {
        let refused = |line: &str| read(line).err().unwrap();
        assert_eq!(refused("--reactors 0"), "--reactors: \"0\" is not a number from 1 to 64");
        assert_eq!(refused("--log loud"), "--log: \"loud\" is not error, warn, info or debug");
        assert_eq!(
            refused("--data d --store postgres://market@db/market?sslmode=disable"),
            "--store and --data exclude each other"
        );
        let missing = refused("--session-timeout");
        assert!(missing.contains("session-timeout") && missing.contains("missing"), "{missing}");
        assert_eq!(refused("now"), "unexpected argument \"now\"");
        for host in ["127.0.0.1:7100", "localhost:1", ""] {
            let expected = format!("--host: {host:?} is not a host alone; the ports are 6001 to 6004");
            let given = format!("--host={host}");
            assert_eq!(refused(&given), expected);
        }
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
