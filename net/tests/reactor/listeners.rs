//! Listeners: who may listen on an address, and who may not.

use std::io::ErrorKind;
use std::sync::Barrier;
use std::thread;

use net::reactor::Reactor;

/// Binds a set on an address where it must be refused.
#[track_caller]
fn assert_taken(listen: &str, count: usize) {
    match Reactor::bind_set(listen, count) {
        Ok(_) => panic!("{count} more listen on {listen}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{listen}: {error}"),
    }
}

#[test]
fn an_address_is_of_one_process_whatever_the_size_of_the_sets() {
    for (first, second) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3)] {
        let set = Reactor::bind_set("127.77.0.1:0", first).expect("a free port");
        let address = set[0].local_addr().expect("it is bound").to_string();
        assert_taken(&address, second);
        drop(set);
        Reactor::bind_set(&address, second).expect("it is free again");
    }
}

#[test]
fn an_address_is_taken_by_whoever_listens_on_all_of_them() {
    let everywhere = ["0.0.0.0:0", "[::]:0"];
    for listen in everywhere {
        let Ok(set) = Reactor::bind_set(listen, 2) else { continue };
        let port = set[0].local_addr().expect("it is bound").port();
        assert_taken(&format!("127.0.0.1:{port}"), 2);
        assert_taken(&format!("0.0.0.0:{port}"), 2);
    }
    for one in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(set) = Reactor::bind_set(one, 2) else { continue };
        let port = set[0].local_addr().expect("it is bound").port();
        assert_taken(&format!("[::]:{port}"), 2);
    }
}

#[test]
fn of_sets_that_come_at_the_same_time_at_most_one_is_bound() {
    const RIVALS: usize = 4;
    for _ in 0..50 {
        let free = Reactor::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("it is bound").to_string();
        drop(free);
        let start = Barrier::new(RIVALS);
        let end = Barrier::new(RIVALS);
        let bound: usize = thread::scope(|scope| {
            let rivals: Vec<_> = (0..RIVALS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let set = Reactor::bind_set(&address, 2);
                        end.wait();
                        usize::from(set.is_ok())
                    })
                })
                .collect();
            rivals.into_iter().map(|rival| rival.join().expect("it does not panic")).sum()
        });
        assert!(bound <= 1, "{bound} sets share {address}");
    }
}
