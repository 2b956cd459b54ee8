//! A node, a service that does what a test tells it to, and sockets that take as much as a test lets them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::{
    Backend, Call, Conn, Encryption, Event, Input, Limits, Lost, Node, Out, Output, Peer, Registry, Reject,
    Service, Site, StreamEvent, Target, Time,
};

/// What the service saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Line(Conn, String),
    Reject(Conn, Reject),
    Reply(usize, Result<String, Lost>),
    Closed(Conn),
    Timer,
    Drain,
}

/// What the service is to do when it is woken next.
enum Act {
    Send(Conn, String),
    Close(Conn),
    Call(Backend, Call, String, Time),
    Fail(&'static str),
    LookWhatIsOwed,
    Do(Box<dyn FnOnce(&mut Out<'_>)>),
}

/// What a service does at once when something happens to its stream.
pub(crate) type Reaction = fn(StreamEvent<'_>, &mut Out<'_>);

#[derive(Default)]
struct Notes {
    seen: Vec<Seen>,
    acts: Vec<Act>,
    /// What became of the connection to the backend: `up`, or why it is down. Of a stream, also what has come over it.
    changes: Vec<String>,
    reaction: Option<Reaction>,
    /// The lines with which the connection begins, and the answers to them.
    greeting: &'static [(&'static str, &'static str)],
    /// Each reply must repeat the number of its call.
    careful: bool,
    /// Lines are answered at once, with themselves.
    echo: bool,
    /// Clients are promised a last line.
    announces: bool,
    /// The service has something in flight of its own.
    busy: bool,
    /// Since when the first backend owed a reply when the service looked last.
    owes_since: Option<Time>,
}

/// Notes what it sees, answers a rejected connection at once, and does the rest on command.
pub(crate) struct Puppet(Rc<RefCell<Notes>>);

impl Service for Puppet {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        let mut notes = self.0.borrow_mut();
        let seen = match event {
            Event::Line(conn, line) => {
                if notes.announces {
                    out.announce_end(conn);
                }
                if notes.echo {
                    out.send(conn, line);
                }
                Seen::Line(conn, text(line))
            }
            Event::Reject(conn, reject) => {
                out.send(conn, b"rejected");
                Seen::Reject(conn, reject)
            }
            Event::Reply(Call(call), reply) => Seen::Reply(call, reply.map(text)),
            Event::Closed(conn) => Seen::Closed(conn),
            Event::Timer => Seen::Timer,
            Event::Drain => Seen::Drain,
            Event::Up(_) => return notes.changes.push("up".into()),
            Event::Down(_, reason) => return notes.changes.push(reason.into()),
            Event::Stream(_, event) => {
                notes.changes.push(match event {
                    StreamEvent::Up { address } => format!("up at {address}"),
                    StreamEvent::Encrypted => "encrypted".into(),
                    StreamEvent::Received(bytes) => format!("received {}", text(bytes)),
                    StreamEvent::Down(reason) => reason.into(),
                });
                return notes.reaction.into_iter().for_each(|react| react(event, out));
            }
            Event::Wake => {
                for act in mem::take(&mut notes.acts) {
                    match act {
                        Act::Send(conn, line) => out.send(conn, line.as_bytes()),
                        Act::Close(conn) => out.close(conn),
                        Act::Call(backend, call, line, deadline) => {
                            out.call(backend, call, line.as_bytes(), deadline);
                        }
                        Act::Fail(error) => out.fail(error),
                        Act::Do(act) => act(out),
                        Act::LookWhatIsOwed => notes.owes_since = out.owes_since(Backend(0)),
                    }
                }
                return;
            }
        };
        notes.seen.push(seen);
    }

    fn greeting(&self, _backend: Backend, number: usize) -> Option<Cow<'static, [u8]>> {
        let lines = self.0.borrow().greeting;
        lines.get(number).map(|(line, _)| line.as_bytes().into())
    }

    fn check_greeting(&self, _backend: Backend, number: usize, line: &[u8]) -> Result<(), Cow<'static, str>> {
        let (_, answer) = self.0.borrow().greeting[number];
        if line == answer.as_bytes() { Ok(()) } else { Err(format!("it says {}", text(line)).into()) }
    }

    fn is_reply(&self, Call(call): Call, line: &[u8]) -> bool {
        !self.0.borrow().careful || text(line).starts_with(&format!("{call}:"))
    }

    fn is_end(&self, _backend: Backend, line: &[u8]) -> bool {
        line == b"end"
    }

    fn is_drained(&self) -> bool {
        !self.0.borrow().busy
    }
}

