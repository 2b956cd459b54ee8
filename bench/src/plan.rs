//! [`Plan`]: what is to be measured.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::api::Role;
use crate::length::Length;
use crate::mix::Mix;
use crate::place::Place;

/// The most clients of each role.
const CLIENTS_MAX: usize = 10_000;
/// Sessions end when they were not used for so long, unless their service is told otherwise.
const SESSION_IDLE_MAX_S: f64 = 300.0;

/// What a benchmark is to measure, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Numbers of clients, each measured by itself.
    pub scenarios: Vec<Scenario>,
    /// Runs of each scenario.
    pub runs: usize,
    /// How long each run measures.
    pub length: Length,
    /// Calls of each client before those that are measured.
    pub warmup: usize,
    /// What is called.
    pub mix: Mix,
    /// Items that are bought, if that is what the mix does.
    pub items: Option<usize>,
    /// Calls a second of all clients together, sent on schedule; `None`: each call follows the reply before.
    pub rate: Option<f64>,
    /// Whether the same clients call a bare relay in turn.
    pub floor: bool,
    /// Where the data lie of a relay that flushes what the services would flush, if the same clients call one in turn.
    pub flushed_floor: Option<Place>,
    /// The program whose services are measured in turn with those of this one.
    pub against: Option<PathBuf>,
    /// Whether a call whose connection was cut is made again, unless that would act twice.
    pub retry: bool,
    /// Decides every choice of the clients.
    pub seed: u64,
}

impl Plan {
    /// # Errors
    /// A scenario leaves its mix nothing to do, or the floor would say nothing.
    pub fn check(&self) -> Result<(), String> {
        let mix = &self.mix;
        let floors = [(self.floor, "--floor"), (self.flushed_floor.is_some(), "--floor-flush")];
        if let Some((_, option)) = floors.into_iter().find(|(is_wanted, _)| *is_wanted && self.rate.is_some())
        {
            return Err(format!(
                "a relay that keeps the same schedule is as fast as it: leave out {option} or --rate"
            ));
        }
        for scenario in &self.scenarios {
            if self.active_clients(*scenario) == 0 {
                return Err(format!("{scenario} has nobody who calls {}", mix.name()));
            }
            let pause_s = self.rate.map_or(0.0, |rate| self.active_clients(*scenario) as f64 / rate);
            let needs_session = [Role::Buyer, Role::Seller].into_iter().any(|role| mix.needs_session(role));
            if pause_s >= SESSION_IDLE_MAX_S && needs_session {
                return Err(format!(
                    "--rate: each client of {scenario} would wait {pause_s:.0} s between its calls, and sessions end after {SESSION_IDLE_MAX_S} s"
                ));
            }
            if mix.needs_items() && scenario.buyers > 0 && self.sellers(*scenario) == 0 {
                return Err(format!("{scenario} needs a seller, whose item buyers can ask for"));
            }
        }
        Ok(())
    }

    /// The sellers of a scenario. Of a mix that buys certain items there is one at least, who has them.
    pub(crate) fn sellers(&self, scenario: Scenario) -> usize {
        scenario.sellers.max(usize::from(self.items.is_some()))
    }

    /// How many items the seller of this number has at the beginning: the first ones have one more where they cannot all
    /// have as many.
    pub(crate) fn items_of(&self, scenario: Scenario, number: usize) -> usize {
        let sellers = self.sellers(scenario);
        self.items.map_or(1, |items| items / sellers + usize::from(number < items % sellers))
    }

    /// The clients of a scenario that the mix has something to do for.
    pub(crate) fn active_clients(&self, scenario: Scenario) -> usize {
        let of = |role, count| if self.mix.calls(role) { count } else { 0 };
        of(Role::Buyer, scenario.buyers) + of(Role::Seller, scenario.sellers)
    }
}

/// How many clients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Clients of `server_buyer`.
    pub buyers: usize,
    /// Clients of `server_seller`.
    pub sellers: usize,
}

