//! Services that are killed under load, again and again, at random moments.
//!
//! Twenty kills of each, and a table of what came of them:
//! `RECOVERY_KILLS=20 cargo test --test recovery every_service -- --nocapture`.

use std::thread;
use std::time::Duration;

use fastrand::Rng;
use support::run_during;

use super::PROGRAM;

/// How often each service is killed, unless `RECOVERY_KILLS` says otherwise.
const KILLS: u32 = 2;
/// Gives all random choices; what the processes make of them differs from run to run.
const SEED: u64 = 1;

#[test]
fn what_was_acknowledged_survives_kills_of_every_service() {
    let kills = match std::env::var("RECOVERY_KILLS") {
        Ok(kills) => kills.parse().expect("RECOVERY_KILLS is a number"),
        Err(_) => KILLS,
    };
    let mut marketplace = PROGRAM.marketplace(&[]);
    let mut rng = Rng::with_seed(SEED);
    println!("{:14} {:>5} {:>12} {:>4}  calls that failed", "service", "kills", "acknowledged", "lost");
    let mut lost = Vec::new();
    for (place, seed) in (0..4).zip(SEED..) {
        let addresses = marketplace.addresses();
        let service = &mut *marketplace.services()[place];
        let name = service.name;
        let report = run_during(addresses, name, seed, || {
            for _ in 0..kills {
                // The load must have time to write, and to run into the gap.
                thread::sleep(Duration::from_millis(rng.u64(50..300)));
                service.kill();
                thread::sleep(Duration::from_millis(rng.u64(..100)));
                service.restart();
            }
            thread::sleep(Duration::from_millis(100));
        });
        println!("{name:14} {kills:>5} {:>12} {:>4}", report.acknowledged, report.lost.len());
        for (why, count) in &report.failures {
            println!("{:>39}{count:>6}  {why}", "");
        }
        assert!(report.acknowledged > 0, "there was no load");
        lost.extend(report.lost);
    }
    assert!(lost.is_empty(), "lost: {lost:#?}");
}
