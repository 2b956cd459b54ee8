//! [`Store`]: what the databases of a world keep their rows in.

use fake_postgres::Isolation;
use net::Time;
use net::sim::Sim;
use services::{CrashPoints, DiskFaults};

use crate::disks::Disks;
use crate::engine::{Cluster, EngineCounters};
use crate::place::Place;
use crate::story::Story;

/// What the databases of a run keep their rows in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A simulated disk for each of two databases.
    Disks,
    /// SQLite's files, which take longer.
    Files,
    /// An engine for two of each database, whose transactions are isolated like this, or as the seed has it.
    Engine(Option<Isolation>),
}

/// The levels of isolation, of which seeds have one each.
const ISOLATIONS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

pub(crate) enum Store {
    Disks(Disks),
    Engine(Cluster),
}

impl Store {
    /// What a run begins with. Where it is an engine, its hosts are the first of the network.
    pub(crate) fn new(keep: Keep, seed: u64, sim: &mut Sim, story: &Story) -> Self {
        match keep {
            Keep::Disks => Self::Disks(Disks::simulated(seed)),
            Keep::Files => Self::Disks(Disks::files()),
            Keep::Engine(isolation) => {
                let by_seed = ISOLATIONS[(seed % ISOLATIONS.len() as u64) as usize];
                let isolation = isolation.unwrap_or(by_seed);
                Self::Engine(Cluster::new(sim, isolation, seed, story.clone()))
            }
        }
    }

    /// From now on it fails, and disks are like this.
    pub(crate) fn begin_storm(&mut self, now: Time, disk: &DiskFaults) {
        match self {
            Self::Disks(disks) => disks.set_faults(disk),
            Self::Engine(cluster) => cluster.begin_storm(now, disk),
        }
    }

    /// The disk of a database is like this from now on: that of the engine, if there is one.
    pub(crate) fn set_disk_of(&mut self, place: Place, disk: &DiskFaults) {
        match self {
            Self::Disks(disks) => disks.set_faults_of(place, disk),
            Self::Engine(cluster) => cluster.set_disk(disk),
        }
    }

    /// It fails no more.
    pub(crate) fn end_storm(&mut self, now: Time) {
        match self {
            Self::Disks(disks) => disks.set_faults(&DiskFaults::default()),
            Self::Engine(cluster) => cluster.end_storm(now),
        }
    }

    /// Lets a database that is about to crash leave its files as they are.
    pub(crate) fn leave_open(&mut self, place: Place) {
        if let Self::Disks(disks) = self {
            disks.leave_open(place);
        }
    }

    /// Runs the network until this time, and does meanwhile what is due.
    pub(crate) fn run_until(&mut self, sim: &mut Sim, until: Time) {
        if let Self::Engine(cluster) = self {
            while let Some(at) = cluster.next_at().filter(|at| *at <= until) {
                sim.run_until(at);
                cluster.go_on(sim);
            }
        }
        sim.run_until(until);
        if let Self::Engine(cluster) = self {
            cluster.go_on(sim);
        }
    }

    /// What crashes have met so far.
    pub(crate) fn crash_points(&self) -> CrashPoints {
        match self {
            Self::Disks(disks) => disks.crash_points(),
            Self::Engine(_) => CrashPoints::default(),
        }
    }

    /// What an engine has done so far.
    pub(crate) fn engine_met(&self) -> EngineCounters {
        match self {
            Self::Disks(_) => EngineCounters::default(),
            Self::Engine(cluster) => cluster.met(),
        }
    }
}
