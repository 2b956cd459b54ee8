//! [`Run`]: drives a [`Load`] by hand, in virtual time, against services that answer as a test wants.

use std::cell::RefCell;
use std::rc::Rc;

use net::reactor::Reactor;
use net::{Backend, Input, Limits, Node, Output, Peer};
use serde_json::{Value, json};

use super::*;
use crate::api::Role;
use crate::mix::Mix;

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// The reply is as it must be.
    Right,
    /// It says nothing that it must say.
    Wrong,
    /// It fails with this code.
    Error(&'static str),
    /// A line of this length, as from a relay.
    Bytes(usize),
    /// None comes.
    Never,
    /// The connection breaks instead.
    Break,
    /// The connection breaks, and no other can be made.
    Gone,
}

/// By the client's number, the API and how many calls the client has made before.
type ChooseAnswer = Box<dyn Fn(usize, &str, usize) -> Answer>;
/// By the client's number and how many calls it has made before.
type ChooseDelay = Box<dyn Fn(usize, usize) -> Duration>;

/// A run that has not begun.
pub(super) struct Run {
    clients: Vec<Client>,
    workload: Workload,
    relay: Option<[usize; Api::COUNT]>,
    /// Matches of the search before the run.
    pub(super) matches: u64,
    pub(super) answer: ChooseAnswer,
    pub(super) delay: ChooseDelay,
    /// What the observer wants once so many calls were answered.
    pub(super) after_replies: Option<(usize, Verdict)>,
    /// What it wants once the run takes so long.
    pub(super) after: Option<(Duration, Verdict)>,
}

/// A call as the services saw it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) client: usize,
    pub(super) api: String,
    pub(super) at: Time,
    /// When it was answered, if it was.
    until: Option<Time>,
    pub(super) stage: &'static str,
}

/// A run that has ended.
pub(super) struct Done {
    pub(super) record: Record,
    pub(super) sent: Vec<Request>,
    /// As the observer was told of them.
    pub(super) stages: Vec<Stage>,
    pub(super) took: Duration,
}

const START: Time = Time::from_millis(1_000_000);
/// No test takes longer, in virtual time.
const END: Duration = Duration::from_secs(3600);
/// Matches of the search before a run, unless a test wants others.
const MATCHES: u64 = 5;

pub(super) fn buyers(mix: &str, count: usize) -> Vec<Client> {
    clients(Role::Buyer, mix, count)
}

pub(super) fn sellers(mix: &str, count: usize) -> Vec<Client> {
    clients(Role::Seller, mix, count)
}

fn clients(role: Role, mix: &str, count: usize) -> Vec<Client> {
    let mix = Rc::new(Mix::from_name(mix).expect("it exists"));
    let client = |number| {
        let rng = fastrand::Rng::with_seed(number as u64);
        Client::new(role, Rc::clone(&mix), rng, format!("{role:?}-{number}"))
    };
    (0..count).map(client).collect()
}

impl Run {
    pub(super) fn new(clients: Vec<Client>, workload: Workload) -> Self {
        Self {
            clients,
            workload,
            relay: None,
            matches: MATCHES,
            answer: Box::new(|_, _, _| Answer::Right),
            delay: Box::new(|_, _| Duration::from_millis(1)),
            after_replies: None,
            after: None,
        }
    }

    pub(super) fn for_relay(mut self, reply_bytes: [usize; Api::COUNT]) -> Self {
        self.relay = Some(reply_bytes);
        self
    }

    /// Carries it out.
    pub(super) fn finish(self) -> Done {
        let Self { clients, workload, relay, matches, answer, delay, after_replies, after } = self;
        let shared = Rc::new(RefCell::new(Shared::default()));
        let mut observer = Watch { shared: Rc::clone(&shared), after_replies, after };
        let pacer = Box::new(Pacer(Rc::clone(&shared)));
        // Nobody listens to the reactor: the test drives the node.
        let reactor = Reactor::without_listener().expect("the system has a poll to give");
        let (count, sellers) = (clients.len(), clients.iter().filter(|client| client.is_seller()).count());
        let mut load = Load::new(clients, matches, workload, pacer, &mut observer, reactor.handle());
        if let Some(reply_bytes) = relay {
            load = load.for_relay(reply_bytes);
        }
        let world = World {
            node: Node::new(load, Limits::default(), count),
            shared: Rc::clone(&shared),
            matches: matches + sellers as u64,
            answer,
            delay,
            sent: Vec::new(),
            replies: Vec::new(),
            gone: vec![false; count],
            calls: vec![0; count],
        };
        world.run()
    }
}

