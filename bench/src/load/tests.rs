mod world;

use std::time::Duration;

use net::Lost;

use super::call::{CONSECUTIVE_FAILURES_MAX, lost_code};
use super::*;
use world::{Answer, Run, buyers, sellers};

const MS: Duration = Duration::from_millis(1);
const CLEANUP_MAX: Duration = Duration::from_secs(5);

fn closed(calls: usize, warmup: usize) -> Workload {
    Workload { length: Length::Calls(calls), warmup, rate: None, retry: false, cleanup_max: CLEANUP_MAX }
}

#[test]
fn stages_begin_for_all_clients_at_once() {
    let mut clients = sellers("default", 3);
    clients.extend(buyers("default", 2));
    let mut run = Run::new(clients, closed(4, 2));
    // Clients take different times for each stage.
    run.delay = Box::new(|number, _| MS * (1 + number as u32));
    let done = run.finish();
    assert_eq!(done.stages, [Stage::Warmup, Stage::Measure, Stage::Teardown, Stage::Done]);
    for (stage, calls) in [("setup", 3 * 4 + 2), ("warmup", 5 * 2), ("measure", 5 * 4), ("teardown", 3)] {
        assert_eq!(done.requests(stage).len(), calls, "{stage}");
    }
    for stage in ["warmup", "measure", "teardown"] {
        let first = &done.requests(stage)[..done.clients(stage)];
        assert!(first.iter().all(|request| request.at == first[0].at), "{stage}: {first:?}");
    }
    assert_eq!(done.record.calls(), 20, "neither setup nor warm-up is recorded");
    assert!(done.record.is_right(), "{:?}", done.record.errors);
    assert_eq!(done.calls(Api::SearchItemsForSale), 8);
    assert_eq!(done.calls(Api::ChangeItemPrice), 12);
}

#[test]
fn in_a_closed_loop_the_response_times_of_a_client_add_up_to_the_run() {
    let mut run = Run::new(buyers("Ping", 1), closed(50, 3));
    run.delay = Box::new(|_, count| MS * (1 + count as u32 % 7));
    let done = run.finish();
    let times = &done.record.apis[Api::Ping as usize].as_ref().expect("it was called").times;
    let sum = Duration::from_nanos((times.mean() * 50.0) as u64);
    let run = done.record.ended_at.since(done.record.started_at);
    // A histogram keeps three digits.
    assert!(sum.abs_diff(run) < run / 500, "{sum:?} of {run:?}");
    assert_eq!(done.requests("measure")[0].at, done.record.started_at);
    assert!(done.record.apis[Api::Ping as usize].as_ref().is_some_and(|calls| calls.service_times.is_none()));
}

#[test]
fn no_more_than_64_clients_are_set_up_at_a_time() {
    let run = Run::new(sellers("default", 150), closed(1, 0));
    let done = run.finish();
    assert_eq!(done.in_flight_max("setup"), SETUPS_MAX);
    assert_eq!(done.in_flight_max("measure"), 150);
    assert_eq!(done.record.calls(), 150);
}

#[test]
fn a_setup_that_fails_ends_the_run_before_anything_is_measured() {
    for answer in [Answer::Error("RESOURCE_EXHAUSTED"), Answer::Wrong, Answer::Never] {
        let mut run = Run::new(sellers("default", 100), closed(5, 5));
        run.answer = Box::new(move |number, api, _| match (number, api) {
            (3, "Login") => answer,
            _ => Answer::Right,
        });
        let done = run.finish();
        assert_eq!(done.stages, [Stage::Teardown, Stage::Done], "{answer:?}");
        assert_eq!(done.record.calls(), 0);
        assert_eq!(done.record.left_for_sale, 0, "what others have registered is sold out");
        assert!(!done.record.is_right());
        let last = done.sent.last().expect("there are some");
        assert_ne!(last.api, "ChangeItemPrice");
    }
}

