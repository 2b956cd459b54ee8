//! The simulator: a driver that runs several nodes, and what they talk to, over a simulated network in virtual time.
//!
//! Messages are delayed, split at any byte and held back; connections break, for one side alone too; hosts crash, and
//! their clocks differ. All chance comes from one seed, so a run that fails is run again by its seed. It simulates
//! neither lost nor reordered bytes: TCP does not show them either.

mod alarm;
mod byte_server;
mod connection;
mod faults;
mod host;
mod schedule;
mod worker;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use self::alarm::Alarm;
pub use self::byte_server::{ByteEvent, ByteOut, ByteServer};
use self::connection::{Connection, Parting, Side};
pub use self::faults::{Break, Faults};
use self::host::Host;
use self::schedule::{Schedule, SimEvent};
pub use self::worker::{SimWorker, SimWorkers};
use crate::{Backend, Failure, Input, Node, Output, Peer, Service, Time, Waker};

/// A host of the simulated network: an address that a node runs at, or none after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(usize);

/// The simulated network and its hosts.
pub struct Sim {
    /// The present. Alarms tell it too.
    now: Rc<Cell<Time>>,
    rng: fastrand::Rng,
    faults: Faults,
    hosts: Vec<Host>,
    connections: BTreeMap<u64, Connection>,
    /// Connections that were begun, made or not: the last one's number.
    last_connection: u64,
    half_open_count: u64,
    breaks: Vec<Break>,
    schedule: Schedule,
}

impl Sim {
    /// An empty network at `start`. The same seed and the same calls give the same run, bit for bit.
    pub fn new(seed: u64, start: Time, faults: Faults) -> Self {
        Self {
            now: Rc::new(Cell::new(start)),
            rng: fastrand::Rng::with_seed(seed),
            faults,
            hosts: Vec::new(),
            connections: BTreeMap::new(),
            last_connection: 0,
            half_open_count: 0,
            breaks: Vec::new(),
            schedule: Schedule::default(),
        }
    }

    /// Adds a host on which nothing runs yet. The backends of its node are these hosts.
    pub fn add_host(&mut self, backends: &[HostId]) -> HostId {
        self.hosts.push(Host::new(backends));
        HostId(self.hosts.len() - 1)
    }

    /// A waker for the workers of the node that runs, or will run, on the host.
    pub fn waker(&self, host: HostId) -> Waker {
        let woken = Arc::clone(&self.hosts[host.0].woken);
        Waker::new(move || woken.store(true, Ordering::Relaxed))
    }

    /// An alarm for what takes time by itself on the host and is not the node, such as a disk.
    pub fn alarm(&self, host: HostId) -> Alarm {
        Alarm::new(Rc::clone(&self.now), Rc::clone(&self.hosts[host.0].alarm_at))
    }

    /// A seed for a source of chance that belongs to this run.
    pub fn seed(&mut self) -> u64 {
        self.rng.u64(..)
    }

