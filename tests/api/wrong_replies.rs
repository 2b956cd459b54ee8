//! Databases that skip or add a line, mix them up or say something else: no client is given what another one asked for,
//! and none is told that a change was not made that was.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use std::time::Duration;

use serde_json::json;
use services::Deadlines;
use support::{Act, Client, Reply};

use crate::cluster::{Cluster, Server, Setup};
use crate::proxy::{pass, proxy};

const CLIENTS: usize = 100;
const ROUNDS: usize = 12;
/// One of so many replies is tampered with.
const TAMPERED: usize = 60;
/// A frontend of these tests takes no longer reply.
const REPLY_BYTES_MAX: usize = 4096;

fn setup(patience: Duration) -> Setup {
    // Nothing is refused early, however busy the machine is.
    let deadlines = Deadlines { call: patience, password: patience, behind_after: patience };
    let mut setup = Setup { deadlines, ..Setup::default() };
    setup.frontend_limits.reply_bytes_max = REPLY_BYTES_MAX;
    setup
}

/// What a database does to its replies, one way after another, as long as it is `wrong`.
#[derive(Default)]
struct Tampering {
    wrong: AtomicBool,
    replies: AtomicUsize,
    held_back: Mutex<Vec<u8>>,
}

impl Tampering {
    fn act(&self, reply: &[u8]) -> Act {
        let held_back = std::mem::take(&mut *self.held_back.lock().unwrap());
        if !held_back.is_empty() {
            return Act::Bytes([reply, &held_back].concat());
        }
        let count = self.replies.fetch_add(1, Ordering::Relaxed);
        if !self.wrong.load(Ordering::Relaxed) || !count.is_multiple_of(TAMPERED) {
            return pass(reply);
        }
        match count / TAMPERED % 6 {
            0 => Act::Bytes(Vec::new()),
            1 => Act::Bytes([b"hello\n", reply].concat()),
            2 => Act::Bytes(reply.repeat(2)),
            3 => {
                *self.held_back.lock().unwrap() = reply.to_vec();
                Act::Bytes(Vec::new())
            }
            4 => Act::Bytes(with_id(reply, "1")),
            _ => Act::Bytes(with_id(reply, "null")),
        }
    }
}

/// Makes something else of a reply.
type Garble = fn(&[u8]) -> Vec<u8>;

/// The reply, under another ID.
fn with_id(reply: &[u8], id: &str) -> Vec<u8> {
    let reply = std::str::from_utf8(reply).unwrap();
    let (head, rest) = reply.split_once(r#""request_id":"#).unwrap();
    let (_, rest) = rest.split_once(',').unwrap();
    format!(r#"{head}"request_id":{id},{rest}"#).into_bytes()
}

#[test]
fn no_client_is_given_the_reply_to_another_one() {
    let cluster = Cluster::with(Setup::default());
    let mut seller = cluster.new_seller("sue");
    let items: Vec<String> = (0..CLIENTS).map(|_| seller.sell(1, "pen", &[], 1)).collect();
    let tampering = Arc::new(Tampering::default());
    let tamper = Arc::clone(&tampering);
    let proxy = proxy(cluster.product.address, move |api, reply| match api {
        "GetItem" => tamper.act(reply),
        _ => pass(reply),
    });
    // Calls whose replies are skipped are to be given up soon.
    let setup = setup(Duration::from_millis(300));
    let frontend = Server::buyer(cluster.customer.address, proxy.address, &setup);
    let mut clients: Vec<Client> = items.iter().map(|_| frontend.client()).collect();
    // All of them use the same ID. Returns how many were answered; the others were told that they were not.
    let mut round = || {
        for (client, item) in clients.iter_mut().zip(&items) {
            client.send(json!({"request_id": 1, "api": "GetItem", "data": {"item_id": item}}).to_string());
        }
        let mut answered = 0;
        for (client, item) in clients.iter_mut().zip(&items) {
            let line = client.read_line();
            if line.contains(r#""ok":true"#) {
                let data = Reply::new(line, "1").data();
                assert!(data.starts_with(&format!(r#"{{"item":{{"item_id":"{item}","#)), "{item}: {data}");
                answered += 1;
            } else {
                // On a busy machine more wait than is bearable for so short a time.
                let is_early = line.contains(r#""code":"RESOURCE_EXHAUSTED""#);
                let code = if is_early { "RESOURCE_EXHAUSTED" } else { "UNAVAILABLE" };
                Reply::new(line, "1").refused_with(code, item);
            }
        }
        answered
    };
    tampering.wrong.store(true, Ordering::Relaxed);
    let answered: usize = (0..ROUNDS).map(|_| round()).sum();
    assert!(tampering.replies.load(Ordering::Relaxed) > 6 * TAMPERED, "each way was tried");
    assert!(answered > 0, "reads are repeated");
    tampering.wrong.store(false, Ordering::Relaxed);
    assert!((0..20).any(|_| round() == CLIENTS), "it recovers");
}

#[test]
fn a_change_whose_reply_makes_no_sense_may_have_been_made() {
    let cluster = Cluster::with(Setup::default());
    let mut seller = cluster.new_seller("sue");
    let item = seller.sell(1, "pen", &[], 0);
    let garbled: Vec<Garble> = vec![
        |reply| with_id(reply, "1"),
        |reply| with_id(reply, "null"),
        |reply| [&reply[..reply.len() / 2], b"\n"].concat(),
        |reply| [&reply[..reply.len() - 3], b"\xff}}\n"].concat(),
        |reply| [&reply[..reply.len() - 3], &[b' '; REPLY_BYTES_MAX], b"}}\n"].concat(),
        |_| b"{}\n".to_vec(),
        |_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        |reply| String::from_utf8_lossy(reply).replace("\"ok\":true", "\"ok\":1").into_bytes(),
        |_| {
            br#"{"type":"Response","request_id":null,"ok":false,"error":{"code":"RESOURCE_EXHAUSTED","message":"full"},"data":null}
"#
        .to_vec()
        },
    ];
    let ways = garbled.len();
    let left = Mutex::new(garbled);
    let proxy = proxy(cluster.product.address, move |api, reply| match api {
        "UpdateUnitsForSale" => match left.lock().unwrap().pop() {
            Some(garble) => Act::Bytes(garble(reply)),
            None => pass(reply),
        },
        _ => pass(reply),
    });
    let setup = setup(Duration::from_secs(20));
    let frontend = Server::seller(cluster.customer.address, proxy.address, &setup);
    seller.client = frontend.client();
    let units = json!({"item_id": item, "quantity_delta": 1});
    for way in 0..ways {
        let message = seller.refused("UpdateUnitsForSale", units.clone(), "UNAVAILABLE");
        assert_eq!(message, "db_product did not answer; the change may have been made", "{way} from the end");
    }
    let updated = seller.ok("UpdateUnitsForSale", units);
    assert_eq!(updated["quantity"], ways + 1, "each of them was made");
}