/// What the node's test doubles and its driver share.
#[derive(Default)]
struct Shared {
    elapsed: Duration,
    replies: usize,
    stages: Vec<Stage>,
    /// When the pacer wakes.
    wake_after: Option<Duration>,
    woken: bool,
}

struct Watch {
    shared: Rc<RefCell<Shared>>,
    after_replies: Option<(usize, Verdict)>,
    after: Option<(Duration, Verdict)>,
}

impl Observer for Watch {
    fn stage(&mut self, stage: Stage) {
        self.shared.borrow_mut().stages.push(stage);
    }

    fn progress(&mut self, _: usize) -> Verdict {
        let shared = self.shared.borrow();
        let by_time =
            self.after.filter(|(elapsed, _)| shared.elapsed >= *elapsed).map(|(_, verdict)| verdict);
        let by_replies = self.after_replies.filter(|(replies, _)| shared.replies >= *replies);
        by_time.or(by_replies.map(|(_, verdict)| verdict)).unwrap_or(Verdict::GoOn)
    }
}

struct Pacer(Rc<RefCell<Shared>>);

impl Worker<Duration, ()> for Pacer {
    fn submit(&mut self, pause: Duration) {
        let mut shared = self.0.borrow_mut();
        assert!(shared.wake_after.is_none(), "one wake-up at a time");
        shared.wake_after = Some(shared.elapsed + pause);
    }

    fn poll(&mut self) -> Option<()> {
        std::mem::take(&mut self.0.borrow_mut().woken).then_some(())
    }
}

struct World<'a> {
    node: Node<Load<'a>>,
    shared: Rc<RefCell<Shared>>,
    matches: u64,
    answer: ChooseAnswer,
    delay: ChooseDelay,
    sent: Vec<Request>,
    /// What comes when, to which client, for which request.
    replies: Vec<(Time, usize, usize, Option<String>)>,
    gone: Vec<bool>,
    calls: Vec<usize>,
}

impl World<'_> {
    fn run(mut self) -> Done {
        let mut now = START;
        loop {
            self.turn(now);
            if self.node.is_drained() {
                break;
            }
            now = self.next_moment().max(now + Duration::from_nanos(1));
            assert!(now < START + END, "the run does not end");
            self.shared.borrow_mut().elapsed = now.since(START);
            self.happen(now);
        }
        let stages = std::mem::take(&mut self.shared.borrow_mut().stages);
        Done {
            record: self.node.into_service().into_record(),
            sent: self.sent,
            stages,
            took: now.since(START),
        }
    }

    fn turn(&mut self, now: Time) {
        self.node.handle_timeout(now);
        self.node.end_turn(now).expect("the load goes on");
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Connect(Backend(link)) if self.gone[link] => {
                    self.node.handle_input(now, Input::Failed(Peer::Link(link)));
                }
                Output::Connect(backend) => self.node.handle_input(now, Input::Connected(backend)),
                Output::Transmit(Peer::Link(link)) => self.transmit(now, link),
                Output::Close(Peer::Link(_)) => {}
                other => panic!("{other:?} is nothing that a node without clients asks for"),
            }
        }
    }

    fn transmit(&mut self, now: Time, link: usize) {
        let bytes = self.node.outbox(Peer::Link(link)).to_vec();
        self.node.handle_input(now, Input::Sent(Peer::Link(link), bytes.len()));
        for line in bytes.strip_suffix(b"\n").expect("a line has an end").split(|byte| *byte == b'\n') {
            let request: Value = serde_json::from_slice(line).unwrap_or_default();
            let api = request["api"].as_str().unwrap_or_default().to_owned();
            let stage = self.stage();
            let count = self.calls[link];
            self.calls[link] += 1;
            let reply = match (self.answer)(link, &api, count) {
                Answer::Right => Some(success(&request, &right(&api, &request["data"], self.matches))),
                Answer::Wrong => Some(success(&request, &json!({}))),
                Answer::Error(code) => Some(failure(&request, code)),
                Answer::Bytes(count) => Some("x".repeat(count)),
                Answer::Never => None,
                Answer::Break => Some(String::new()),
                Answer::Gone => {
                    self.gone[link] = true;
                    Some(String::new())
                }
            };
            if reply.is_some() {
                self.replies.push((now + (self.delay)(link, count), link, self.sent.len(), reply));
            }
            self.sent.push(Request { client: link, api, at: now, until: None, stage });
        }
    }

    /// The stage that a request belongs to: the last one that the observer was told of.
    fn stage(&self) -> &'static str {
        match self.shared.borrow().stages.last() {
            None => "setup",
            Some(Stage::Warmup) => "warmup",
            Some(Stage::Measure) => "measure",
            Some(_) => "teardown",
        }
    }

    fn next_moment(&self) -> Time {
        let replies = self.replies.iter().map(|(at, ..)| *at);
        let wake = self.shared.borrow().wake_after.map(|after| START + after);
        replies.chain(wake).chain(self.node.poll_timeout()).min().expect("the run goes on")
    }

    fn happen(&mut self, now: Time) {
        let wakes = self.shared.borrow_mut().wake_after.take_if(|after| START + *after <= now).is_some();
        if wakes {
            self.shared.borrow_mut().woken = true;
            self.node.handle_input(now, Input::Wake);
        }
        let (due, later) = std::mem::take(&mut self.replies).into_iter().partition(|(at, ..)| *at <= now);
        self.replies = later;
        for (_, link, request, reply) in due {
            let line = reply.expect("only what is answered has a moment");
            if line.is_empty() {
                self.node.handle_input(now, Input::Failed(Peer::Link(link)));
                continue;
            }
            self.shared.borrow_mut().replies += 1;
            self.sent[request].until = Some(now);
            self.node.handle_input(now, Input::Received(Peer::Link(link), format!("{line}\n").as_bytes()));
        }
    }
}

