//! Requests of chance, which both stores answer alike: word for word, but for what they call sessions and purchases.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use net::Time;

use super::harness::{Engine, LEVELS, Memory, SECOND, START, Store, server};
use crate::api::error::Error;
use crate::store::postgres::tests::blocking::migrated_fake;
use crate::store::postgres::tests::fake::ISOLATIONS;

const REQUESTS: usize = 1200;
const ITEMS: [&str; 4] = ["0:1", "1:1", "1:2", "2147483647:4294967295"];
const ROLES: [&str; 2] = ["buyer", "seller"];

/// Both stores, and what each calls what has the same place.
struct Twins {
    memory: Memory,
    engine: Engine,
    names: Vec<[String; 2]>,
    now: Time,
}

/// What was seen so far, in names as `<7>`.
#[derive(Default)]
struct Seen {
    sessions: Vec<String>,
    /// With what each is of, as JSON.
    purchases: BTreeMap<String, String>,
}

#[test]
fn both_stores_answer_alike() {
    let Some(server) = server(&LEVELS) else { return };
    for (seed, level) in LEVELS.into_iter().enumerate() {
        answer_alike(seed as u64, Engine::connect(&server, level, seed as u64));
    }
}

#[test]
fn a_fake_engine_answers_alike() {
    for (seed, isolation) in ISOLATIONS.into_iter().enumerate() {
        answer_alike(seed as u64, Engine::over(&migrated_fake(isolation), seed as u64));
    }
}

fn answer_alike(seed: u64, engine: Engine) {
    let mut random = Rng::with_seed(seed);
    let mut twins = Twins { memory: Memory::new(), engine, names: Vec::new(), now: START };
    let mut seen = Seen::default();
    let mut answers = BTreeMap::<String, usize>::new();
    for request in 0..REQUESTS {
        let (api, data) = seen.request(&mut random);
        let host = random.u8(1..=2);
        let replies = twins.ask(host, api, &data);
        assert_eq!(replies[1], replies[0], "seed {seed}, request {request}: {api} {data}");
        let [_, reply] = replies;
        let outcome = reply.as_ref().err().map_or("OK".to_owned(), |error| format!("{:?}", error.code));
        *answers.entry(format!("{api} {outcome}")).or_default() += 1;
        seen.learn(api, &reply.unwrap_or_default());
        twins.wait(&mut random);
    }
    assert!(answers.len() >= 43, "little was asked for: {answers:#?}");
    assert!(answers.contains_key("ChangePassword OK"), "{answers:#?}");
}

impl Twins {
    fn ask(&mut self, host: u8, api: &str, data: &str) -> [Result<String, Error>; 2] {
        let own = |which: usize| {
            let named = self.names.iter().enumerate();
            named.fold(data.to_owned(), |data, (n, names)| data.replace(&format!("<{n}>"), &names[which]))
        };
        let [to_memory, to_engine] = [own(0), own(1)];
        let replies = [
            self.memory.ask_at(self.now, host, api, &to_memory),
            self.engine.ask_at(self.now, host, api, &to_engine),
        ];
        let [ours, theirs] =
            [&replies[0], &replies[1]].map(|reply| reply.as_deref().map(names).unwrap_or_default());
        for (one, other) in ours.into_iter().zip(theirs) {
            if !self.names.iter().any(|[known, _]| *known == one) {
                self.names.push([one, other]);
            }
        }
        self.engine.keep_up(self.now);
        let mut which = 0;
        replies.map(|reply| {
            let told = match reply {
                Ok(json) => Ok(self.in_names(&json, which)),
                Err(error) => Err(Error::new(error.code, self.in_names(&error.message, which))),
            };
            which += 1;
            told
        })
    }

    /// A reply in which all has names that both know.
    fn in_names(&self, json: &str, which: usize) -> String {
        let named = self.names.iter().enumerate();
        let json =
            named.fold(json.to_owned(), |json, (n, names)| json.replace(&names[which], &format!("<{n}>")));
        // When purchases count as ended is a matter of the store.
        match json.split_once(r#""ended_before":""#) {
            Some((before, rest)) => format!("{before}{}", rest.split_once('"').expect("it ends").1),
            None => json,
        }
    }

    fn wait(&mut self, random: &mut Rng) {
        self.now = self.now
            + match random.u8(..) {
                0..1 => SECOND * 301,
                1..3 => SECOND * random.u32(100..300),
                _ => Duration::from_millis(random.u64(1000..2500)),
            };
    }
}

/// What sessions and purchases are called in a reply.
fn names(json: &str) -> Vec<String> {
    let fields = ["\"session_id\":\"", "\"purchase_id\":\""];
    let mut places: Vec<_> = fields
        .iter()
        .flat_map(|field| json.match_indices(field).map(|(at, field)| at + field.len()))
        .collect();
    places.sort_unstable();
    places.into_iter().map(|at| json[at..].split('"').next().expect("it ends").to_owned()).collect()
}

impl Seen {
    fn learn(&mut self, api: &str, reply: &str) {
        let Some(name) = reply.split_once("_id\":\"<").and_then(|(_, rest)| rest.split_once('"')) else {
            return;
        };
        let name = format!("<{}", name.0);
        if api == "Login" {
            self.sessions.push(name);
        } else if let Some((_, rest)) = reply.split_once("\"lines\":") {
            let (lines, _) = rest.split_once('}').expect("it ends");
            self.purchases.insert(name, lines.trim_start_matches('{').to_owned());
        }
    }