#[test]
fn a_scheduled_call_counts_from_its_moment_although_its_client_was_busy() {
    // Every 10 ms a call is due, of one client, and each takes 25 ms.
    let mut run = Run::new(
        buyers("Ping", 1),
        Workload {
            length: Length::Calls(10),
            warmup: 0,
            rate: Some(100.0),
            retry: false,
            cleanup_max: CLEANUP_MAX,
        },
    );
    run.delay = Box::new(|_, _| MS * 25);
    let done = run.finish();
    let times = &done.record.apis[Api::Ping as usize].as_ref().expect("it was called").times;
    // Call k begins at 25k instead of 10k, and ends 25 later: 25, 40, 55, … 160.
    let near = |nanos: u64, millis: u64| nanos.abs_diff(millis * 1_000_000) < millis * 2000;
    assert!(near(times.min(), 25) && near(times.max(), 160), "{} to {}", times.min(), times.max());
    let service =
        done.record.apis[Api::Ping as usize].as_ref().and_then(|calls| calls.service_times.as_ref());
    let service = service.expect("there is a schedule");
    assert!(
        near(service.min(), 25) && near(service.max(), 25) && service.len() == 10,
        "from when it was sent"
    );
    assert_eq!(done.record.ended_at.since(done.record.started_at), MS * 250);
    assert_eq!(done.record.lateness.len(), 1, "only the first found its client free");
}

#[test]
fn scheduled_calls_are_sent_at_their_moment_by_clients_in_turn() {
    let mut run = Run::new(
        buyers("Ping", 4),
        Workload {
            length: Length::Calls(5),
            warmup: 2,
            rate: Some(1000.0),
            retry: false,
            cleanup_max: CLEANUP_MAX,
        },
    );
    run.delay = Box::new(|_, _| MS / 2);
    let done = run.finish();
    let sent = done.requests("measure");
    assert_eq!(sent.len(), 20);
    for (number, request) in sent.iter().enumerate() {
        assert_eq!(request.client, number % 4);
        assert_eq!(request.at.since(done.record.started_at), MS * number as u32);
    }
    let times = &done.record.apis[Api::Ping as usize].as_ref().expect("it was called").times;
    assert!(times.max() < 510_000, "{}", times.max());
    assert_eq!(done.record.lateness.len(), 20);
}

#[test]
fn a_schedule_is_kept_however_slow_it_is() {
    let run = Run::new(
        buyers("Ping", 1),
        Workload {
            length: Length::Calls(3),
            warmup: 0,
            rate: Some(0.1),
            retry: false,
            cleanup_max: CLEANUP_MAX,
        },
    );
    let done = run.finish();
    let moments: Vec<_> =
        done.requests("measure").iter().map(|request| request.at.since(done.record.started_at)).collect();
    assert_eq!(moments, [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(20)]);
}

fn timed(millis: u32, rate: Option<f64>) -> Workload {
    Workload { length: Length::Time(MS * millis), rate, ..closed(0, 2) }
}

#[test]
fn nobody_begins_a_call_once_the_time_is_up() {
    let mut run = Run::new(buyers("Ping", 2), timed(100, None));
    run.delay = Box::new(|number, _| MS * [7, 30][number]);
    let done = run.finish();
    let sent = done.requests("measure");
    assert!(sent.iter().all(|request| request.at.since(done.record.started_at) < MS * 100));
    // At 0, 7, … 98, and at 0, 30, 60 and 90.
    assert_eq!([0, 1].map(|client| sent.iter().filter(|sent| sent.client == client).count()), [15, 4]);
    assert_eq!(done.record.calls(), 19, "the last ones are waited for");
    assert_eq!(done.record.ended_at.since(done.record.started_at), MS * 120);
    assert_eq!(done.stages, [Stage::Warmup, Stage::Measure, Stage::Teardown, Stage::Done]);
    assert!(done.record.is_complete && done.record.unmade == 0);
}