/// A node and its surroundings.
pub(crate) struct World {
    pub(crate) node: Node<Puppet>,
    registry: Arc<Registry>,
    pub(crate) now: Time,
    notes: Rc<RefCell<Notes>>,
    /// What each peer's socket took.
    taken: BTreeMap<Peer, Vec<u8>>,
    /// How much a socket still takes; one that is not listed takes everything.
    room: BTreeMap<Peer, usize>,
}

impl World {
    pub(crate) fn new(limits: Limits, backends: usize) -> Self {
        let notes = Rc::default();
        let registry = Arc::new(Registry::new("net"));
        Self {
            node: Node::registered(Puppet(Rc::clone(&notes)), limits, backends, Arc::clone(&registry)),
            registry,
            now: Time::from_millis(1_000_000),
            notes,
            taken: BTreeMap::new(),
            room: BTreeMap::new(),
        }
    }

    /// A world whose backends are these, and whose service reacts like this to what happens to streams.
    pub(crate) fn with_targets(limits: Limits, targets: Vec<Target>, reaction: Option<Reaction>) -> Self {
        let mut world = Self::new(limits, targets.len());
        world.notes.borrow_mut().reaction = reaction;
        let node = mem::replace(&mut world.node, Node::new(Puppet(Rc::default()), Limits::default(), 0));
        world.node = node.with_targets(Encryption::default(), targets);
        world
    }

    /// From now on, this is encrypted. `backend` is the address of the only backend, if there is one.
    pub(crate) fn encrypt(&mut self, encryption: Encryption, backend: &str) {
        let backends = Some(backend).filter(|backend| !backend.is_empty()).map(str::to_owned);
        let node = mem::replace(&mut self.node, Node::new(Puppet(Rc::default()), Limits::default(), 0));
        self.node = node.with_encryption(encryption, backends.into_iter().collect());
    }

    /// From now on, this is shown to browsers.
    pub(crate) fn show(&mut self, site: Site) {
        let node = mem::replace(&mut self.node, Node::new(Puppet(Rc::default()), Limits::default(), 0));
        self.node = node.with_site(site);
    }

    /// A world whose service answers each line at once.
    pub(crate) fn echo(limits: Limits) -> Self {
        let world = Self::new(limits, 0);
        world.notes.borrow_mut().echo = true;
        world
    }

    /// A world whose only link stands.
    pub(crate) fn linked(limits: Limits) -> Self {
        let mut world = Self::new(limits, 1);
        assert_eq!(world.turn(), [Output::Connect(Backend(0))]);
        world.input(Input::Connected(Backend(0)));
        world.turn();
        world
    }

    /// A world whose service greets its only backend and looks whether replies are those to their calls. The
    /// connection stands, and nothing was answered yet.
    pub(crate) fn careful(limits: Limits) -> Self {
        Self::greeting(limits, &[("who?", "me")])
    }

    /// The same, with these lines and the answers to them for a greeting.
    pub(crate) fn greeting(limits: Limits, lines: &'static [(&'static str, &'static str)]) -> Self {
        let mut world = Self::new(limits, 1);
        world.notes.borrow_mut().careful = true;
        world.notes.borrow_mut().greeting = lines;
        world.turn();
        world.input(Input::Connected(Backend(0)));
        world.turn();
        world
    }

    pub(crate) fn accept(&mut self) -> Conn {
        self.accept_from(CLIENT)
    }

    pub(crate) fn accept_from(&mut self, address: SocketAddr) -> Conn {
        self.node.accept(self.now, address).expect("there is room for it")
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.node.handle_input(self.now, input);
    }

    /// Bytes of a client arrive, and the turn ends.
    pub(crate) fn receive(&mut self, conn: Conn, bytes: &str) -> Vec<Output> {
        self.input(Input::Received(Peer::Client(conn), bytes.as_bytes()));
        self.turn()
    }

    /// Bytes of the first backend arrive, and the turn ends.
    pub(crate) fn answer(&mut self, bytes: &str) -> Vec<Output> {
        self.input(Input::Received(LINK, bytes.as_bytes()));
        self.turn()
    }

    /// Ends the turn and carries out what the node asks for.
    pub(crate) fn turn(&mut self) -> Vec<Output> {
        self.node.handle_timeout(self.now);
        self.node.end_turn(self.now).expect("the service goes on");
        let mut outputs = Vec::new();
        while let Some(output) = self.node.poll_output() {
            if let Output::Transmit(peer) = output {
                self.transmit(peer);
            }
            outputs.push(output);
        }
        outputs
    }

    /// Ends the turn and carries nothing out; returns why the service cannot go on, if it cannot.
    pub(crate) fn end(&mut self) -> Option<String> {
        self.node.handle_timeout(self.now);
        self.node.end_turn(self.now).err().map(|failure| failure.to_string())
    }

