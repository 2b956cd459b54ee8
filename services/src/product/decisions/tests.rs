use super::*;

const START: Time = Time::from_millis(1_000_000);
const ITEM: ItemId = ItemId { category: 1, n: 1 };

fn taken(quantity: u32) -> Decided {
    Decided::Taken([TakenUnits { item_id: ITEM, quantity, price: Price(1999) }].into())
}

fn refused(available: u32, quantity: u32) -> Decided {
    Decided::Refused([Shortage { item_id: ITEM, available, quantity }].into())
}

/// Decisions about the purchases from 1 to this number, on disk.
fn decided(number: u64) -> Decisions {
    let mut decisions = Decisions::new();
    (1..=number).for_each(|id| assert!(decisions.load(PurchaseId(id), taken(1)), "{id}"));
    decisions
}

/// What is asked about a purchase; the code of the error, if it is one.
fn find(decisions: &mut Decisions, id: u64, ended_before: u64) -> Result<Option<Decided>, Code> {
    let found = decisions.find(PurchaseId(id), PurchaseId(ended_before));
    found.map(Option::<&_>::cloned).map_err(|error| error.code)
}

/// A commit: the floor, if it is stored, how many decisions are, and how many are removed.
fn commit(decisions: &mut Decisions) -> (Option<u64>, usize, usize) {
    let floor = decisions.seal_floor().map(|floor| floor.0);
    let rows: Vec<bool> = decisions.seal().map(|(_, decided)| decided.is_some()).collect();
    decisions.publish();
    let stored = rows.iter().filter(|is_stored| **is_stored).count();
    (floor, stored, rows.len() - stored)
}

/// What the next process finds.
fn restart(decisions: &Decisions, floor: u64) -> Decisions {
    let mut restarted = Decisions::new();
    for id in &decisions.remembered {
        assert!(restarted.load(*id, decisions.rows.get(id).expect("it is on disk").clone()));
    }
    restarted.load_floor(PurchaseId(floor));
    restarted
}

#[test]
fn a_decision_is_the_same_whenever_it_is_asked_for() {
    let mut decisions = Decisions::new();
    assert_eq!(find(&mut decisions, 7, 0), Ok(None));
    decisions.put(PurchaseId(7), taken(2));
    assert_eq!(find(&mut decisions, 7, 0), Ok(Some(taken(2))), "before it is on disk");
    assert_eq!(commit(&mut decisions), (None, 1, 0));
    assert_eq!(find(&mut decisions, 7, 7), Ok(Some(taken(2))), "it has not ended");
    assert_eq!(find(&mut restart(&decisions, 0), 7, 7), Ok(Some(taken(2))));
    assert!(!decisions.is_dirty());
}

#[test]
fn nothing_is_decided_for_a_purchase_that_has_ended() {
    let mut decisions = decided(3);
    assert_eq!(find(&mut decisions, 9, 9), Ok(None));
    assert!(!decisions.is_dirty(), "nothing relies on it yet");
    assert_eq!(find(&mut decisions, 2, 0), Err(Code::FailedPrecondition), "decided");
    assert_eq!(commit(&mut decisions), (Some(9), 0, 0), "what the refusal relies on goes to disk with it");
    assert_eq!(find(&mut decisions, 8, 0), Err(Code::FailedPrecondition), "never seen");
    assert!(!decisions.is_dirty(), "it is on disk already");
    let mut restarted = restart(&decisions, 9);
    for id in [2, 8] {
        assert_eq!(find(&mut restarted, id, 0), Err(Code::FailedPrecondition), "{id}");
    }
    assert_eq!(find(&mut restarted, 9, 0), Ok(None));
}

#[test]
fn what_was_said_before_is_not_taken_back() {
    let mut decisions = Decisions::new();
    assert_eq!(find(&mut decisions, 20, 10), Ok(None));
    assert_eq!(find(&mut decisions, 20, 5), Ok(None));
    assert_eq!(find(&mut decisions, 7, 5), Err(Code::FailedPrecondition));
}

#[test]
fn forgetting_is_bounded_in_each_turn_and_comes_to_its_end() {
    let some = FORGOTTEN_PER_TURN_MAX as u64;
    let mut decisions = decided(2 * some + 10);
    assert_eq!(decisions.forget(START), None, "nothing has ended");
    assert_eq!(find(&mut decisions, 2 * some + 9, 2 * some + 4), Ok(Some(taken(1))));
    assert_eq!(decisions.forget(START), Some(START), "there is more");
    assert_eq!(commit(&mut decisions), (Some(2 * some + 4), 0, FORGOTTEN_PER_TURN_MAX));
    assert_eq!(decisions.forget(START), Some(START));
    assert_eq!(commit(&mut decisions), (None, 0, FORGOTTEN_PER_TURN_MAX));
    assert_eq!(decisions.forget(START), None);
    assert_eq!(commit(&mut decisions), (None, 0, 3));
    assert_eq!((decisions.forget(START), decisions.is_dirty()), (None, false));
    assert_eq!(decisions.len(), 7, "those that have not ended stay");
    assert_eq!(find(&mut decisions, 1, 0), Err(Code::FailedPrecondition));
}

