//! The weather of a run: how rough network and disks are, and which services crash when. It knows nothing of users.

use std::time::Duration;

use net::Time;
use net::sim::Faults;
use services::DiskFaults;

use crate::history::SLOW_STEP_MAX;
use crate::place::Place;
use crate::world::World;

/// The longest time between two crashes: one of these in each run. The shorter it is, the more crashes meet a
/// change half done; the longer, the more is done.
const CALMS_MAX: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];
/// The longest that a service is down: longer than anybody waits for it.
const DOWN_MAX: Duration = Duration::from_secs(5);

/// A network that is slow, splits what it carries, and breaks.
pub(crate) fn rough_network(rng: &mut fastrand::Rng) -> Faults {
    Faults {
        delay_max: Duration::from_micros(rng.u64(100..8000)),
        cuts_per_million: rng.u32(0..8000),
        window_bytes_max: rng.usize(200..8192),
        ..Faults::default()
    }
}

/// A disk that may be slow, or fail.
pub(crate) fn rough_disk(rng: &mut fastrand::Rng) -> DiskFaults {
    DiskFaults {
        step_max: Duration::from_micros(rng.u64(100..4000)),
        slow_per_million: rng.u32(0..20_000),
        slow_step_max: SLOW_STEP_MAX,
        failures_per_million: rng.u32(0..10_000),
    }
}

/// Crashes services now and then, and starts them again some time later.
pub(crate) struct Crashes {
    rng: fastrand::Rng,
    calm_max: Duration,
    next_at: Time,
    /// The services that are down, and until when.
    down: Vec<(Time, Place)>,
    /// Those that never start again.
    killed: Vec<Place>,
}

impl Crashes {
    pub(crate) fn new(mut rng: fastrand::Rng, world: &World) -> Self {
        let calm_max = rng.choice(CALMS_MAX).expect("there are some");
        // Where an engine fails as well, a database has to connect to it each time.
        let calm_max = if world.is_on_engine() { calm_max * 3 } else { calm_max };
        let now = world.sim.now();
        Self { rng, calm_max, next_at: now, down: Vec::new(), killed: Vec::new() }
    }

    pub(crate) fn go_on(&mut self, world: &mut World) {
        let now = world.sim.now();
        let (over, down) = self.down.iter().copied().partition(|(until, _)| *until <= now);
        self.down = down;
        let over: Vec<(Time, Place)> = over;
        over.iter().for_each(|(_, place)| world.start(*place));
        if self.next_at > now {
            return;
        }
        self.next_at = now + self.up_to(self.calm_max);
        let place = *self.rng.choice(world.places()).expect("there are services");
        if self.killed.contains(&place) || self.down.iter().any(|(_, other)| *other == place) {
            return;
        }
        if place.is_database() && self.rng.bool() {
            world.crash_with_open_files(place);
        } else {
            world.crash(place);
        }
        // Most services are back at once.
        let down = if self.rng.u8(0..8) > 0 { Duration::ZERO } else { self.up_to(DOWN_MAX) };
        self.down.push((now + down, place));
    }

    /// Crashes a service that never starts again.
    pub(crate) fn kill(&mut self, world: &mut World, place: Place) {
        self.killed.push(place);
        self.down.retain(|(_, other)| *other != place);
        if world.runs(place) {
            world.crash(place);
        }
    }

    /// Starts what is down again, but for what was killed.
    pub(crate) fn end(&self, world: &mut World) {
        self.down.iter().for_each(|(_, place)| world.start(*place));
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.rng.u64(0..most.as_micros() as u64))
    }
}