    /// Turns until the node waits for the world.
    pub(crate) fn turns(&mut self) -> Vec<Output> {
        let mut outputs = self.turn();
        while self.wants_turn() {
            outputs.extend(self.turn());
        }
        outputs
    }

    /// Whether the node has work left for another turn.
    pub(crate) fn wants_turn(&self) -> bool {
        self.node.poll_timeout() == Some(Time::default())
    }

    /// Lets so much time pass, and ends the turn.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<Output> {
        self.now = self.now + duration;
        self.turn()
    }

    /// From now on, the peer's socket takes so many bytes and no more.
    pub(crate) fn set_room(&mut self, peer: Peer, bytes: usize) {
        self.room.insert(peer, bytes);
    }

    pub(crate) fn send(&mut self, conn: Conn, line: &str) -> Vec<Output> {
        self.act(Act::Send(conn, line.into()))
    }

    pub(crate) fn close(&mut self, conn: Conn) -> Vec<Output> {
        self.act(Act::Close(conn))
    }

    /// A call to the first backend.
    pub(crate) fn call(&mut self, call: usize, line: &str, patience: Duration) -> Vec<Output> {
        let deadline = self.now + patience;
        self.act(Act::Call(Backend(0), Call(call), line.into(), deadline))
    }

    /// Calls to the first backend in one turn.
    pub(crate) fn call_all(&mut self, lines: &[String]) {
        let deadline = self.now + PATIENCE;
        let calls = lines.iter().enumerate();
        let acts = calls.map(|(call, line)| Act::Call(Backend(0), Call(call), line.clone(), deadline));
        self.notes.borrow_mut().acts.extend(acts);
        self.input(Input::Wake);
        self.turn();
    }

    /// The service does this.
    pub(crate) fn does(&mut self, act: impl FnOnce(&mut Out<'_>) + 'static) -> Vec<Output> {
        self.act(Act::Do(Box::new(act)))
    }

    /// The service says that it cannot go on, before the turn ends.
    pub(crate) fn fail(&mut self, error: &'static str) {
        self.notes.borrow_mut().acts.push(Act::Fail(error));
        self.input(Input::Wake);
    }

    /// For how long the first backend has owed a reply, if it owes one.
    pub(crate) fn owed_for(&mut self) -> Option<Duration> {
        self.act(Act::LookWhatIsOwed);
        self.notes.borrow().owes_since.map(|since| self.now.since(since))
    }

    /// From now on, whoever sends a line is promised a last one.
    pub(crate) fn announce_ends(&mut self) {
        self.notes.borrow_mut().announces = true;
    }

    pub(crate) fn set_busy(&mut self, busy: bool) {
        self.notes.borrow_mut().busy = busy;
    }

    /// What the service saw since the last time.
    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        mem::take(&mut self.notes.borrow_mut().seen)
    }

    /// What became of the connection to the backend since the last time.
    pub(crate) fn changes(&mut self) -> Vec<String> {
        mem::take(&mut self.notes.borrow_mut().changes)
    }

    /// What the peer's socket took since the last time.
    pub(crate) fn taken(&mut self, peer: Peer) -> String {
        text(&self.taken_bytes(peer))
    }

    /// The same, as bytes.
    pub(crate) fn taken_bytes(&mut self, peer: Peer) -> Vec<u8> {
        self.taken.remove(&peer).unwrap_or_default()
    }

    /// The same, without taking it.
    pub(crate) fn peek(&self, peer: Peer) -> &[u8] {
        self.taken.get(&peer).map_or(&[], Vec::as_slice)
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.registry.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.expect("there is such a metric")
    }

    fn act(&mut self, act: Act) -> Vec<Output> {
        self.notes.borrow_mut().acts.push(act);
        self.input(Input::Wake);
        self.turn()
    }

    fn transmit(&mut self, peer: Peer) {
        let unsent = self.node.outbox(peer);
        let room = self.room.get(&peer).copied().unwrap_or(usize::MAX);
        let count = unsent.len().min(room);
        self.taken.entry(peer).or_default().extend_from_slice(&unsent[..count]);
        if let Some(room) = self.room.get_mut(&peer) {
            *room -= count;
        }
        self.input(Input::Sent(peer, count));
    }
}

/// The connection to the first backend.
pub(crate) const LINK: Peer = Peer::Link(0);

/// Where all clients connect from.
pub(crate) const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 50_000);

/// Long enough for any call of a test that is not about deadlines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn line(conn: Conn, line: &str) -> Seen {
    Seen::Line(conn, line.into())
}

pub(crate) fn reply(call: usize, line: &str) -> Seen {
    Seen::Reply(call, Ok(line.into()))
}

pub(crate) fn lost(call: usize, why: Lost) -> Seen {
    Seen::Reply(call, Err(why))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
