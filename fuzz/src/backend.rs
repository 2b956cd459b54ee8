//! The target [`backend`]: what calls itself the databases of a frontend, and says anything.

use std::time::Duration;

use net::Encryption;
use serde_json::Value;
use services::{Backends, Deadlines, Secrets};

use crate::linked::Linked;
use crate::script::{Step, steps};

/// What the clients of the frontend ask, each over a connection of its own.
const REQUESTS: [(&str, &str); 8] = [
    ("Login", r#"{"username":"ann","password":"hush"}"#),
    ("SearchItemsForSale", r#"{"keywords":["ink"]}"#),
    ("GetItem", r#"{"item_id":"1:1"}"#),
    (
        "AddItemToCart",
        r#"{"session_id":"000000000000000100000000000000000000000000000007","item_id":"1:1","quantity":1}"#,
    ),
    ("MakePurchase", r#"{"session_id":"000000000000000100000000000000000000000000000007"}"#),
    (
        "ProvideFeedback",
        r#"{"session_id":"000000000000000100000000000000000000000000000007","item_id":"1:1","vote":"up"}"#,
    ),
    ("DisplayCart", r#"{"session_id":"000000000000000100000000000000000000000000000007"}"#),
    ("GetBuyerPurchases", r#"{"session_id":"000000000000000100000000000000000000000000000007"}"#),
];
/// What the frontend shows its databases.
const SECRET: &str = "open sesame";
/// Time that passes at once.
const TICK: Duration = Duration::from_millis(100);
/// After so many, no client waits any more.
const TICKS_MAX: usize = 300;

/// The databases answer the calls of clients as their protocol says, but with any data, or say anything at any time, or
/// end; the first byte chooses whether they do the same instead of a greeting. Each client is told one thing, under the ID
/// of its request, and the secret is shown to nobody but a database, once a connection.
///
/// # Panics
/// It is not so.
pub fn backend(input: &[u8]) {
    let Some((&choice, script)) = input.split_first() else { return };
    let backends = Backends::single("customer", "product");
    let lanes = backends.addresses();
    let secrets = Secrets::parse(SECRET).expect("a secret");
    let frontend = services::server_buyer(Deadlines::default(), Some(secrets), &backends);
    let mut frontend = Linked::new(frontend, Encryption::default(), lanes.clone());
    let mut asked = vec![Asked::default(); lanes.len()];
    let greets = |frontend: &mut Linked<_>, asked: &mut Vec<Asked>| {
        for (link, asked) in asked.iter_mut().enumerate() {
            asked.note(frontend.take_sent(link));
            while choice % 2 == 0 && asked.greet(&lanes[link], |line| frontend.answer(link, line)) {
                asked.note(frontend.take_sent(link));
            }
        }
    };
    greets(&mut frontend, &mut asked);
    for (number, (api, data)) in REQUESTS.iter().enumerate() {
        let line = format!("{{\"request_id\":\"{number}\",\"api\":\"{api}\",\"data\":{data}}}\n");
        frontend.request(line.as_bytes());
    }
    for Step { what, how, text } in steps(script) {
        greets(&mut frontend, &mut asked);
        let link = usize::from(how) % lanes.len();
        match what % 5 {
            0 => frontend.answer(link, &asked[link].reply(true, text)),
            1 => frontend.answer(link, &asked[link].reply(false, text)),
            2 => frontend.answer(link, text),
            3 => frontend.end(link),
            _ => frontend.pass(TICK * u32::from(how)),
        }
    }
    frontend.refuse();
    (0..lanes.len()).for_each(|link| frontend.end(link));
    (0..TICKS_MAX).for_each(|_| frontend.pass(TICK));
    for (number, received) in frontend.received().enumerate() {
        let received = std::str::from_utf8(received).expect("replies are text");
        let start = format!("{{\"type\":\"Response\",\"request_id\":\"{number}\",\"ok\":");
        assert!(received.starts_with(&start) && received.ends_with("}\n"), "{received}");
        assert_eq!(received.lines().count(), 1, "each client is told one thing: {received}");
        let is_own = received.starts_with(&format!("{start}false")) && received.contains("\"UNAVAILABLE\"");
        assert!(!is_own || serde_json::from_str::<Value>(received).is_ok(), "{received}");
    }
}

/// What was asked over the present connection of a link.
#[derive(Clone, Default)]
struct Asked {
    lines: Vec<Value>,
}

impl Asked {
    /// The frontend has sent this.
    fn note(&mut self, sent: Vec<u8>) {
        for line in sent.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).expect("a call is JSON");
            if line["api"] == "Authenticate" || line["data"].get("secret").is_some() {
                assert_eq!(line["data"]["secret"], SECRET);
                assert_eq!(line["request_id"], 0, "a connection begins with the secret");
                self.lines.clear();
            }
            self.lines.push(line);
        }
    }

    /// Answers a line of the greeting, if it is the oldest that has no answer.
    fn greet(&mut self, database: &str, mut answer: impl FnMut(&[u8])) -> bool {
        let data = match self.lines.first().and_then(|line| line["api"].as_str()) {
            Some("Authenticate") => r#"{"authenticated":true}"#.to_owned(),
            Some("Ping") => format!(r#"{{"service":"db_{database}","version":"0","commits":0}}"#),
            _ => return false,
        };
        answer(&self.reply(true, data.as_bytes()));
        true
    }

    /// The reply to the oldest line that has none.
    fn reply(&mut self, is_ok: bool, text: &[u8]) -> Vec<u8> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let id = &self.lines.remove(0)["request_id"];
        let start = format!(r#"{{"type":"Response","request_id":{id},"ok":{is_ok},"error":"#);
        let (middle, end) =
            if is_ok { ("null,\"data\":", "}\n") } else { ("{\"code\":", "},\"data\":null}\n") };
        [start.as_bytes(), middle.as_bytes(), text, end.as_bytes()].concat()
    }
}