    /// Starts a node on a host where none runs.
    pub fn start<S: Service + 'static>(&mut self, host: HostId, node: Node<S>) {
        let HostId(number) = host;
        let behind = node.clock_floor().since(self.clock(host));
        self.hosts[number].clock_ahead += behind;
        self.hosts[number].start(Box::new(node));
        self.end_turn(number);
    }

    /// Ends a node as a power cut does: what it had not sent or stored is gone, its connections break.
    pub fn crash(&mut self, host: HostId) {
        let HostId(number) = host;
        for (id, side) in self.hosts[number].crash().into_values() {
            let parting = self.parting();
            self.close_side(id, side, parting);
        }
    }

    /// Sets the clock of a host so far ahead of the present.
    ///
    /// # Panics
    /// It would go back while a node runs there.
    pub fn set_clock_ahead(&mut self, host: HostId, ahead: Duration) {
        let HostId(number) = host;
        let Host { node, clock_ahead, timer_at, .. } = &mut self.hosts[number];
        assert!(node.is_none() || ahead >= *clock_ahead, "a node's time does not go back");
        *clock_ahead = ahead;
        // What was due at a time of the clock may be due by now.
        *timer_at = None;
        self.end_turn(number);
    }

    /// What the clock of a host shows.
    pub fn clock(&self, host: HostId) -> Time {
        self.now.get() + self.hosts[host.0].clock_ahead
    }

    /// Why the service on a host could not go on, if that has come to pass and was not asked before. The host crashed
    /// then.
    pub fn take_failure(&mut self, host: HostId) -> Option<Failure> {
        self.hosts[host.0].failure.take()
    }

    /// The address that the connections of a host come from. The simulator itself finds hosts by their IDs.
    pub fn address(&self, host: HostId) -> Ipv4Addr {
        let number = u32::try_from(host.0).expect("there are few hosts");
        Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number)
    }

    /// Asks a node to drain. It takes no further connection.
    pub fn drain(&mut self, host: HostId) {
        self.hosts[host.0].listening = false;
        self.input(host.0, Input::Drain);
        self.end_turn(host.0);
    }

    /// The present, in virtual time.
    pub fn now(&self) -> Time {
        self.now.get()
    }

    /// A digest of everything that happened so far.
    pub fn trace(&self) -> u64 {
        self.schedule.trace()
    }

    /// Runs until nothing happens any more before `until`, and makes that the present.
    pub fn run_until(&mut self, until: Time) {
        while let Some((at, event)) = self.schedule.pop(until) {
            self.pass_to(at);
            self.handle_event(event);
        }
        self.pass_to(until);
    }

    fn pass_to(&mut self, time: Time) {
        self.now.set(self.now.get().max(time));
    }

    fn handle_event(&mut self, event: SimEvent) {
        match event {
            SimEvent::Arrive(id, side, bytes) => self.arrive(id, side, &bytes),
            SimEvent::Finish(id, side) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.end(side).finished = true;
                    self.read(id, side);
                }
            }
            SimEvent::Fail(id, side) => self.fail(id, side),
            SimEvent::Readable(id, side) => self.read(id, side),
            SimEvent::Writable(id, side) => self.peer_input(id, side, Input::Writable),
            SimEvent::Connect { host, link, id } => self.connect(host, link, id),
            SimEvent::Wake { host, incarnation } if self.hosts[host].incarnation == incarnation => {
                self.input(host, Input::Wake);
                self.end_turn(host);
            }
            SimEvent::Timer { host, incarnation } if self.hosts[host].incarnation == incarnation => {
                self.hosts[host].timer_at = None;
                self.end_turn(host);
            }
            SimEvent::Wake { .. } | SimEvent::Timer { .. } => {}
        }
    }

    fn arrive(&mut self, id: u64, side: Side, bytes: &[u8]) {
        if self.rng.u32(0..1_000_000) < self.faults.cuts_per_million {
            self.peer_input(id, side, Input::Failed);
            let parting = self.parting();
            self.note_break(id, side, parting);
            self.close_side(id, side, parting);
            return if parting == Parting::Broken {
                self.fail(id, side.other())
            };
        }
        if self.owner(id, side).is_none() {
            // Nobody is there any more, and the sender's host is told so, if there is someone to say it.
            let answers =
                self.connections.get(&id).is_some_and(|it| self.hosts[it.host(side)].node.is_some());
            return if answers {
                self.schedule(SimEvent::Fail(id, side.other()))
            };
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.arrive(side, bytes);
            self.read(id, side);
        }
    }

    /// Gives a node what arrived for it, if it wants it.
    fn read(&mut self, id: u64, side: Side) {
        let Some((host, peer)) = self.owner(id, side) else {
            return;
        };
        let wants_read = self.hosts[host].node.as_mut().is_some_and(|node| node.wants_read(peer));
        let Some(connection) = self.connections.get_mut(&id).filter(|_| wants_read) else {
            return;
        };
        let bytes = connection.take_unread(side);
        let writer_waits = std::mem::take(&mut connection.end(side.other()).blocked);
        let finished = connection.end(side).finished;
        if writer_waits {
            self.schedule(SimEvent::Writable(id, side.other()));
        }
        if !bytes.is_empty() {
            self.input(host, Input::Received(peer, &bytes));
        }
        if finished {
            self.input(host, Input::Finished(peer));
        }
        self.end_turn(host);
    }

    fn fail(&mut self, id: u64, side: Side) {
        self.peer_input(id, side, Input::Failed);
        self.close_side(id, side, Parting::Broken);
    }

    fn connect(&mut self, host: usize, link: usize, id: u64) {
        if self.hosts[host].connecting.get(&link) != Some(&id) {
            return;
        }
        self.hosts[host].connecting.remove(&link);
        let peer = Peer::Link(link);
        let place = self.hosts[host].node.as_ref().map_or(0, |node| node.address(Backend(link)));
        let HostId(target) = self.hosts[host].backends[link][place];
        // As if the source had used each port for one connection after another.
        let address = SocketAddr::from((self.address(HostId(host)), id as u16));
        let now = self.clock(HostId(target));
        let Some(conn) = self.hosts[target].accept(now, address) else {
            self.input(host, Input::NotConnected(Backend(link), "nobody listens there"));
            return self.end_turn(host);
        };
        let ends = [(host, peer), (target, Peer::Client(conn))];
        self.connections.insert(id, Connection::new(ends));
        self.hosts[host].peers.insert(peer, (id, Side::Client));
        self.hosts[target].peers.insert(Peer::Client(conn), (id, Side::Server));
        self.input(host, Input::Connected(Backend(link)));
        self.end_turn(host);
        self.end_turn(target);
    }

    /// The node that has this side of a connection, and the peer that the connection is to it.
    fn owner(&self, id: u64, side: Side) -> Option<(usize, Peer)> {
        let (host, peer) = self.connections.get(&id)?.owner(side)?;
        (self.hosts[host].peers.get(&peer) == Some(&(id, side))).then_some((host, peer))
    }

    fn peer_input(&mut self, id: u64, side: Side, input: impl FnOnce(Peer) -> Input<'static>) {
        if let Some((host, peer)) = self.owner(id, side) {
            self.input(host, input(peer));
            self.end_turn(host);
        }
    }

    fn input(&mut self, host: usize, input: Input<'_>) {
        let now = self.clock(HostId(host));
        if let Some(node) = &mut self.hosts[host].node {
            node.handle_input(now, input);
        }
    }

    fn end_turn(&mut self, host: usize) {
        let now = self.clock(HostId(host));
        let Some(node) = &mut self.hosts[host].node else {
            return;
        };
        if let Err(failure) = node.end_turn(now) {
            self.hosts[host].failure = Some(failure);
            return self.crash(HostId(host));
        }
        while let Some(output) = self.hosts[host].node.as_mut().and_then(|node| node.poll_output()) {
            self.carry_out(host, output);
        }
        let incarnation = self.hosts[host].incarnation;
        if self.hosts[host].woken.swap(false, Ordering::Relaxed) {
            self.schedule(SimEvent::Wake { host, incarnation });
        }
        if let Some(at) = self.hosts[host].alarm_at.take() {
            self.schedule.push(at.max(self.now.get()), SimEvent::Wake { host, incarnation });
        }
        let next = self.hosts[host].node.as_ref().and_then(|node| node.poll_timeout());
        if let Some(at) = next.map(|at| (at - self.hosts[host].clock_ahead).max(self.now.get()))
            && self.hosts[host].timer_at.is_none_or(|armed| at < armed)
        {
            self.hosts[host].timer_at = Some(at);
            self.schedule.push(at, SimEvent::Timer { host, incarnation });
        }
    }

    fn carry_out(&mut self, host: usize, output: Output) {
        match output {
            Output::Transmit(peer) => self.transmit(host, peer),
            Output::Resume(peer) => {
                if let Some(&(id, side)) = self.hosts[host].peers.get(&peer) {
                    self.schedule(SimEvent::Readable(id, side));
                }
            }
            Output::Finish(peer) => {
                if let Some(&(id, side)) = self.hosts[host].peers.get(&peer) {
                    self.schedule_in_order(id, side.other(), SimEvent::Finish(id, side.other()));
                }
            }
            Output::Close(peer) => {
                if let Peer::Link(link) = peer {
                    self.hosts[host].connecting.remove(&link);
                }
                if let Some(&(id, side)) = self.hosts[host].peers.get(&peer) {
                    self.close_side(id, side, Parting::Finished);
                }
            }
            Output::Reconnect(Backend(link)) => {
                self.carry_out(host, Output::Close(Peer::Link(link)));
                self.carry_out(host, Output::Connect(Backend(link)));
            }
            Output::Connect(Backend(link)) => {
                self.last_connection += 1;
                let id = self.last_connection;
                self.hosts[host].connecting.insert(link, id);
                self.schedule(SimEvent::Connect { host, link, id });
            }
        }
    }

    fn transmit(&mut self, host: usize, peer: Peer) {
        let Some(&(id, side)) = self.hosts[host].peers.get(&peer) else {
            return;
        };
        let now = self.clock(HostId(host));
        let node = self.hosts[host].node.as_mut().expect("it gave the output");
        let connection = self.connections.get_mut(&id).expect("a peer has a connection");
        let unsent = node.outbox(peer);
        let room = connection.room(side, self.faults.window_bytes_max).min(unsent.len());
        let count = if room > 1 && self.rng.u8(0..4) == 0 { self.rng.usize(1..=room) } else { room };
        let mut bytes = unsent[..count].to_vec();
        let partial = count < unsent.len();
        node.handle_input(now, Input::Sent(peer, count));
        connection.end(side.other()).in_transit += count;
        connection.end(side).blocked = partial && count == room;
        if partial && count < room {
            self.schedule(SimEvent::Writable(id, side));
        }
        while !bytes.is_empty() {
            let cut = if self.rng.bool() { bytes.len() } else { self.rng.usize(1..=bytes.len()) };
            let rest = bytes.split_off(cut);
            self.schedule_in_order(id, side.other(), SimEvent::Arrive(id, side.other(), bytes));
            bytes = rest;
        }
    }

    /// Takes one side off a connection.
    fn close_side(&mut self, id: u64, side: Side, parting: Parting) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some((host, peer)) = connection.close(side)
            && self.hosts[host].peers.get(&peer) == Some(&(id, side))
        {
            self.hosts[host].peers.remove(&peer);
        }
        if connection.is_closed() {
            self.connections.remove(&id);
            return;
        }
        match parting {
            Parting::Finished => {
                self.schedule_in_order(id, side.other(), SimEvent::Finish(id, side.other()));
            }
            Parting::Broken => self.schedule(SimEvent::Fail(id, side.other())),
            Parting::Unsaid => {}
        }
    }

    fn schedule(&mut self, event: SimEvent) {
        let at = self.now.get() + self.delay();
        self.schedule.push(at, event);
    }

    /// Schedules what must not overtake anything else that is under way to this side.
    fn schedule_in_order(&mut self, id: u64, side: Side, event: SimEvent) {
        let at = self.now.get() + self.delay();
        let connection = self.connections.get_mut(&id).expect("the caller has it");
        let end = connection.end(side);
        end.last_arrival = end.last_arrival.max(at);
        let at = end.last_arrival;
        self.schedule.push(at, event);
    }

    fn delay(&mut self) -> Duration {
        let delay_max = self.faults.delay_max.as_micros().max(1);
        Duration::from_micros(self.rng.u64(1..=u64::try_from(delay_max).unwrap_or(u64::MAX)))
    }
}