    fn request(&self, random: &mut Rng) -> (&'static str, String) {
        let session = self.session(random);
        let role = ROLES[usize::from(random.u8(..4) == 0)];
        let item = ITEMS[random.usize(..ITEMS.len())];
        let buyer = random.u32(1..=4);
        let owner = if random.u8(..4) > 0 { session.clone() } else { format!(r#""buyer_id":{buyer}"#) };
        match random.u8(..42) {
            0..3 => {
                let name = random.u8(..6);
                let api = if role == "buyer" { "CreateBuyer" } else { "CreateSeller" };
                (api, format!(r#"{{"name":"user {name}","password":"{name}"}}"#))
            }
            3..8 => {
                let name = random.u8(..6);
                let password = if random.u8(..4) > 0 { name } else { 9 };
                ("Login", format!(r#"{{"name":"user {name}","password":"{password}","role":"{role}"}}"#))
            }
            8 => ("Logout", format!("{{{session}}}")),
            9 => ("Logout", format!(r#"{{{session},"role":"{role}"}}"#)),
            10 => ("ValidateSession", format!("{{{session}}}")),
            11 => ("ValidateSession", format!(r#"{{{session},"role":"{role}"}}"#)),
            12 => ("GetSellerRating", format!("{{{session}}}")),
            13 => ("GetSellerRating", format!(r#"{{"seller_id":{buyer}}}"#)),
            14 => ("GetSellerRating", format!(r#"{{{session},"seller_id":{buyer}}}"#)),
            15..18 => {
                let (seller, revision) = (random.u8(1..4), random.u8(1..5));
                let vote = if random.bool() { "up" } else { "down" };
                let ids = format!(r#""buyer_id":{buyer},"item_id":"{item}","seller_id":{seller}"#);
                ("RateSeller", format!(r#"{{{ids},"vote":"{vote}","revision":{revision}}}"#))
            }
            18..26 => ("UpdateCart", update(random, &owner, item)),
            26 => ("ClearCart", format!("{{{owner}}}")),
            27 => ("SaveCart", format!("{{{session}}}")),
            28..30 => ("GetCart", format!("{{{owner}}}")),
            30..33 => {
                let key = match random.u8(..3) {
                    0 => String::new(),
                    n => format!(r#","idempotency_key":"key {n}""#),
                };
                ("BeginPurchase", format!("{{{session}{key}}}"))
            }
            33..37 => ("FinishPurchase", self.finish(random)),
            40..42 => {
                // Mostly they stay what they are at first.
                let old = random.u8(..6);
                let new = if random.u8(..4) > 0 { old } else { random.u8(..6) };
                let role = if random.u8(..4) > 0 { String::new() } else { format!(r#","role":"{role}""#) };
                let passwords = format!(r#""password":"{old}","new_password":"{new}""#);
                ("ChangePassword", format!("{{{session},{passwords}{role}}}"))
            }
            37 => ("ClaimPurchases", format!(r#"{{"limit":{}}}"#, random.u8(1..4))),
            _ => {
                let cursor = match self.purchase(random) {
                    Some((name, _)) if random.bool() => format!(r#","cursor":"{name}""#),
                    _ => String::new(),
                };
                ("GetBuyerPurchases", format!(r#"{{{owner},"limit":{}{cursor}}}"#, random.u8(1..4)))
            }
        }
    }

    /// Mostly one of the last.
    fn session(&self, random: &mut Rng) -> String {
        let last = self.sessions.iter().rev().take(if random.u8(..8) > 0 { 3 } else { 40 });
        let last: Vec<_> = last.collect();
        let name = random.choice(last).map_or("nonsense", String::as_str);
        format!(r#""session_id":"{name}""#)
    }

    fn purchase(&self, random: &mut Rng) -> Option<(&String, &String)> {
        random.choice(self.purchases.iter().rev().take(6).collect::<Vec<_>>())
    }

    fn finish(&self, random: &mut Rng) -> String {
        let known = self.purchase(random).filter(|_| random.u8(..20) > 0);
        let unknown = (&"5".to_owned(), &r#""1:1":1"#.to_owned());
        let (name, lines) = known.unwrap_or(unknown);
        let add = u32::from(random.u8(..16) == 0);
        let item = |line: &str| {
            let (id, units) = line.rsplit_once(':').expect("a line has units");
            let units = units.parse::<u32>().expect("units are a number") + add;
            let seller = random.u8(1..4);
            format!(
                r#"{{"item_id":{id},"seller_id":{seller},"name":"a \"desk\"","quantity":{units},"price":19.99}}"#
            )
        };
        let taken: Vec<_> = lines.split(',').map(item).collect();
        match random.u8(..3) {
            0 => format!(r#"{{"purchase_id":"{name}"}}"#),
            _ => format!(r#"{{"purchase_id":"{name}","taken":[{}]}}"#, taken.join(",")),
        }
    }
}

fn update(random: &mut Rng, owner: &str, item: &str) -> String {
    let units = match random.u8(..12) {
        0 => 0,
        1 => 1_000_000_000,
        2 => -1_000_000_000,
        3..6 => -random.i64(1..4),
        _ => random.i64(1..6),
    };
    let max = match random.u8(..3) {
        0 => format!(r#","quantity_max":{}"#, random.u8(..8)),
        _ => String::new(),
    };
    format!(r#"{{{owner},"item_id":"{item}","quantity_delta":{units}{max}}}"#)
}
