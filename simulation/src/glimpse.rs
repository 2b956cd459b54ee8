//! Many eyes on one price while two sellers change it, connections break and `db_product` crashes all the time: what
//! anyone has once seen stays seen, and what has once given way does not come back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use net::Time;
use net::sim::Faults;
use serde_json::json;

use crate::client::User;
use crate::counters::Counters;
use crate::history::Register;
use crate::place::Place;
use crate::request::{Outcome, Request, Span, cents};
use crate::store::Keep;
use crate::story::Story;
use crate::weather::rough_disk;
use crate::world::World;

const SELLERS: usize = 2;
const WATCHERS: usize = 8;
const CRASHES: usize = 60;
const CALM_MAX: Duration = Duration::from_millis(40);
/// On an engine, which takes its time to be connected to, and is away now and then.
const CALM_MAX_ON_ENGINE: Duration = Duration::from_millis(400);

/// What goes on until the price need not change any more.
#[derive(Default)]
struct Market {
    price: Register<u64>,
    glimpses: BTreeMap<u64, Glimpses>,
    closed: bool,
}

/// When a price was seen for the first time, and when another one was seen after it. No price is asked for twice.
struct Glimpses {
    seen_at: Time,
    gone_at: Option<Time>,
}

impl Market {
    /// Checks that a read may show the price.
    fn see(&mut self, span: Span, cents: u64) {
        self.price.read(span, &cents);
        for (other, glimpses) in &mut self.glimpses {
            if *other != cents && glimpses.seen_at <= span.start {
                glimpses.gone_at = Some(glimpses.gone_at.map_or(span.end, |at| at.min(span.end)));
            }
        }
        let new = Glimpses { seen_at: span.end, gone_at: None };
        let Glimpses { seen_at, gone_at } = self.glimpses.entry(cents).or_insert(new);
        *seen_at = span.end.min(*seen_at);
        let comes_back = gone_at.is_some_and(|at| at <= span.start);
        assert!(!comes_back, "a read at {span:?} shows {cents} again, which was gone at {gone_at:?}");
    }
}

/// Changes the price all the time.
struct Seller {
    market: Rc<RefCell<Market>>,
    session_id: String,
    /// The place of the last write.
    place: usize,
}

/// Looks at the price all the time.
struct Watcher {
    market: Rc<RefCell<Market>>,
}

impl User for Seller {
    fn next(&mut self, now: Time) -> Option<Request> {
        let Market { price, closed, .. } = &mut *self.market.borrow_mut();
        let cents = price.len() as u64 + 1;
        self.place = price.write(cents, now);
        let data = json!({"session_id": self.session_id, "item_id": "1:1", "price": cents as f64 / 100.0});
        (!*closed).then_some(Request { api: "ChangeItemPrice", data })
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        self.market.borrow_mut().price.at(self.place).attempted(span, &outcome);
    }
}

impl User for Watcher {
    fn next(&mut self, _: Time) -> Option<Request> {
        let closed = self.market.borrow().closed;
        (!closed).then(|| Request { api: "GetItem", data: json!({"item_id": "1:1"}) })
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        if let Some(data) = outcome.data() {
            self.market.borrow_mut().see(span, cents(&data["item"]["price"]));
        }
    }
}

/// Runs everything once.
pub(crate) fn run(keep: Keep, seed: u64, story: &Story) -> Counters {
    let faults = Faults { delay_max: Duration::from_millis(1), ..Faults::default() };
    let mut world = World::new(keep, seed, faults.clone(), story.clone());
    let mut rng = fastrand::Rng::with_seed(seed);
    let account = json!({"name": "sam", "password": "secret"});
    world.get(Place::ServerSeller(0), "CreateAccount", account.clone());
    let login = world.get(Place::ServerSeller(0), "Login", account);
    let session_id = login["session_id"].as_str().expect("a session ID").to_owned();
    let item = json!({"session_id": session_id, "name": "desk", "category": 1,
        "condition": "new", "price": 0.01, "quantity": 1});
    world.get(Place::ServerSeller(0), "RegisterItemForSale", item);

    let price = Register::starting_with(1, world.sim.now());
    let market = Rc::new(RefCell::new(Market { price, glimpses: BTreeMap::new(), closed: false }));
    world.sim.set_faults(Faults { cuts_per_million: rng.u32(0..20_000), ..faults });
    world.begin_storm(&rough_disk(&mut rng));
    let mut users = Vec::new();
    for _ in 0..WATCHERS {
        users.push(
            world.add_client("watcher", &[Place::ServerBuyer(0)], Watcher { market: Rc::clone(&market) }).1,
        );
    }
    for _ in 0..SELLERS {
        let seller = Seller { market: Rc::clone(&market), session_id: session_id.clone(), place: 0 };
        users.push(world.add_client("seller", &[Place::ServerSeller(0)], seller).1);
    }
    let calm_max = if world.is_on_engine() { CALM_MAX_ON_ENGINE } else { CALM_MAX };
    for _ in 0..CRASHES {
        world.pass(Duration::from_micros(rng.u64(0..calm_max.as_micros() as u64)));
        // A frontend that goes on tells its clients what was lost; one that crashes too does not.
        let places: &[Place] =
            if rng.bool() { &[Place::DbProduct] } else { &[Place::DbProduct, Place::ServerSeller(0)] };
        let places = places.iter().map(|place| match place {
            Place::DbProduct if world.is_on_engine() && rng.bool() => Place::SecondDbProduct,
            place => *place,
        });
        let places: Vec<Place> = places.collect();
        places.iter().for_each(|place| world.crash(*place));
        places.iter().for_each(|place| world.start(*place));
    }
    market.borrow_mut().closed = true;
    world.end_storm();
    world.run_while(|_| users.iter().any(|done| !done.get()));
    assert!(market.borrow().price.len() > CRASHES / 2, "prices were changed between the crashes");
    world.counters()
}