#[test]
fn a_steady_load_stores_a_floor_once_a_second() {
    let mut decisions = Decisions::new();
    let mut floors = Vec::new();
    for ms in 0..3000 {
        let now = START + Duration::from_millis(ms);
        assert_eq!(find(&mut decisions, ms + 100, ms), Ok(None));
        decisions.put(PurchaseId(ms + 100), taken(1));
        decisions.forget(now);
        let (floor, stored, removed) = commit(&mut decisions);
        assert_eq!(stored, 1);
        assert!(removed <= FORGOTTEN_PER_TURN_MAX);
        floors.extend(floor);
    }
    assert_eq!(floors, [101, 1101, 2101]);
    assert!(decisions.len() <= 1100, "{}", decisions.len());
    let end = START + Duration::from_secs(3);
    let wake_at = decisions.forget(end).expect("there is more to be forgotten");
    assert!(wake_at > end && wake_at <= end + FORGETTING_INTERVAL, "it does not wait for the next request");
    while decisions.forget(wake_at).is_some() {}
    commit(&mut decisions);
    assert_eq!(decisions.len(), 101);
}

#[test]
fn what_was_to_be_forgotten_before_a_restart_is_forgotten_after_it() {
    let mut decisions = restart(&decided(10), 6);
    assert_eq!(decisions.forget(START), None);
    assert_eq!(commit(&mut decisions), (None, 0, 5));
}

#[test]
fn a_decision_may_be_forgotten_in_the_group_that_makes_it() {
    let mut decisions = Decisions::new();
    assert_eq!(find(&mut decisions, 1, 1), Ok(None));
    decisions.put(PurchaseId(1), refused(0, 1));
    assert_eq!(find(&mut decisions, 2, 2), Ok(None));
    decisions.forget(START);
    assert_eq!(commit(&mut decisions), (Some(2), 0, 1));
    assert_eq!(decisions.len(), 0);
}

#[test]
fn there_is_an_end_to_what_is_remembered() {
    let line = |n| TakenUnits { item_id: ItemId { category: 1, n }, quantity: 1, price: Price(0) };
    let large = Decided::Taken((1..=LINES_MAX as u32).map(line).collect());
    let last = (REMEMBERED_BYTES_MAX / large.bytes()) as u64 + 1;
    let mut decisions = Decisions::new();
    for id in 1..=last {
        assert_eq!(find(&mut decisions, id, 1), Ok(None));
        decisions.put(PurchaseId(id), large.clone());
    }
    commit(&mut decisions);
    let mut decisions = restart(&decisions, 0);
    assert_eq!(find(&mut decisions, last + 1, 1), Err(Code::ResourceExhausted));
    assert!(!decisions.is_dirty());
    assert_eq!(find(&mut decisions, last, 1), Ok(Some(large.clone())), "what is remembered is told");
    assert_eq!(find(&mut decisions, last + 1, 2), Err(Code::ResourceExhausted));
    decisions.forget(START);
    assert_eq!(find(&mut decisions, last + 1, 2), Ok(None), "what has ended makes room");
    assert_eq!(decisions.remembered_bytes, (last as usize - 1) * large.bytes());
}

#[test]
fn what_cannot_have_been_decided_is_not_loaded() {
    let loads = |decided| Decisions::new().load(PurchaseId(1), decided);
    assert!(loads(taken(QUANTITY_MAX)) && loads(refused(1, QUANTITY_MAX)));
    let units = |n| TakenUnits { item_id: ItemId { category: 1, n }, quantity: 1, price: Price(0) };
    let lines = |ns: &[u32]| Decided::Taken(ns.iter().map(|n| units(*n)).collect());
    let most: Vec<u32> = (1..=1001).collect();
    assert!(loads(lines(&most[..1000])));
    for decided in [
        taken(0),
        taken(QUANTITY_MAX + 1),
        refused(0, 0),
        refused(2, 2),
        refused(3, 2),
        Decided::Taken([].into()),
        Decided::Refused([].into()),
        lines(&[2, 1]),
        lines(&[1, 1]),
        lines(&most),
    ] {
        assert!(!loads(decided.clone()), "{decided:?}");
    }
    let mut decisions = decided(1);
    assert!(!decisions.load(PurchaseId(1), taken(1)), "it is there already");
}
