//! The shop: buyers buy what sellers change, from two frontends each, while connections break for one side or both,
//! disks fail, clocks jump, clients vanish, and services crash, one of them for good. It ends with an audit.

mod audit;
mod buyer;
mod checkout;
mod intents;
mod ledger;
mod linearity;
mod mischief;
mod seller;
mod session_cart;
mod sessions;
mod stock;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use net::Time;
use net::sim::{Faults, HostId};

use self::buyer::Buyer;
use self::intents::Fate;
use self::ledger::Shared;
use self::mischief::Mischief;
use self::seller::Seller;
use crate::counters::Counters;
use crate::place::Place;
use crate::record::Record;
use crate::store::Keep;
use crate::story::Story;
use crate::weather::rough_network;
use crate::world::World;

const SELLERS: usize = 2;
/// Buyers at a time: whoever vanishes is followed by another one.
const BUYERS: usize = 5;
/// The most buyers of a run.
const BUYERS_MAX: usize = 12;
/// Requests of each user.
const REQUESTS: usize = 50;
/// How long faults last, in milliseconds. After the shortest time most users are in the middle of something; in the
/// longest, most of them finish.
const STORM_MS: RangeInclusive<u64> = 300..=12_000;

/// The connections of a client: two to each frontend, so that two requests at once meet in one of them or not.
fn lanes([one, other]: [Place; 2]) -> [Place; 4] {
    [one, other, other, one]
}

/// Runs everything once, in a world that is made for it.
pub(crate) fn run(keep: Keep, seed: u64, story: &Story) -> Record {
    let mut rng = fastrand::Rng::with_seed(seed);
    let faults = Faults { half_open_percent: rng.u32(0..60), ..rough_network(&mut rng) };
    let mut world = World::new(keep, seed, faults, story.clone());
    let storm_ms = rng.u64(STORM_MS);
    let ledger = Shared::default();
    ledger.borrow_mut().sessions.are_shared = world.is_on_engine();
    let mut mischief = Mischief::new(rng.fork(), &mut world, &ledger);
    let mut users = Users { rng, ledger: Rc::clone(&ledger), sellers: Vec::new(), buyers: Vec::new() };
    users.begin(&mut world);
    let calm_at = world.sim.now() + Duration::from_millis(storm_ms);
    world.run_while(|world| {
        mischief.go_on(world, &ledger);
        users.go_on(world, &mut mischief);
        !users.are_done() && world.sim.now() < calm_at
    });

    ledger.borrow_mut().is_closed = true;
    mischief.end(&mut world);
    world.end_storm();
    users.finish(&mut world, &mut mischief);
    let unfinished = audit::unfinished(&world);
    let answers = audit::audit(&mut world, &mut ledger.borrow_mut());
    let counters = Counters { purchases_unfinished: unfinished, ..count(&world, &ledger, &users, &mischief) };
    Record { trace: world.sim.trace(), counters, answers }
}

fn count(world: &World, ledger: &Shared, users: &Users, mischief: &Mischief) -> Counters {
    let ledger = ledger.borrow();
    Counters {
        purchases_made: ledger.intents.count(|intent| matches!(intent.fate, Fate::Made { .. })),
        purchases_refused: ledger.intents.count(|intent| intent.fate == Fate::Refused),
        purchases_orphaned: world.orphaned,
        purchases_joined: ledger.joined,
        session_timeouts: ledger.sessions.timeouts,
        clients_vanished: users.buyers.iter().filter(|buyer| buyer.has_vanished).count() as u64,
        frontends_killed: mischief.killed,
        clock_jumps: mischief.jumps,
        disks_full: mischief.full_disks,
        ..world.counters()
    }
}

/// Everybody in the shop.
struct Users {
    rng: fastrand::Rng,
    ledger: Shared,
    sellers: Vec<Guest>,
    buyers: Vec<Guest>,
}

/// A user from outside.
struct Guest {
    host: HostId,
    is_done: Rc<Cell<bool>>,
    vanish_at: Rc<Cell<Option<Time>>>,
    has_vanished: bool,
}

impl Users {
    fn begin(&mut self, world: &mut World) {
        for number in 0..SELLERS {
            let name = format!("seller {number}");
            let ledger = Rc::clone(&self.ledger);
            let seller = Seller::new(name.clone(), self.rng.u64(..), ledger, REQUESTS);
            let (host, is_done) = world.add_client(name, &lanes(Place::FOR_SELLERS), seller);
            self.sellers.push(Guest { host, is_done, vanish_at: Rc::default(), has_vanished: false });
        }
        for _ in 0..BUYERS {
            self.add_buyer(world);
        }
    }

    fn add_buyer(&mut self, world: &mut World) {
        let name = format!("buyer {}", self.buyers.len());
        let vanish_at = Rc::<Cell<Option<Time>>>::default();
        let (seed, ledger) = (self.rng.u64(..), Rc::clone(&self.ledger));
        let buyer = Buyer::new(name.clone(), seed, ledger, REQUESTS, Rc::clone(&vanish_at));
        let (host, is_done) = world.add_client(name, &lanes(Place::FOR_BUYERS), buyer);
        self.buyers.push(Guest { host, is_done, vanish_at, has_vanished: false });
    }

    /// Lets those vanish whose time it is, sometimes together with a frontend.
    fn go_on(&mut self, world: &mut World, mischief: &mut Mischief) {
        let now = world.sim.now();
        for number in 0..self.buyers.len() {
            let guest = &mut self.buyers[number];
            if guest.vanish_at.get().is_none_or(|at| at > now) || guest.is_done.get() || guest.has_vanished {
                continue;
            }
            guest.has_vanished = true;
            world.story.tell(now, format_args!("buyer {number} vanishes"));
            world.sim.crash(guest.host);
            if self.rng.bool() {
                mischief.strike(world);
            }
            if self.buyers.len() < BUYERS_MAX {
                self.add_buyer(world);
            }
        }
    }

    /// Lets all of them finish, or vanish, and then nobody asks for what has begun.
    fn finish(&mut self, world: &mut World, mischief: &mut Mischief) {
        if self.rng.bool() {
            let present = self.sellers.iter().chain(&self.buyers).filter(|guest| !guest.has_vanished);
            present.for_each(|guest| world.sim.crash(guest.host));
        } else {
            world.run_while(|world| {
                mischief.note_restarts(world, &self.ledger);
                !self.are_done()
            });
        }
    }

    fn are_done(&self) -> bool {
        self.sellers.iter().chain(&self.buyers).all(|guest| guest.has_vanished || guest.is_done.get())
    }
}
