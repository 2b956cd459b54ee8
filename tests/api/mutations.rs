//! Requests with mistakes that nobody thought of: each is answered once, in its place, and with no defect of ours.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Server};

const ROUNDS: usize = 40;
const LINES: usize = 50;

/// What is put into requests: pieces of JSON, and what is none.
const PIECES: [&[u8]; 28] = [
    b"null",
    b"true",
    b"0",
    b"-0",
    b"-1",
    b"1e400",
    b"1e-400",
    b"4294967296",
    b"9223372036854775808",
    b"0.001",
    b"\"\"",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud83d",
    b"\\u00e9",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{}",
    b"[[]]",
    b":",
    b",",
    b"\xff",
    b"\xf0\x9f\x98\x80",
    b"\x00",
    b"\"session_id\":null,",
];

/// Good requests, which are to be spoiled.
fn requests(buyer: &str, seller: &str) -> Vec<Value> {
    let account = json!({"name": "eve", "username": "eve", "password": "secret"});
    let login = json!({"username": "bob", "password": "secret", "role": "buyer"});
    let item = json!({"session_id": seller, "seller_id": 1, "name": "Pen", "category": 1, "keywords": ["pen", "ink"],
        "condition": "new", "price": 19.99, "quantity": 5});
    let search = json!({"session_id": buyer, "category": 1, "keywords": ["pen", "red"], "limit": 3, "cursor": "2:1:1"});
    let line = json!({"session_id": buyer, "item_id": "1:1", "quantity": 1});
    let update = json!({"session_id": buyer, "buyer_id": 1, "item_id": "1:1", "quantity_delta": 1});
    let stock = json!({"session_id": seller, "seller_id": 1, "item_id": "1:1", "quantity_delta": 1});
    let vote = json!({"session_id": buyer, "buyer_id": 1, "seller_id": 1, "item_id": "1:1", "vote": "up"});
    let page = json!({"session_id": buyer, "buyer_id": 1, "limit": 3, "cursor": "1"});
    [
        ("CreateAccount", &account),
        ("CreateBuyer", &account),
        ("Login", &login),
        ("RegisterItemForSale", &item),
        ("RegisterItem", &item),
        ("SearchItemsForSale", &search),
        ("SearchItems", &search),
        ("AddItemToCart", &line),
        ("RemoveItemFromCart", &line),
        ("CheckAvailability", &line),
        ("UpdateCart", &update),
        ("UpdateUnitsForSale", &stock),
        ("ProvideFeedback", &vote),
        ("RateSeller", &vote),
        ("GetBuyerPurchases", &page),
        ("DisplayItemsForSale", &page),
        ("GetCart", &json!({"session_id": buyer, "role": "buyer"})),
        ("ValidateSession", &json!({"session_id": buyer, "role": "buyer"})),
    ]
    .map(|(api, data)| json!({"type": "Request", "request_id": "7", "api": api, "data": data}))
    .to_vec()
}

/// Leaves out fields that the API may not know, so that what is left gets far, and then spoils some bytes.
fn spoil(random: &mut Rng, request: &Value) -> Vec<u8> {
    let mut request = request.clone();
    request["data"].as_object_mut().unwrap().retain(|_, _| random.u8(..) < 220);
    let mut line = request.to_string().into_bytes();
    for _ in 0..random.usize(0..4) {
        let at = random.usize(..line.len());
        let end = line.len().min(at + random.usize(0..12));
        match random.u8(..4) {
            0 => drop(line.splice(at..end, [])),
            1 => {
                let piece = line[at..end].to_vec();
                line.splice(at..at, piece);
            }
            2 => drop(line.splice(at..end, PIECES[random.usize(..PIECES.len())].iter().copied())),
            _ => line[at] = random.u8(..),
        }
        if line.is_empty() {
            line.push(b'x');
        }
    }
    for byte in &mut line {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line
}

fn bombard(random: &mut Rng, server: &Server, requests: &[Value]) {
    let mut client = server.client();
    for _ in 0..ROUNDS {
        let lines: Vec<_> = (0..LINES)
            .map(|_| {
                let request = &requests[random.usize(..requests.len())];
                spoil(random, request)
            })
            .collect();
        client.send(lines.join(&b'\n'));
        for line in lines {
            let line = line.escape_ascii();
            let reply = client.read_json();
            assert_eq!(reply["type"], "Response", "{line}");
            assert_eq!(reply["ok"], reply["error"].is_null(), "{line}");
            let code = &reply["error"]["code"];
            assert!(code != "INTERNAL" && code != "UNAVAILABLE", "{line}: {reply}");
        }
        client.assert_usable();
    }
}

#[test]
fn spoiled_requests_are_answered_one_by_one() {
    let cluster = Cluster::start();
    let (mut seller, buyer) = (cluster.new_seller("sue"), cluster.new_buyer("bob"));
    seller.sell(1, "Red pen", &["pen"], 1000);
    let requests = requests(&buyer.session, &seller.session);
    let mut random = Rng::with_seed(1);
    for server in [&cluster.buyer, &cluster.seller, &cluster.customer, &cluster.product] {
        bombard(&mut random, server, &requests);
    }
    let cluster = cluster.restart();
    cluster.buyer.client().ok("GetItem", json!({"item_id": "1:1"}));
}