impl Done {
    /// The calls of a stage, in order.
    pub(super) fn requests(&self, stage: &str) -> Vec<Request> {
        self.sent.iter().filter(|request| request.stage == stage).cloned().collect()
    }

    /// How many clients call anything in a stage.
    pub(super) fn clients(&self, stage: &str) -> usize {
        let mut clients: Vec<_> = self.requests(stage).iter().map(|request| request.client).collect();
        clients.sort_unstable();
        clients.dedup();
        clients.len()
    }

    /// The most calls of a stage that were under way at the same time.
    pub(super) fn in_flight_max(&self, stage: &str) -> usize {
        let requests = self.requests(stage);
        let at = |moment: Time| {
            let under_way =
                |request: &&Request| request.at <= moment && request.until.is_none_or(|until| until > moment);
            requests.iter().filter(under_way).count()
        };
        requests.iter().map(|request| at(request.at)).max().unwrap_or(0)
    }

    /// Measured calls of an API that were answered.
    pub(super) fn calls(&self, api: Api) -> u64 {
        self.record.apis[api as usize].as_ref().map_or(0, |calls| calls.times.len())
    }
}

fn success(request: &Value, data: &Value) -> String {
    let id = &request["request_id"];
    format!(r#"{{"type":"Response","request_id":{id},"ok":true,"error":null,"data":{data}}}"#)
}

fn failure(request: &Value, code: &str) -> String {
    let id = &request["request_id"];
    format!(
        r#"{{"type":"Response","request_id":{id},"ok":false,"error":{{"code":"{code}","message":"?"}},"data":null}}"#
    )
}

/// What the marketplace would answer.
fn right(api: &str, data: &Value, matches: u64) -> Value {
    match api {
        "Ping" => json!({"service": "server"}),
        "CreateAccount" => json!({"buyer_id": 1, "seller_id": 1}),
        "Login" => json!({"session_id": "s", "user_id": 1}),
        "RegisterItemForSale" => json!({"item_id": "1:1"}),
        "ChangeItemPrice" => json!({"item_id": data["item_id"], "price": data["price"]}),
        // Only the teardown takes an item off the market.
        "UpdateUnitsForSale" => json!({"item_id": data["item_id"], "quantity": 0}),
        "SearchItemsForSale" => {
            let items: Vec<_> = (0..matches).map(|n| json!({"item_id": format!("1:{n}")})).collect();
            json!({"items": items, "total": matches})
        }
        other => panic!("{other} is called by none of these tests"),
    }
}