#[test]
fn in_a_given_time_a_schedule_is_kept_to_its_end() {
    let done = Run::new(buyers("Ping", 4), timed(50, Some(1000.0))).finish();
    assert_eq!(done.requests("measure").len(), 50);
    assert_eq!(done.record.unmade, 0);
    // There are fewer calls than clients.
    let done = Run::new(buyers("Ping", 4), timed(2, Some(1000.0))).finish();
    assert_eq!(done.requests("measure").iter().map(|request| request.client).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(done.stages.last(), Some(&Stage::Done));
}

#[test]
fn what_fell_due_and_was_not_made_in_time_is_counted() {
    // Ten are due, one each 10 ms, and each takes 25 ms: those that begin at 0, 25, 50 and 75 are made.
    let mut run = Run::new(buyers("Ping", 1), timed(100, Some(100.0)));
    run.delay = Box::new(|_, _| MS * 25);
    let done = run.finish();
    assert_eq!((done.record.calls(), done.record.unmade), (4, 6));
    assert!(done.record.is_complete);
}

#[test]
fn calls_that_are_lost_or_fail_are_counted_by_code_and_not_as_answered() {
    let mut run = Run::new(buyers("Ping", 1), closed(20, 0));
    // The first is that of the setup.
    run.answer = Box::new(|_, _, count| match count {
        3 => Answer::Break,
        6 => Answer::Never,
        9 => Answer::Error("INTERNAL"),
        12 => Answer::Wrong,
        _ => Answer::Right,
    });
    let done = run.finish();
    let errors: Vec<_> = done.record.errors.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(errors, [("CONNECTION_LOST", 2), ("INTERNAL", 1)]);
    assert_eq!(done.record.wrong, 1);
    assert_eq!(done.record.calls(), 18, "replies are answers, whatever they say");
    assert_eq!(done.record.wrong_lines.len(), 2, "{:?}", done.record.wrong_lines);
    assert!(done.stages.ends_with(&[Stage::Teardown, Stage::Done]), "{:?}", done.stages);
    assert_eq!(lost_code(Lost::Overloaded), "OVERLOADED");
}

#[test]
fn a_call_whose_connection_was_cut_is_made_again_if_asked_for() {
    let mut run = Run::new(sellers("ChangeItemPrice", 1), Workload { retry: true, ..closed(10, 0) });
    run.answer = Box::new(|_, _, count| match count {
        6 | 9 | 10 => Answer::Break,
        _ => Answer::Right,
    });
    let done = run.finish();
    assert_eq!(done.record.repeated, 3);
    assert!(done.record.is_right(), "{:?}", done.record.errors);
    assert_eq!(done.requests("measure").len(), 13);
    assert_eq!(done.calls(Api::ChangeItemPrice), 10, "a call that was made again is one call");
}

#[test]
fn a_call_that_would_act_twice_is_not_made_again() {
    let mut run = Run::new(sellers("RegisterItemForSale", 1), Workload { retry: true, ..closed(5, 0) });
    run.answer = Box::new(|_, _, count| if count == 6 { Answer::Break } else { Answer::Right });
    let done = run.finish();
    assert_eq!(done.record.repeated, 0);
    assert_eq!(done.record.errors["CONNECTION_LOST"], 1);
}

#[test]
fn no_call_is_made_again_for_ever() {
    let mut run = Run::new(buyers("Ping", 1), Workload { retry: true, ..closed(5, 0) });
    run.answer = Box::new(|_, _, count| if count > 2 { Answer::Break } else { Answer::Right });
    let done = run.finish();
    assert_eq!(done.record.repeated, CONSECUTIVE_FAILURES_MAX as u64 - 1);
    assert_eq!(done.record.errors["CONNECTION_LOST"], 1);
    assert_eq!(done.stages.last(), Some(&Stage::Done));
}

#[test]
fn a_run_is_broken_off_where_nobody_answers_any_more() {
    let mut run = Run::new(buyers("Ping", 2), closed(1000, 0));
    run.answer =
        Box::new(|number, _, count| if number == 1 && count >= 10 { Answer::Gone } else { Answer::Right });
    let done = run.finish();
    let errors: Vec<_> = done.record.errors.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(errors, [("CANNOT_CONNECT", CONSECUTIVE_FAILURES_MAX as u64 - 1), ("CONNECTION_LOST", 1)]);
    assert_eq!(done.stages, [Stage::Warmup, Stage::Measure, Stage::Done]);
}

#[test]
fn failures_now_and_then_break_nothing_off() {
    let mut run = Run::new(buyers("Ping", 1), closed(100, 0));
    run.answer = Box::new(
        |_, _, count| if count > 1 && count % 2 == 0 { Answer::Error("BUSY") } else { Answer::Right },
    );
    let done = run.finish();
    assert_eq!(done.record.errors["BUSY"], 50);
    assert_eq!(done.record.calls(), 100);
}

#[test]
fn the_observer_ends_a_run_at_once_in_every_stage() {
    let workload = Workload {
        length: Length::Calls(10),
        warmup: 10,
        rate: Some(0.1),
        retry: false,
        cleanup_max: CLEANUP_MAX,
    };
    for (replies, stage) in [(1, "setup"), (6, "warmup"), (15, "measure")] {
        let mut run = Run::new(sellers("default", 1), workload);
        run.after_replies = Some((replies, Verdict::GiveUp));
        let done = run.finish();
        assert_eq!(done.sent[replies - 1].stage, stage);
        assert!(done.sent.len() <= replies + 1, "{stage}: it goes on");
        assert_eq!(done.stages.last(), Some(&Stage::Done));
        assert!(!done.stages.contains(&Stage::Teardown), "{stage}: {:?}", done.stages);
        assert!(!done.record.is_complete);
    }
}

#[test]
fn a_run_that_is_broken_off_leaves_nothing_for_sale() {
    let workload = Workload { length: Length::Calls(10), warmup: 10, ..closed(0, 0) };
    // Of two sellers and two buyers, sellers are set up by four calls and buyers by one.
    for (replies, stage) in [(5, "setup"), (12, "warmup"), (60, "measure"), (91, "teardown")] {
        let mut clients = sellers("default", 2);
        clients.extend(buyers("default", 2));
        let mut run = Run::new(clients, workload);
        run.after_replies = Some((replies, Verdict::BreakOff));
        run.delay = Box::new(|number, _| MS * (1 + number as u32));
        let done = run.finish();
        assert_eq!(done.sent[replies - 1].stage, stage);
        assert_eq!(done.stages.last(), Some(&Stage::Done));
        let of = |api: &str| done.sent.iter().filter(|request| request.api == api).count();
        assert_eq!(of("UpdateUnitsForSale"), of("RegisterItemForSale"), "{stage}");
        assert_eq!(done.record.left_for_sale, 0, "{stage}");
        assert_eq!(done.record.is_complete, stage == "teardown");
        assert!(done.took < Duration::from_secs(1), "{stage}: {:?}", done.took);
    }
}

#[test]
fn leaving_nothing_for_sale_takes_no_longer_than_it_may() {
    let mut run = Run::new(sellers("default", 3), closed(1000, 0));
    run.after_replies = Some((20, Verdict::BreakOff));
    run.answer = Box::new(|number, api, _| match (number, api) {
        (1, "UpdateUnitsForSale") => Answer::Never,
        (2, "UpdateUnitsForSale") => Answer::Error("UNAVAILABLE"),
        _ => Answer::Right,
    });
    let done = run.finish();
    assert_eq!(done.record.left_for_sale, 2);
    assert!(done.took < CLEANUP_MAX + Duration::from_secs(1), "{:?}", done.took);
    assert_eq!(done.sent.iter().filter(|request| request.api == "UpdateUnitsForSale").count(), 3);
}

#[test]
fn the_observer_may_give_up_leaving_nothing_for_sale() {
    let mut run = Run::new(sellers("default", 1), closed(1000, 0));
    run.after_replies = Some((10, Verdict::BreakOff));
    run.after = Some((Duration::from_secs(1), Verdict::GiveUp));
    run.answer =
        Box::new(|_, api, _| if api == "UpdateUnitsForSale" { Answer::Never } else { Answer::Right });
    let done = run.finish();
    assert_eq!(done.record.left_for_sale, 1);
    assert!(done.took < Duration::from_secs(1) + 2 * TICK, "{:?}", done.took);
}

#[test]
fn an_item_whose_registration_is_not_answered_may_be_for_sale() {
    let mut run = Run::new(sellers("default", 1), closed(10, 0));
    run.answer =
        Box::new(|_, api, _| if api == "RegisterItemForSale" { Answer::Never } else { Answer::Right });
    run.after = Some((Duration::from_secs(1), Verdict::BreakOff));
    assert_eq!(run.finish().record.left_for_sale, 1);
}

#[test]
fn without_time_for_it_nothing_is_taken_off_the_market() {
    let mut run =
        Run::new(sellers("default", 3), Workload { cleanup_max: Duration::ZERO, ..closed(1000, 0) });
    run.after_replies = Some((20, Verdict::BreakOff));
    let done = run.finish();
    assert_eq!(done.stages, [Stage::Warmup, Stage::Measure, Stage::Done]);
    assert_eq!(done.record.left_for_sale, 3);
}

#[test]
fn searches_that_find_nothing_are_counted() {
    let mut run = Run::new(buyers("default", 2), closed(5, 3));
    run.matches = 0;
    let done = run.finish();
    assert!(done.record.is_right(), "{:?}", done.record.wrong_lines);
    let searches = done.record.apis[Api::SearchItemsForSale as usize].as_ref().expect("they were made");
    assert_eq!((searches.times.len(), searches.in_vain), (10, 10), "warm-up does not count");
}

#[test]
fn the_observer_is_asked_while_nobody_answers() {
    let mut run = Run::new(buyers("Ping", 1), closed(10, 0));
    run.answer = Box::new(|_, _, count| if count < 3 { Answer::Right } else { Answer::Never });
    run.after = Some((Duration::from_secs(5), Verdict::BreakOff));
    let done = run.finish();
    assert!(done.took < Duration::from_secs(5) + 2 * TICK, "{:?}", done.took);
}

#[test]
fn a_relay_is_called_over_connections_that_stand_and_its_lengths_are_checked() {
    let mut reply_bytes = [100; Api::COUNT];
    reply_bytes[Api::ChangeItemPrice as usize] = 120;
    for (right, wrong) in [(120, 0), (121, 4)] {
        let mut run = Run::new(sellers("default", 2), closed(2, 0)).for_relay(reply_bytes);
        run.answer = Box::new(move |_, _, count| Answer::Bytes(if count == 0 { 1 } else { right }));
        let done = run.finish();
        assert_eq!(done.requests("setup").len(), 2);
        assert_eq!(done.requests("teardown").len(), 0);
        assert_eq!((done.record.calls(), done.record.wrong), (4, wrong));
    }
}

#[test]
fn a_relay_is_called_as_the_marketplace_is() {
    // Each call takes a unit out of the cart that the call before has put into it.
    let mut clients = buyers("RemoveItemFromCart", 1);
    clients.extend(sellers("RemoveItemFromCart", 1));
    let mut run = Run::new(clients, closed(10, 0)).for_relay([100; Api::COUNT]);
    run.answer = Box::new(|_, _, _| Answer::Bytes(100));
    let done = run.finish();
    assert_eq!((done.calls(Api::AddItemToCart), done.calls(Api::RemoveItemFromCart)), (5, 5));
}
