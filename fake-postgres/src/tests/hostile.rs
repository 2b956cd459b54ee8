//! What comes over a connection may be anything: nothing of it panics, and nobody else is harmed.

use fastrand::Rng;

use super::client::{Clients, bind, execute, message, parse, start, statement, sync};
use super::{LEVELS, accounts};

/// How many conversations there are of each kind.
const CONVERSATIONS: u64 = 1000;

/// The messages of a client that keeps to the protocol.
fn conversation(random: &mut Rng) -> Vec<Vec<u8>> {
    let mut messages = vec![start()];
    for _ in 0..random.usize(1..6) {
        messages.extend(match random.u8(..6) {
            0 => vec![statement("SELECT id, owner FROM accounts WHERE balance > 1 ORDER BY id"), sync()],
            1 => vec![parse("s", "UPDATE accounts SET balance = balance + 1"), bind("s"), execute(), sync()],
            2 => vec![statement("BEGIN"), statement("DELETE FROM accounts WHERE id = 1"), sync()],
            3 => vec![statement("COMMIT"), sync()],
            4 => vec![statement("INSERT INTO accounts (id, owner, balance) VALUES (9, 'eve', 1)"), sync()],
            _ => vec![message(b'C', b"Ss\0"), message(b'H', b""), statement("ROLLBACK"), sync()],
        });
    }
    messages
}

/// The same with a few changes.
fn edited(mut messages: Vec<Vec<u8>>, random: &mut Rng) -> Vec<u8> {
    for _ in 0..random.usize(1..4) {
        let (one, other) = (random.usize(..messages.len()), random.usize(..messages.len()));
        match random.u8(..3) {
            0 => messages.swap(one, other),
            1 => messages.insert(one, messages[other].clone()),
            _ => _ = messages.remove(one),
        }
        if messages.is_empty() {
            break;
        }
    }
    let mut bytes = messages.concat();
    for _ in 0..random.usize(..4) {
        let place = random.usize(..=bytes.len());
        match (random.u8(..3), bytes.get_mut(place)) {
            (0, Some(byte)) => *byte = random.u8(..),
            (1, Some(_)) => _ = bytes.remove(place),
            _ => bytes.insert(place, random.u8(..)),
        }
    }
    bytes
}

/// Sends bytes, cut anywhere, and sees that everybody else goes on once the connection is gone.
fn survive(clients: &mut Clients, bytes: &[u8], random: &mut Rng) {
    let session = clients.engine.open();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(random.usize(1..=rest.len()));
        clients.send(session, piece);
        rest = more;
    }
    // It keeps to the protocol itself, or this panics.
    clients.take(session);
    clients.engine.close(session);
    clients.settle();
    let told = clients.run(0, "UPDATE accounts SET balance = balance + 0");
    assert!(told.starts_with("UPDATE "), "{told}");
}

#[test]
fn random_bytes_harm_nobody() {
    let mut random = Rng::with_seed(1);
    let mut clients = accounts(LEVELS[0]);
    for _ in 0..CONVERSATIONS {
        let noise: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
        let begins = random.bool();
        let bytes = if begins { [start(), noise].concat() } else { noise };
        survive(&mut clients, &bytes, &mut random);
    }
}

#[test]
fn conversations_that_are_edited_harm_nobody() {
    for (seed, level) in LEVELS.into_iter().enumerate() {
        let mut random = Rng::with_seed(seed as u64);
        let mut clients = accounts(level);
        for _ in 0..CONVERSATIONS {
            let messages = conversation(&mut random);
            let bytes = edited(messages, &mut random);
            survive(&mut clients, &bytes, &mut random);
        }
    }
}
