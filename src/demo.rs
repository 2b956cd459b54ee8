//! `marketplace demo`: fills an empty marketplace with a catalogue and people, to have something to try out.
//!
//! There is no chance in it, and each step looks first at what is there, so it can be run again: after it was broken off,
//! which completes it, or after it was done, which changes nothing.

mod buyers;
mod market;
mod member;
mod sellers;

use std::process::ExitCode;

use getopts::Matches;

use crate::client::check_address;
use crate::command_line::{FAILED, print, reject_arguments, report};
use crate::options::Options;
use crate::service::Service;
use crate::shell::failure::explain_call;
use crate::subcommand::{Group, Subcommand};
use crate::text::escape;
use crate::tls::{self, ClientFiles};
use crate::usage::Usage;
use market::{Failure, Market};
use member::PASSWORD;

const BRIEF: &str = "\
Usage: marketplace demo [OPTION]…

Fills an empty marketplace with 200 items of 6 sellers and with 10 buyers, some of whom have
bought, voted or filled a cart. Everybody knows the password of all of them, so this is for
trying things out. Run again, it completes what was broken off and changes nothing else.
Exit status: 0 done, 1 a service answered with an error or the marketplace has items already,
2 usage, 3 cannot connect.";

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Use, "demo", usage, run)
}

fn usage() -> Usage {
    let mut options = Options::new();
    let (buyer, seller) = (Service::ServerBuyer.default_address(), Service::ServerSeller.default_address());
    options.value("buyer", &format!("the service for buyers ({buyer})"), "HOST:PORT");
    options.value("seller", &format!("the service for sellers ({seller})"), "HOST:PORT");
    tls::add_client_option(&mut options);
    options.flag("force", "fill a marketplace, too, that has items already");
    Usage::new("marketplace demo", "fill an empty marketplace with something to try out", BRIEF, options)
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let market = match market(&matches) {
        Ok(market) => market,
        Err(message) => return usage.error(&message),
    };
    match fill(&market, matches.opt_present("force")) {
        Ok(()) => print(&what_next(&market)),
        Err(Failure::Refused(message)) => {
            report(&format!("error: {}", escape(&message)));
            ExitCode::from(FAILED)
        }
        Err(Failure::Call(error)) => {
            ExitCode::from(explain_call(&error, false, Some("Run the same again to go on.")))
        }
    }
}

fn market(matches: &Matches) -> Result<Market, String> {
    reject_arguments(matches)?;
    let address = |option, service: Service| {
        let address = matches.opt_str(option).unwrap_or_else(|| service.default_address());
        check_address(&address).map(|()| address)
    };
    Ok(Market {
        buyer: address("buyer", Service::ServerBuyer)?,
        seller: address("seller", Service::ServerSeller)?,
        tls: ClientFiles::given(matches)?.map(|files| files.tls),
    })
}

fn fill(market: &Market, is_forced: bool) -> Result<(), Failure> {
    if !is_forced && sellers::has_items(market)? && !sellers::was_here(market)? {
        let message = "the marketplace has items already; with --force it gets those of the demo as well";
        return Err(Failure::Refused(message.to_owned()));
    }
    let item_ids = sellers::open_shops(market)?;
    buyers::go_shopping(market, &item_ids)
}

/// What there is now, and what to do with it.
fn what_next(market: &Market) -> String {
    let option = |name: &str, address: &str, service: Service| {
        if address == service.default_address() {
            String::new()
        } else {
            format!(" {name} {}", escape(address))
        }
    };
    let buyer = option("--server", &market.buyer, Service::ServerBuyer);
    let seller = option("--server", &market.seller, Service::ServerSeller);
    let (sellers, buyers) = (sellers::usernames().join(", "), buyers::usernames().join(", "));
    let (a_seller, a_buyer) = (sellers::usernames()[0], buyers::usernames()[0]);
    format!(
        "The demo has {items} items of {count} sellers in {categories} categories.
Sellers: {sellers}.
Buyers: {buyers}.
The password of all of them is {PASSWORD}.

Try next:
  marketplace buyer{buyer} search guitar
  marketplace buyer{buyer} login {a_buyer} --password {PASSWORD}
  marketplace buyer{buyer} purchases
  marketplace seller{seller} login {a_seller} --password {PASSWORD}
  marketplace seller{seller} rating
  marketplace seller{seller} export shop.csv
",
        items = sellers::catalogue().len(),
        count = sellers::usernames().len(),
        categories = sellers::categories().count(),
    )
}
