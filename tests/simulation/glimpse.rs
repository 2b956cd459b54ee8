//! Many eyes on one price while `db_product` crashes all the time: what anyone has once seen stays seen.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use net::Time;
use net::sim::Faults;
use serde_json::json;

use crate::client::{Outcome, Span, User};
use crate::history::Register;
use crate::model::cents;
use crate::script::Request;
use crate::world::{Place, World};

const WATCHERS: usize = 8;
const CRASHES: usize = 60;
const CALM_MAX: Duration = Duration::from_millis(40);

/// What goes on until the price need not change any more.
#[derive(Default)]
struct Market {
    price: Register<u64>,
    closed: bool,
}

/// Changes the price all the time.
struct Seller {
    market: Rc<RefCell<Market>>,
    session_id: String,
}

/// Looks at the price all the time.
struct Watcher {
    market: Rc<RefCell<Market>>,
}

impl User for Seller {
    fn next(&mut self, now: Time) -> Option<Request> {
        let Market { price, closed } = &mut *self.market.borrow_mut();
        let cents = price.len() as u64 + 1;
        price.write(cents, now);
        let data = json!({"session_id": self.session_id, "item_id": "1:1", "price": cents as f64 / 100.0});
        (!*closed).then_some(Request { api: "ChangeItemPrice", data })
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        let write = &mut self.market.borrow_mut().price;
        write.last().expect("it was made").attempted(span, &outcome);
    }
}

impl User for Watcher {
    fn next(&mut self, _: Time) -> Option<Request> {
        let closed = self.market.borrow().closed;
        (!closed).then(|| Request { api: "GetItem", data: json!({"item_id": "1:1"}) })
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        if let Some(data) = outcome.data() {
            self.market.borrow_mut().price.read(span, &cents(&data["item"]["price"]));
        }
    }
}

/// Runs everything once.
pub(crate) fn run(seed: u64) {
    let faults = Faults { delay_max: Duration::from_millis(1), ..Faults::default() };
    let mut world = World::new(seed, faults);
    let mut rng = fastrand::Rng::with_seed(seed);
    let account = json!({"name": "sam", "password": "secret"});
    world.get(Place::ServerSeller, "CreateAccount", account.clone());
    let login = world.get(Place::ServerSeller, "Login", account);
    let session_id = login["session_id"].as_str().expect("a session ID").to_owned();
    let item = json!({"session_id": session_id, "name": "desk", "category": 1,
        "condition": "new", "price": 0.01, "quantity": 1});
    world.get(Place::ServerSeller, "RegisterItemForSale", item);

    let price = Register::starting_with(1, world.sim.now());
    let market = Rc::new(RefCell::new(Market { price, closed: false }));
    let mut users = Vec::new();
    for _ in 0..WATCHERS {
        users.push(world.add_client(Place::ServerBuyer, Watcher { market: Rc::clone(&market) }).1);
    }
    let seller = Seller { market: Rc::clone(&market), session_id };
    users.push(world.add_client(Place::ServerSeller, seller).1);
    for _ in 0..CRASHES {
        world.pass(Duration::from_micros(rng.u64(0..CALM_MAX.as_micros() as u64)));
        // A frontend that goes on repeats the change that was lost; one that crashes too does not.
        let places: &[Place] =
            if rng.bool() { &[Place::DbProduct] } else { &[Place::DbProduct, Place::ServerSeller] };
        places.iter().for_each(|place| world.crash(*place));
        places.iter().for_each(|place| world.start(*place));
    }
    market.borrow_mut().closed = true;
    world.run_while(|_| users.iter().any(|done| !done.get()));
    assert!(market.borrow().price.len() > CRASHES / 2, "prices were changed between the crashes");
}
