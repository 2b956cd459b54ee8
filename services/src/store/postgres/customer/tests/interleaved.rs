//! The statements of `db_customer`, in turn with each other, on PostgreSQL and on the fake engine.

use fastrand::Rng;

use super::harness::{START, field, remote};
use crate::api::error::Error;
use crate::store::postgres::customer::RemoteCustomer;
use crate::store::postgres::tests::interleaved::{Script, compare};

#[derive(Default)]
struct Customer {
    sessions: Vec<String>,
    purchases: Vec<String>,
}

impl Script<RemoteCustomer> for Customer {
    fn replica(&mut self, seed: u64) -> RemoteCustomer {
        remote(seed)
    }

    fn preparation(&mut self) -> Vec<(&'static str, String)> {
        let account = |api| (api, r#"{"name":"ann","password":"secret"}"#.to_owned());
        vec![
            account("CreateBuyer"),
            account("CreateSeller"),
            log_in("secret"),
            log_in("secret"),
            log_in("secret"),
        ]
    }

    fn next(&mut self, random: &mut Rng) -> (&'static str, String) {
        let newest = self.sessions.iter().rev().take(3).collect::<Vec<_>>();
        let session = random.choice(newest).cloned().unwrap_or_default();
        let session = format!(r#""session_id":"{session}""#);
        let owner = if random.u8(..4) > 0 { session.clone() } else { r#""buyer_id":1"#.to_owned() };
        let item = random.u8(1..=2);
        match random.u8(..34) {
            0 => ("CreateBuyer", format!(r#"{{"name":"user {}","password":"secret"}}"#, random.u8(..9))),
            1 => ("Login", log_in("secret").1),
            2 => ("Login", log_in("wrong").1),
            3 => ("Logout", format!("{{{session}}}")),
            4 => ("ValidateSession", format!("{{{session}}}")),
            5..8 => {
                let (vote, revision) = (if random.bool() { "up" } else { "down" }, random.u8(1..9));
                let ids = format!(r#""buyer_id":1,"item_id":"1:{item}","seller_id":1"#);
                ("RateSeller", format!(r#"{{{ids},"vote":"{vote}","revision":{revision}}}"#))
            }
            8..17 => {
                let units = [1, 2, 3, -1, -2][random.usize(..5)];
                ("UpdateCart", format!(r#"{{{owner},"item_id":"1:{item}","quantity_delta":{units}}}"#))
            }
            17 => ("ClearCart", format!("{{{owner}}}")),
            18..20 => ("SaveCart", format!("{{{session}}}")),
            20 => ("GetCart", format!("{{{owner}}}")),
            21..25 => {
                let key = if random.bool() { r#","idempotency_key":"key""# } else { "" };
                ("BeginPurchase", format!("{{{session}{key}}}"))
            }
            25..29 => ("FinishPurchase", self.finish(random)),
            29 => ("ClaimPurchases", "{}".to_owned()),
            30..32 => {
                let passwords = r#""password":"secret","new_password":"secret""#;
                ("ChangePassword", format!("{{{session},{passwords}}}"))
            }
            32 => ("GetBuyerPurchases", r#"{"buyer_id":1}"#.to_owned()),
            _ => ("GetSellerRating", r#"{"seller_id":1}"#.to_owned()),
        }
    }

    fn heard(&mut self, api: &str, answer: &Result<String, Error>) {
        match (api, answer) {
            ("Login", Ok(json)) => self.sessions.push(field(json, "session_id")),
            ("BeginPurchase", Ok(json)) if json.contains("\"lines\"") => {
                self.purchases.push(field(json, "purchase_id"));
            }
            _ => {}
        }
    }
}

impl Customer {
    fn finish(&self, random: &mut Rng) -> String {
        let newest = self.purchases.iter().rev().take(3).collect::<Vec<_>>();
        let id = random.choice(newest).map_or("5", String::as_str);
        match random.u8(..3) {
            0 => format!(r#"{{"purchase_id":"{id}"}}"#),
            _ => {
                let item = r#"{"item_id":"1:1","seller_id":1,"name":"desk","quantity":1,"price":2}"#;
                format!(r#"{{"purchase_id":"{id}","taken":[{item}]}}"#)
            }
        }
    }
}

fn log_in(password: &str) -> (&'static str, String) {
    ("Login", format!(r#"{{"username":"ann","password":"{password}","role":"buyer"}}"#))
}

#[test]
fn transactions_of_several_replicas_are_alike_on_both_engines() {
    compare(START, Customer::default);
}
