//! [`Cluster`]: a primary and its standby, and who manages them: it starts what has died, and has the standby take the
//! place of the primary.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fake_postgres::{Engine, Faults, Isolation};
use net::Time;
use net::sim::{HostId, Sim};
use services::DiskFaults;
use services::postgres::{Config, Row};

use super::EngineCounters;
use super::host::{EngineHost, Role, State};
use super::outages::{Outage, Outages};
use super::terminal::Terminal;
use super::weather::{Weather, up_to};
use crate::story::Story;

/// How long it takes a server to begin anew that has ended itself.
const RECOVERY_MAX: Duration = Duration::from_millis(400);

pub(crate) struct Cluster {
    state: Rc<RefCell<State>>,
    hosts: [HostId; 2],
    runs: [bool; 2],
    /// The place of the primary.
    primary: usize,
    config: Config,
    /// What is to be done when.
    plans: Vec<(Time, Plan)>,
    outages: Option<Outages>,
    story: Story,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Both hosts are to run.
    Start,
    /// The standby takes the place of the primary, and that of the standby is taken by what was the primary.
    Promote,
    /// A bad mood is over.
    CheerUp,
}

impl Cluster {
    /// Both hosts, running, with all tables.
    pub(crate) fn new(sim: &mut Sim, isolation: Isolation, seed: u64, story: Story) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let hosts = [sim.add_host(&[]), sim.add_host(&[])];
        let connections = rng.usize(1..=3);
        let statements = if rng.u8(0..8) == 0 { "unnamed" } else { "named" };
        let pipeline = if rng.u8(0..8) == 0 { "off" } else { "on" };
        let url = format!(
            "postgres://market@engine-0,engine-1/shop?sslmode=disable&connections={connections}\
             &statements={statements}&pipeline={pipeline}"
        );
        let config = Config::parse(&url, None).expect("a good URL");
        let mut engine = Engine::new(isolation, rng.u64(..));
        Terminal::open(&mut engine, &config).migrate();
        story.tell(sim.now(), format_args!("the engine is at {isolation:?}, and databases have {url}"));
        let (weather, met) = (Weather::default(), EngineCounters::default());
        let state = Rc::new(RefCell::new(State { engine, weather, rng, has_failed: false, met }));
        let mut cluster = Self {
            state,
            hosts,
            runs: [false; 2],
            primary: 0,
            config,
            plans: Vec::new(),
            outages: None,
            story,
        };
        cluster.carry_out(sim, Plan::Start);
        cluster
    }

    /// Where it runs.
    pub(crate) fn hosts(&self) -> [HostId; 2] {
        self.hosts
    }

    /// How databases reach it.
    pub(crate) fn config(&self) -> Config {
        self.config.clone()
    }

    pub(crate) fn met(&self) -> EngineCounters {
        self.state.borrow().met
    }

    /// From now on it fails, and its disk is like this.
    pub(crate) fn begin_storm(&mut self, now: Time, disk: &DiskFaults) {
        let State { weather, rng, engine, .. } = &mut *self.state.borrow_mut();
        *weather = Weather { disk: disk.clone(), ..Weather::rough(rng) };
        engine.set_faults(weather.faults);
        self.outages = Some(Outages::begin(rng.fork(), now));
    }

    /// Its disk is like this from now on.
    pub(crate) fn set_disk(&mut self, disk: &DiskFaults) {
        self.state.borrow_mut().weather.disk = disk.clone();
    }

    /// It fails no more. What is down is soon back.
    pub(crate) fn end_storm(&mut self, now: Time) {
        self.outages = None;
        let State { weather, engine, .. } = &mut *self.state.borrow_mut();
        *weather = Weather::default();
        engine.set_faults(Faults::default());
        self.plans.iter_mut().for_each(|(at, _)| *at = now);
    }

    /// When [`go_on`](Self::go_on) is to be called next.
    pub(crate) fn next_at(&self) -> Option<Time> {
        let outage = self.outages.as_ref().and_then(|outages| outages.next_at);
        self.plans.iter().map(|(at, _)| *at).chain(outage).min()
    }

    /// Does what is due.
    pub(crate) fn go_on(&mut self, sim: &mut Sim) {
        let now = sim.now();
        if self.state.borrow().has_failed {
            self.story.tell(now, format_args!("the engine cannot flush a commit, and ends"));
            let recovers_at = now + up_to(RECOVERY_MAX, &mut self.state.borrow_mut().rng);
            self.crash(sim, Plan::Start, recovers_at);
        }
        while let Some(place) = self.plans.iter().position(|(at, _)| *at <= now) {
            let (_, plan) = self.plans.remove(place);
            self.carry_out(sim, plan);
        }
        let next_at = self.outages.as_ref().and_then(|outages| outages.next_at);
        if next_at.is_some_and(|at| at <= now)
            && let Some(outages) = &mut self.outages
        {
            let outage = outages.next(now);
            self.befall(sim, outage);
        }
    }

    /// The primary dies, and is back at once.
    pub(crate) fn restart(&mut self, sim: &mut Sim) {
        self.crash(sim, Plan::Start, sim.now());
        self.go_on(sim);
    }

    /// The rows that a statement returns, whatever hosts do.
    pub(crate) fn read(&self, sql: &'static str) -> Vec<Row> {
        // What is under way is left to itself.
        let mut engine = self.state.borrow().engine.clone();
        engine.set_faults(Faults::default());
        Terminal::open(&mut engine, &self.config).read(sql)
    }

    fn befall(&mut self, sim: &mut Sim, outage: Outage) {
        self.story.tell(sim.now(), format_args!("what befalls the engine: {outage:?}"));
        let now = sim.now();
        match outage {
            Outage::Crash(away) => self.crash(sim, Plan::Start, now + away),
            Outage::FailOver(away) => {
                self.crash(sim, Plan::Promote, now + away);
                self.start(sim, 1 - self.primary, Role::Standby);
            }
            Outage::SwitchOver(away) => {
                self.mood(|weather| weather.ends_older_than = Some(now));
                self.plans.push((now + away, Plan::Promote));
            }
            Outage::Termination => self.mood(|weather| weather.ends_older_than = Some(now)),
            Outage::ReadOnly(lasts) => {
                self.mood(|weather| (weather.is_read_only, weather.ends_older_than) = (true, Some(now)));
                self.plans.push((now + lasts, Plan::CheerUp));
            }
            Outage::Full(lasts) => {
                self.mood(|weather| (weather.is_full, weather.ends_older_than) = (true, Some(now)));
                self.plans.push((now + lasts, Plan::CheerUp));
            }
            Outage::Slow(lasts, late_max) => {
                self.mood(|weather| weather.late_max = late_max);
                self.state.borrow_mut().met.slow += 1;
                self.plans.push((now + lasts, Plan::CheerUp));
            }
        }
    }

    fn mood(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.state.borrow_mut().weather);
    }

    fn carry_out(&mut self, sim: &mut Sim, plan: Plan) {
        match plan {
            Plan::Start => {
                self.start(sim, self.primary, Role::Primary);
                self.start(sim, 1 - self.primary, Role::Standby);
            }
            Plan::Promote => {
                self.end_all(sim);
                self.primary = 1 - self.primary;
                self.state.borrow_mut().met.fail_overs += 1;
                self.story.tell(sim.now(), format_args!("engine-{} is the primary", self.primary));
                self.carry_out(sim, Plan::Start);
            }
            Plan::CheerUp => self.mood(|weather| {
                (weather.is_read_only, weather.is_full, weather.late_max) = (false, false, Duration::ZERO);
                // A session that was made meanwhile takes no changes.
                weather.ends_older_than = Some(sim.now());
            }),
        }
    }

    /// The primary dies, and this follows at that time.
    fn crash(&mut self, sim: &mut Sim, plan: Plan, at: Time) {
        self.state.borrow_mut().met.crashes += 1;
        self.end_all(sim);
        self.plans.retain(|(_, plan)| *plan == Plan::CheerUp);
        self.plans.push((at, plan));
    }

    /// Both hosts end, and what is not on disk is lost.
    fn end_all(&mut self, sim: &mut Sim) {
        for (host, runs) in self.hosts.into_iter().zip(&mut self.runs) {
            if std::mem::take(runs) {
                sim.crash(host);
            }
        }
        let State { engine, has_failed, .. } = &mut *self.state.borrow_mut();
        engine.crash();
        *has_failed = false;
    }

    /// Has a server run on a host, unless one does.
    fn start(&mut self, sim: &mut Sim, place: usize, role: Role) {
        if !std::mem::replace(&mut self.runs[place], true) {
            let host = self.hosts[place];
            let server = EngineHost::new(Rc::clone(&self.state), role, sim.alarm(host));
            sim.start_byte_server(host, server);
        }
    }
}
