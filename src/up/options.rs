//! The options of `up`: its own, and those of the services, each of which goes to all services that have it. What a value
//! means is known to the services alone.

use getopts::Matches;

use crate::options::Options;
use crate::serve;
use crate::service::{Kind, Service};

/// Options that lead services to each other: `up` gives each of them what it is to be.
const CONNECTING: [&str; 3] = ["listen", "customer", "product"];
/// What `up` is given for all four, of which it gives each service a part.
const SHARED_OUT: [&str; 1] = ["admin"];

/// What `up` takes.
pub(super) fn options() -> Options {
    let mut options = Options::new();
    options.value("data", "where the databases keep their files (./data)", "DIR");
    options.value("host", "the address to listen on (127.0.0.1)", "ADDR");
    let help =
        "where health and metrics are, over HTTP (nowhere): the first of four ports, in the order above";
    options.value("admin", help, "HOST:PORT");
    let services = Service::ALL.map(|service| (service, serve::options(service)));
    for (_, its) in &services {
        for option in its.all().iter().filter(|option| is_passed_on(&option.name)) {
            if options.named(&option.name).is_none() {
                options.offer_as_well(option, help_of(&option.name, &services));
            }
        }
    }
    options
}

/// Refuses what would lead services elsewhere, and says why it is not offered.
///
/// # Errors
/// A word is such an option.
pub(super) fn reject_connecting(args: &[String]) -> Result<(), String> {
    let names = args.iter().filter_map(|word| word.strip_prefix("--")?.split('=').next());
    match names.into_iter().find(|name| CONNECTING.contains(name)) {
        Some(name) => Err(format!(
            "--{name} is for services that are started one by one; `up` connects its own, and --host says where"
        )),
        None => Ok(()),
    }
}

/// What was given that a service has, for its command line.
pub(super) fn passed_on(matches: &Matches, service: Service) -> Vec<String> {
    let mut words = Vec::new();
    for option in serve::options(service).all().iter().filter(|option| is_passed_on(&option.name)) {
        let name = &option.name;
        match option.placeholder {
            Some(_) => words.extend(matches.opt_strs(name).iter().map(|value| format!("--{name}={value}"))),
            None if matches.opt_present(name) => words.push(format!("--{name}")),
            None => {}
        }
    }
    words
}

fn is_passed_on(name: &str) -> bool {
    !CONNECTING.contains(&name) && !SHARED_OUT.contains(&name)
}

/// Which services have an option, if not all do, and what it is for. Where it stands for something else if it is left out,
/// that is not said.
fn help_of(name: &str, services: &[(Service, Options)]) -> String {
    let having: Vec<_> = services
        .iter()
        .filter_map(|(service, its)| Some((*service, its.named(name)?.help.as_str())))
        .collect();
    let whose = match having.iter().map(|&(service, _)| service).collect::<Vec<_>>()[..] {
        [one] => format!("{one}: "),
        [first, second] if first.kind() == second.kind() => match first.kind() {
            Kind::Database => "databases: ".to_owned(),
            Kind::Frontend => "frontends: ".to_owned(),
        },
        _ => String::new(),
    };
    let first = having.first().map_or("", |&(_, help)| help);
    let is_the_same = having.iter().all(|&(_, help)| help == first);
    let what = match first.rsplit_once(" (") {
        Some((what, _)) if !is_the_same => what,
        _ => first,
    };
    format!("{whose}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn given_to(service: Service, line: &str) -> String {
        passed_on(&options().parse(&words(line)).unwrap(), service).join(" ")
    }

    #[test]
    fn each_service_is_given_what_it_has() {
        let line =
            "--log warn --session-timeout=60 --unsafe-no-flush --reactors 2 --data d --admin a:1 --host h";
        assert_eq!(
            given_to(Service::DbCustomer, line),
            "--data=d --unsafe-no-flush --session-timeout=60 --log=warn"
        );
        assert_eq!(given_to(Service::DbProduct, line), "--data=d --unsafe-no-flush --log=warn");
        assert_eq!(given_to(Service::ServerSeller, line), "--reactors=2 --log=warn");
    }

    #[test]
    fn a_value_may_have_any_form() {
        let store = "postgres://market@db/market?sslmode=disable";
        assert_eq!(given_to(Service::DbProduct, &format!("--store {store}")), format!("--store={store}"));
        assert_eq!(given_to(Service::DbProduct, "--log -1"), "--log=-1");
    }

    #[test]
    fn all_that_services_take_is_offered_and_said_whose_it_is() {
        let all = options();
        for service in Service::ALL {
            for option in serve::options(service).all() {
                assert_eq!(all.named(&option.name).is_none(), CONNECTING.contains(&&*option.name));
            }
        }
        let help = |name| all.named(name).unwrap().help.as_str();
        assert!(help("session-timeout").starts_with("db_customer: how long a session may be idle ("));
        assert!(help("in-flight-max").starts_with("databases: "));
        assert!(help("reactors").starts_with("frontends: "));
        assert!(help("idle-timeout").starts_with("how long "));
        assert_eq!(help("line-bytes-max"), "the longest request line", "databases allow more than frontends");
        assert!(all.named("log").unwrap().choices.contains(&"warn"));
    }

    #[test]
    fn where_services_listen_is_not_to_be_given() {
        for name in CONNECTING {
            let error = reject_connecting(&words(&format!("--log warn --{name}=127.0.0.1:1"))).unwrap_err();
            assert!(error.starts_with(&format!("--{name} is for services that are started")), "{error}");
        }
        assert_eq!(reject_connecting(&words("--log warn --host 127.0.0.1")), Ok(()));
    }
}