impl Scenario {
    /// The three that are measured unless others are asked for.
    pub const STANDARD: [Self; 3] = [Self::of(1), Self::of(10), Self::of(100)];

    const fn of(each: usize) -> Self {
        Self { buyers: each, sellers: each }
    }

    /// All clients.
    pub fn clients(self) -> usize {
        self.buyers + self.sellers
    }
}

impl FromStr for Scenario {
    type Err = String;

    /// Reads `BUYERS+SELLERS`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number| (0..=CLIENTS_MAX).contains(number));
        let read = || {
            let (buyers, sellers) = text.split_once('+')?;
            let scenario = Self { buyers: number(buyers)?, sellers: number(sellers)? };
            (scenario.clients() > 0).then_some(scenario)
        };
        read().ok_or_else(|| {
            format!("{text:?} is not BUYERS+SELLERS, each from 0 to {CLIENTS_MAX}, like 100+100")
        })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}+{}", self.buyers, self.sellers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(mix: &str, scenario: &str) -> Plan {
        let scenarios = vec![scenario.parse().expect("valid")];
        let mix = Mix::from_name(mix).expect("valid");
        let items = mix.is_purchase().then_some(10);
        let (rate, floor, retry) = (None, false, false);
        let length = Length::Calls(1);
        Plan {
            scenarios,
            runs: 1,
            length,
            warmup: 0,
            mix,
            items,
            rate,
            floor,
            flushed_floor: None,
            against: None,
            retry,
            seed: 0,
        }
    }

    #[test]
    fn what_is_bought_is_spread_over_the_sellers_and_somebody_has_it() {
        let items = |scenario: &str| {
            let plan = plan("purchase", scenario);
            plan.check().expect("it has something to do");
            let scenario = plan.scenarios[0];
            (0..plan.sellers(scenario)).map(|number| plan.items_of(scenario, number)).collect::<Vec<_>>()
        };
        assert_eq!(items("1+0"), [10]);
        assert_eq!(items("5+3"), [4, 3, 3]);
        assert_eq!(items("5+12").iter().sum::<usize>(), 10, "some have none");
        assert!(plan("purchase", "0+1").check().is_err(), "nobody buys anything");
    }

    #[test]
    fn a_scenario_must_have_something_to_do() {
        assert!(plan("default", "1+0").check().is_ok());
        assert!(plan("shopping", "1+0").check().is_err(), "nobody sells anything");
        assert!(plan("shopping", "0+1").check().is_ok());
        assert!(plan("GetItem", "0+1").check().is_err(), "nobody buys anything");
        assert_eq!(plan("GetItem", "3+2").active_clients(Scenario { buyers: 3, sellers: 2 }), 3);
    }

    #[test]
    fn a_schedule_is_no_race_with_the_floor() {
        let scheduled = Plan { rate: Some(10.0), ..plan("default", "1+1") };
        assert!(scheduled.check().is_ok());
        assert!(Plan { floor: true, ..scheduled.clone() }.check().is_err());
        assert!(Plan { flushed_floor: Some(Place::default()), ..scheduled }.check().is_err());
    }

    #[test]
    fn a_schedule_is_not_so_slow_that_sessions_end() {
        let at = |rate, mix, scenario| Plan { rate: Some(rate), ..plan(mix, scenario) }.check();
        assert!(at(0.1, "default", "10+10").is_ok());
        assert!(at(0.1, "default", "10+20").is_err());
        assert!(at(0.1, "Ping", "100+0").is_ok(), "nobody logs in");
    }

    #[test]
    fn scenarios_are_read_and_written_alike() {
        for text in ["1+1", "100+0", "0+7"] {
            assert_eq!(text.parse::<Scenario>().expect("valid").to_string(), text);
        }
        for text in ["", "1", "0+0", "-1+1", "1+10001", "1+1+1"] {
            assert!(text.parse::<Scenario>().is_err(), "{text}");
        }
    }
}
