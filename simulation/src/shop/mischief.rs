//! [`Mischief`]: crashes, the end of a frontend for good, disks that are full, and clocks that differ and jump.

use std::time::Duration;

use net::Time;
use services::DiskFaults;

use super::ledger::Shared;
use crate::place::Place;
use crate::weather::{Crashes, rough_disk};
use crate::world::World;

/// The most that clocks differ at the start.
const DIFFERENCE_MAX: Duration = Duration::from_secs(5);
/// The longest time between two jumps of a clock.
const STEADY_MAX: Duration = Duration::from_millis(3000);
/// The longest time for which a disk is full.
const FULL_MAX: Duration = Duration::from_millis(1500);
/// The longest jump: far more than sessions may be idle.
const JUMP_MAX: Duration = Duration::from_secs(1000);

pub(super) struct Mischief {
    rng: fastrand::Rng,
    crashes: Crashes,
    /// When a clock jumps next.
    jump_at: Time,
    /// The frontend for buyers that is killed for good, and the one for sellers, if that is to come yet.
    victims: Vec<Place>,
    kill_at: Time,
    /// How the disks are when they are not full.
    disks: DiskFaults,
    full_at: Time,
    /// The database whose disk is full, and until when.
    full: Option<(Place, Time)>,
    pub(super) full_disks: u64,
    customer_starts: u64,
    pub(super) jumps: u64,
    pub(super) killed: u64,
}

impl Mischief {
    pub(super) fn new(mut rng: fastrand::Rng, world: &mut World, ledger: &Shared) -> Self {
        let now = world.sim.now();
        let disks = rough_disk(&mut rng);
        world.begin_storm(&disks);
        for place in world.places().iter().copied().filter(|place| *place != Place::SecondDbCustomer) {
            let ahead = up_to(&mut rng, DIFFERENCE_MAX);
            set_clock_ahead(world, ledger, place, ahead);
        }
        let victims =
            [Place::FOR_BUYERS, Place::FOR_SELLERS].map(|places| rng.choice(places).expect("there are two"));
        let victims = victims.into_iter().filter(|_| rng.bool()).collect();
        let [jump_at, kill_at, full_at] = [(); 3].map(|()| now + up_to(&mut rng, STEADY_MAX));
        let crashes = Crashes::new(rng.fork(), world);
        Self {
            rng,
            crashes,
            jump_at,
            victims,
            kill_at,
            disks,
            full_at,
            full: None,
            full_disks: 0,
            customer_starts: world.customer_starts,
            jumps: 0,
            killed: 0,
        }
    }

    pub(super) fn go_on(&mut self, world: &mut World, ledger: &Shared) {
        let now = world.sim.now();
        self.crashes.go_on(world);
        self.note_restarts(world, ledger);
        if self.kill_at <= now {
            self.strike(world);
            self.kill_at = now + up_to(&mut self.rng, STEADY_MAX);
        }
        self.fill_disks(world);
        if self.jump_at <= now {
            self.jump(world, ledger);
            self.jump_at = now + up_to(&mut self.rng, STEADY_MAX);
        }
    }

    /// Has it known that `db_customer` was started again, which disks may lead to after all mischief is over.
    pub(super) fn note_restarts(&mut self, world: &World, ledger: &Shared) {
        if world.customer_starts > self.customer_starts {
            self.customer_starts = world.customer_starts;
            ledger.borrow_mut().sessions.restarted(world.sim.now());
        }
    }

    /// Lets a disk be full for a while: nothing can be committed there.
    fn fill_disks(&mut self, world: &mut World) {
        let now = world.sim.now();
        if let Some((place, _)) = self.full.take_if(|(_, until)| *until <= now) {
            world.story.tell(now, format_args!("the disk of {place:?} has room again"));
            world.set_disk_of(place, &self.disks);
            self.full_at = now + 2 * up_to(&mut self.rng, STEADY_MAX);
        }
        if self.full.is_none() && self.full_at <= now {
            let place = *self.rng.choice(world.databases()).expect("there are some");
            world.story.tell(now, format_args!("the disk of {place:?} is full"));
            let full = DiskFaults { failures_per_million: 1_000_000, ..self.disks.clone() };
            world.set_disk_of(place, &full);
            self.full = Some((place, now + up_to(&mut self.rng, FULL_MAX)));
            self.full_disks += 1;
        }
    }

    /// Kills a frontend for good, if one is left that may be.
    pub(super) fn strike(&mut self, world: &mut World) {
        if let Some(place) = self.victims.pop() {
            self.crashes.kill(world, place);
            self.killed += 1;
        }
    }

    /// Starts all services again but those that were killed for good.
    pub(super) fn end(&self, world: &mut World) {
        self.crashes.end(world);
    }

    /// Sets a clock forwards, as after a while in which the machine was suspended; where nothing runs, also back.
    fn jump(&mut self, world: &mut World, ledger: &Shared) {
        let place = *self.rng.choice(world.places()).expect("there are services");
        let ahead = up_to(&mut self.rng, JUMP_MAX);
        let ahead =
            if world.runs(place) || place.is_customer() { world.clock_ahead(place) + ahead } else { ahead };
        set_clock_ahead(world, ledger, place, ahead);
        self.jumps += 1;
    }
}

fn set_clock_ahead(world: &mut World, ledger: &Shared, place: Place, ahead: Duration) {
    if !place.is_customer() {
        return world.set_clock_ahead(place, ahead);
    }
    ledger.borrow_mut().sessions.set_clock_ahead(world.sim.now(), ahead);
    world
        .databases()
        .iter()
        .filter(|place| place.is_customer())
        .for_each(|place| world.set_clock_ahead(*place, ahead));
}

fn up_to(rng: &mut fastrand::Rng, most: Duration) -> Duration {
    Duration::from_micros(rng.u64(0..most.as_micros() as u64))
}
