//! Whatever happens, in whatever order.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::peer::Answer as Served;
use super::*;

const CONNECTIONS: usize = 3;

/// What is asked for under a number, which is its parameter too.
fn asked(random: &mut Rng, number: i64) -> Transaction {
    let key = random.u64(1..6);
    let effect = if random.bool() { Effect::Once } else { Effect::Repeatable };
    match random.u8(..5) {
        0 => search(number),
        1 => write(key, effect, number).alone(),
        2 | 3 => write(key, effect, number),
        _ => read(key, number),
    }
}

/// Something happens to a connection, or some time passes.
fn happen(random: &mut Rng, stage: &mut Stage) {
    let connection = random.usize(..CONNECTIONS);
    let is_ready = stage.pool.places[connection].is_ready();
    match random.u8(..40) {
        0 => stage.lose(connection),
        1..10 if !is_ready => stage.start(connection),
        1 => stage.wait(random.u64(..300)),
        _ if stage.flights(connection).is_empty() => stage.wait(1),
        2 | 3 => stage.serve(connection, Served::Error("40001")),
        4 => stage.serve(connection, Served::Error("42P01")),
        5 => stage.serve(connection, Served::Error("57P01")),
        6 => stage.serve(connection, Served::CommitError("40003")),
        _ => stage.serve(connection, Served::Success),
    }
}

/// Of two with the same key that do not both read, the later one is carried out later.
fn is_in_order(carried_out: &[i64], asked: &[Transaction]) -> bool {
    let of = |number: &i64| &asked[*number as usize - 1];
    carried_out.iter().enumerate().all(|(place, later)| {
        carried_out[..place].iter().all(|earlier| {
            let (one, other) = (of(earlier), of(later));
            let is_apart = one.key != other.key || one.key.is_none();
            is_apart || !(one.effect.is_write() || other.effect.is_write()) || earlier <= later
        })
    })
}

#[test]
fn each_is_answered_once_and_those_of_a_key_are_carried_out_in_order() {
    for seed in 0..100 {
        let mut random = Rng::with_seed(seed);
        let mut stage = Stage::ready(CONNECTIONS);
        let mut all = Vec::new();
        for _ in 0..400 {
            for _ in 0..random.usize(..3) {
                all.push(asked(&mut random, all.len() as i64 + 1));
                stage.ask(all.last().unwrap().clone());
            }
            stage.act();
            happen(&mut random, &mut stage);
        }
        stage.wait(10_000);
        assert!(stage.pool.is_idle(), "{seed}");
        let numbers: BTreeSet<u64> = stage.ended.iter().map(|(number, _)| *number).collect();
        assert_eq!((numbers.len(), stage.ended.len()), (all.len(), all.len()), "{seed}");
        let is_own = |(number, ended): &(u64, Result<Vec<i64>, String>)| {
            ended.as_ref().is_err() || *ended == Ok(vec![*number as i64])
        };
        assert!(stage.ended.iter().all(is_own), "{seed}");
        assert!(is_in_order(&stage.carried_out, &all), "{seed}");
        assert!(stage.carried_out.len() > 50, "{seed}: {}", stage.carried_out.len());
        for (number, ended) in &stage.ended {
            let is_done = stage.carried_out.contains(&(*number as i64));
            let says_no = matches!(ended, Err(words) if words.ends_with("nothing was changed"));
            assert!(!(says_no && is_done && all[*number as usize - 1].effect.is_write()), "{seed}");
        }
    }
}
