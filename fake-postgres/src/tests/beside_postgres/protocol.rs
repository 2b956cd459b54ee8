//! Conversations: in which order messages come, what is skipped after an error, and which transaction is open behind each Sync.

use fastrand::Rng;

use super::real::Real;
use super::{Both, essence, postgres};
use crate::tests::client::{bind, execute, message, parse, start, statement, sync};
use crate::tests::{LEVELS, accounts};

/// How many random conversations there are.
const CONVERSATIONS: usize = 300;

const ADD: &str = "UPDATE accounts SET balance = balance + 5 WHERE id = 1";
const READ: &str = "SELECT id, balance FROM accounts ORDER BY id";
/// It fails when it is carried out, and not before.
const DIVIDE: &str = "SELECT 1 / (balance - balance) FROM accounts";

/// Something that a client may say, rightly or not.
fn piece(random: &mut Rng) -> Vec<u8> {
    match random.u8(..16) {
        0 | 1 => statement(ADD),
        2 => statement(READ),
        3 | 4 => statement("BEGIN"),
        5 => statement("COMMIT"),
        6 => statement("ROLLBACK"),
        7 => statement(DIVIDE),
        8 => statement("INSERT INTO accounts (id, owner, balance) VALUES (1, 'eve', 0)"),
        9 => statement("UPDATE accounts SET balance = balance - 1000000 WHERE id = 2"),
        10 => statement("SELECT nothing FROM accounts"),
        11 => statement("SELECT ("),
        12 => parse("named", READ),
        13 => [bind("named"), execute()].concat(),
        14 => message(b'C', b"Snamed\0"),
        // It says nothing of what a Bind must say.
        _ => message(b'B', b"?"),
    }
}

#[test]
fn any_conversation_is_answered_alike() {
    let Some(server) = postgres() else { return };
    let mut both = Both::start(&server, LEVELS[0]);
    let mut random = Rng::with_seed(1);
    let mut told = String::new();
    for _ in 0..CONVERSATIONS {
        let mut messages = Vec::new();
        for _ in 0..random.usize(1..8) {
            messages.extend(piece(&mut random));
            if random.bool() {
                messages.extend(sync());
            }
        }
        told += &both.say(1, &[messages, sync()].concat());
        // Half of them leave the next one the transaction that they have begun.
        if random.bool() {
            told += &both.say(1, &[statement("ROLLBACK"), sync()].concat());
        }
    }
    for met in ["Z I", "Z T", "Z E", "E 25P02", "E 26000", "E 08P01", "E 42P05", "COMMIT", "ROLLBACK"] {
        assert!(told.contains(met), "{met} was not met");
    }
    both.ask(2, READ);
}

#[test]
fn after_an_error_all_is_skipped_up_to_a_sync() {
    let Some(server) = postgres() else { return };
    let mut both = Both::start(&server, LEVELS[0]);
    for error in [statement(DIVIDE), statement("SELECT ("), message(b'B', b"?"), bind("unknown")] {
        for before in [vec![], statement(ADD), statement("BEGIN")] {
            // What is skipped need not be what it says that it is.
            let skipped = [statement(ADD), message(b'P', b"?"), statement("COMMIT")].concat();
            let told =
                both.say(1, &[before, error.clone(), skipped, sync(), statement(READ), sync()].concat());
            assert!(told.contains("Z I 1 2 (1,") || told.contains("Z E E 25P02"), "{told}");
            both.say(1, &[statement("ROLLBACK"), sync()].concat());
        }
    }
    both.ask(2, READ);
}

#[test]
fn who_breaks_the_protocol_is_thrown_out() {
    let Some(server) = postgres() else { return };
    let too_short = [&b"S"[..], &3u32.to_be_bytes()].concat();
    let negative = [&b"S"[..], &[0xFF; 4]].concat();
    // Of a length that cannot be, only one of them says why the connection ends.
    for (broken, is_told) in [(message(b'z', b""), true), (too_short, false), (negative, false)] {
        let mut real = Real::connect(server.port);
        let mut fake = accounts(LEVELS[0]);
        let session = fake.session(1);
        real.send(&broken);
        fake.send(session, &broken);
        let (said, is_over) = real.hear(0).expect("it ends");
        let fake_said = fake.take_bytes(session);
        assert!(is_over && fake.ended == [session], "{broken:?}");
        if is_told {
            assert_eq!(essence(&fake_said, true), essence(&said, true), "{broken:?}");
        }
    }
}

#[test]
fn a_connection_begins_alike() {
    let Some(server) = postgres() else { return };
    let first = |code: u32| [&8u32.to_be_bytes()[..], &code.to_be_bytes()].concat();
    let unfinished = [&10u32.to_be_bytes()[..], &(3u32 << 16).to_be_bytes(), b"us"].concat();
    let (tls, cancel) = (first(80_877_103), first(80_877_102));
    for (opening, answer) in [(tls, "N"), (cancel, ""), (first(4 << 16), "E 0A000"), (unfinished, "E 08P01")]
    {
        let mut real = Real::open(server.port);
        let mut fake = accounts(LEVELS[0]);
        let session = fake.engine.open();
        real.send(&opening);
        fake.send(session, &opening);
        if answer == "N" {
            // A byte, and no message; then it begins.
            assert_eq!((real.byte(), &fake.take_bytes(session)[..]), (b'N', &b"N"[..]));
            real.send(&start());
            fake.send(session, &start());
            let (said, _) = real.hear(1).expect("it lets everybody in");
            assert_eq!(essence(&fake.take_bytes(session), false), essence(&said, false));
        } else {
            let (said, is_over) = real.hear(0).expect("it ends");
            assert!(is_over && fake.ended == [session], "{opening:?}");
            assert_eq!(essence(&said, false).join(" "), answer, "{opening:?}");
            assert_eq!(essence(&fake.take_bytes(session), false).join(" "), answer, "{opening:?}");
        }
    }
}
