//! Services that put a marketplace into a state rather than measure it: [`CatalogueFill`] registers items,
//! [`IdleConnections`] holds connections that do nothing.

use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use net::reactor::Handle;
use net::{Backend, Call, Event, Out, Service, Time};

use crate::interrupt::Interrupt;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Registrations under way at the same time: as many as a database takes from one connection.
const FILLS_MAX: u64 = 1024;
/// Items are dealt to so many categories in turn, of which the first is the one that is searched.
const CATEGORIES: u64 = 10;
/// Words that names are made of, beside those that all have: about as many as an educated person knows.
const WORDS: u64 = 20_011;
/// Connections that are made at the same time.
const CONNECTING_MAX: usize = 256;

/// Registers items at `db_product`, its only backend. It ends early where one cannot be registered.
pub(crate) struct CatalogueFill<'a> {
    items: u64,
    begun: u64,
    ended: u64,
    /// Items that were not registered.
    pub(crate) failures: u64,
    line: Vec<u8>,
    interrupt: &'a Interrupt,
    reactor: Handle,
}

impl<'a> CatalogueFill<'a> {
    /// The reactor is drained when so many items are registered, or once it is interrupted.
    pub(crate) fn new(items: u64, interrupt: &'a Interrupt, reactor: Handle) -> Self {
        Self { items, begun: 0, ended: 0, failures: 0, line: Vec::new(), interrupt, reactor }
    }

    fn register_next(&mut self, now: Time, out: &mut Out<'_>) {
        let number = self.begun;
        self.begun += 1;
        self.line.clear();
        write!(
            self.line,
            r#"{{"request_id":1,"api":"RegisterItem","data":{{"seller_id":{},"name":"A tale of w{} and w{}","category":{},"keywords":["book","shelf{}","k{}"],"condition":"used","price":12.5,"quantity":5}}}}"#,
            1 + number % 1000,
            number * 7919 % WORDS,
            number * 104_729 % WORDS,
            1 + number % CATEGORIES,
            number % 97,
            number % 9973,
        )
        .expect("writing to memory cannot fail");
        out.call(Backend(0), Call(0), &self.line, now + CALL_TIMEOUT);
    }
}

impl Service for CatalogueFill<'_> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Reply(_, reply) = event {
            self.ended += 1;
            let registered = reply.is_ok_and(|line| line.starts_with(OK_START));
            self.failures += u64::from(!registered);
            if self.begun < self.items {
                self.register_next(now, out);
            }
        }
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        while self.begun < self.items.min(FILLS_MAX) {
            self.register_next(now, out);
        }
        if self.is_drained() {
            self.reactor.drain();
        }
    }

    fn is_drained(&self) -> bool {
        self.ended == self.items || self.failures > 0 || self.interrupt.is_asked()
    }
}

const OK_START: &[u8] = br#"{"type":"Response","request_id":1,"ok":true,"#;

/// What each idle connection asks for once.
const CALL: &[u8] =
    br#"{"request_id":1,"api":"SearchItemsForSale","data":{"category":1,"keywords":["book"]}}"#;

/// Makes one call over each of its connections, and then keeps silent.
pub(crate) struct IdleConnections {
    size: usize,
    begun: usize,
    connected: usize,
    /// `None`: a connection was turned away, so all will never stand.
    ready: Option<Sender<()>>,
}

impl IdleConnections {
    /// What is received says that all connections stand and were answered. If the other end is gone, they never will.
    pub(crate) fn new(size: usize) -> (Self, Receiver<()>) {
        let (ready, ready_in) = channel();
        (Self { size, begun: 0, connected: 0, ready: Some(ready) }, ready_in)
    }

    fn connect_next(&mut self, now: Time, out: &mut Out<'_>) {
        let number = self.begun;
        self.begun += 1;
        out.call(Backend(number), Call(number), CALL, now + CALL_TIMEOUT);
    }

    fn report_when_ready(&self) {
        if let Some(ready) = self.ready.as_ref().filter(|_| self.connected == self.size) {
            // Whoever no longer waits for it does not need it.
            let _ = ready.send(());
        }
    }
}

impl Service for IdleConnections {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        let Event::Reply(call, reply) = event else { return };
        match reply {
            Ok(line) if line.starts_with(OK_START) => {}
            Ok(_) => {
                self.ready = None;
                return;
            }
            // The connection was not made in time; it is tried again.
            Err(_) => {
                out.call(Backend(call.0), call, CALL, now + CALL_TIMEOUT);
                return;
            }
        }
        self.connected += 1;
        if self.begun < self.size {
            self.connect_next(now, out);
        }
        self.report_when_ready();
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        while self.begun < self.size.min(CONNECTING_MAX) {
            self.connect_next(now, out);
        }
        if self.size == 0 {
            self.report_when_ready();
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
