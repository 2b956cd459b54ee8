//! The command line of `up`: its own options, and those of the services, which it passes on to each service that has
//! them. What a value means is known to the services alone.

use getopts::{Fail, Options};

use crate::serve;
use crate::service::Service;

/// Options of services that follow from those of `up`.
const DECIDED: [&str; 3] = ["listen", "customer", "product"];

/// What was given that is not `up`'s own.
pub(super) struct PassedOn(Vec<Given>);

/// An option of some service, as the words that it was given in.
struct Given {
    name: String,
    words: Vec<String>,
}

/// The options of `up` itself.
pub(super) fn own_options() -> Options {
    let mut options = Options::new();
    options.optopt("", "data", "where the databases keep their files (./data)", "DIR");
    options.optopt("", "host", "the address to listen on (127.0.0.1)", "ADDR");
    let help =
        "where health and metrics are, over HTTP (nowhere): the first of four ports, in the order above";
    options.optopt("", "admin", help, "HOST:PORT");
    options
}

/// Tells apart what is `up`'s own or nobody's, which is left for it to parse, and what services are to have.
///
/// # Errors
/// A service is to have something that `up` decides.
pub(super) fn tell_apart(args: &[String]) -> Result<(Vec<String>, PassedOn), String> {
    let own = own_options();
    let services = Service::ALL.map(serve::options);
    let (mut ours, mut passed_on) = (Vec::new(), Vec::new());
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let takers = |name: &str| services.iter().find_map(|options| takes_value(options, name));
        let name = long_name(word).filter(|name| takes_value(&own, name).is_none());
        let Some((name, takes_value)) = name.and_then(|name| Some((name, takers(name)?))) else {
            ours.push(word.clone());
            continue;
        };
        if DECIDED.contains(&name) {
            return Err(format!(
                "--{name} is for services that are started one by one; `up` connects its own"
            ));
        }
        let value = if takes_value && !word.contains('=') { words.next() } else { None };
        let words = [word].into_iter().chain(value).cloned().collect();
        passed_on.push(Given { name: name.to_owned(), words });
    }
    Ok((ours, PassedOn(passed_on)))
}

impl PassedOn {
    /// What of it a service has.
    pub(super) fn to(&self, service: Service) -> impl Iterator<Item = String> {
        let options = serve::options(service);
        let its = self.0.iter().filter(move |given| takes_value(&options, &given.name).is_some());
        its.flat_map(|given| given.words.iter().cloned())
    }
}

fn long_name(word: &str) -> Option<&str> {
    word.strip_prefix("--")?.split('=').next()
}

/// Whether the option of this name takes a value, if there is one.
fn takes_value(options: &Options, name: &str) -> Option<bool> {
    match options.parse([format!("--{name}")]) {
        Ok(_) => Some(false),
        Err(Fail::ArgumentMissing(_)) => Some(true),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_apart(line: &str) -> Result<(Vec<String>, PassedOn), String> {
        tell_apart(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    fn passed_on(line: &str, service: Service) -> String {
        let (_, passed_on) = told_apart(line).unwrap();
        passed_on.to(service).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_service_is_given_what_it_has() {
        let line = "--log warn --session-timeout=60 --unsafe-no-flush --reactors 2";
        assert_eq!(passed_on(line, Service::DbCustomer), "--log warn --session-timeout=60 --unsafe-no-flush");
        assert_eq!(passed_on(line, Service::DbProduct), "--log warn --unsafe-no-flush");
        assert_eq!(passed_on(line, Service::ServerSeller), "--log warn --reactors 2");
    }

    #[test]
    fn what_is_its_own_or_nobodys_is_left() {
        let (ours, passed_on) = told_apart("--data d --log warn -h --bogus word --admin=a:1").unwrap();
        assert_eq!(ours.join(" "), "--data d -h --bogus word --admin=a:1");
        assert_eq!(passed_on.to(Service::DbProduct).collect::<Vec<_>>(), ["--log", "warn"]);
    }

    #[test]
    fn the_addresses_of_services_are_not_to_be_given() {
        for name in DECIDED {
            let error = told_apart(&format!("--{name} 127.0.0.1:1")).err().unwrap();
            assert!(
                error.starts_with(&format!("--{name} is for services that are started one by one")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_missing_value_is_left_for_the_service_to_miss() {
        assert_eq!(passed_on("--reactors", Service::ServerBuyer), "--reactors");
    }
}
