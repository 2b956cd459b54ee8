//! [`Pipeline`]: the flights of a connection that are under way. They are answered in the order in which they were sent.

use std::collections::VecDeque;

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;

use super::error::Failure;
use super::flight::{Flight, Outcome, Ticket};
use super::prepared::Prepared;
use super::running::Running;

/// The most flights of a connection that are under way.
const FLIGHTS_MAX: usize = 64;

/// The flights of a connection.
#[derive(Debug)]
pub(super) struct Pipeline {
    flights: VecDeque<Running>,
    prepared: Prepared,
    is_pipelined: bool,
    next: Ticket,
}

impl Pipeline {
    pub(super) fn new(is_named: bool, is_pipelined: bool) -> Self {
        let prepared = Prepared::new(is_named);
        Self { flights: VecDeque::new(), prepared, is_pipelined, next: Ticket(0) }
    }

    /// Whether another flight may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.flights.len() < FLIGHTS_MAX
    }

    /// Whether none is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// A ticket that no other flight has.
    pub(super) fn next_ticket(&mut self) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        ticket
    }

    /// Sends a flight, at once or when it is its turn.
    pub(super) fn submit(&mut self, flight: Flight, out: &mut BytesMut) -> Ticket {
        assert!(self.has_room(), "a connection has {FLIGHTS_MAX} flights at most");
        let ticket = self.next_ticket();
        self.flights.push_back(Running::new(ticket, flight, self.is_pipelined));
        if self.is_pipelined {
            let flight = self.flights.back_mut().expect("it was just put there");
            while flight.write_segment(&mut self.prepared, out) {}
        } else if self.flights.len() == 1 {
            self.write_next(out);
        }
        ticket
    }

    /// Takes the next message of the server, and returns the flight that has ended with it.
    ///
    /// # Errors
    /// It is none that can come here.
    pub(super) fn receive(
        &mut self,
        message: Message,
        out: &mut BytesMut,
    ) -> Result<Option<(Ticket, Outcome)>, Failure> {
        let is_sync = matches!(message, Message::ReadyForQuery(_));
        let flight = self.flights.front_mut().ok_or(Failure::Malformed("there is an answer to nothing"))?;
        flight.receive(message, &mut self.prepared)?;
        let ended = flight.has_ended().then(|| self.end_first());
        if is_sync && !self.is_pipelined {
            self.write_next(out);
        }
        Ok(ended)
    }

    /// The server doubts the commit of the flight under way.
    pub(super) fn doubt(&mut self) {
        if let Some(flight) = self.flights.front_mut() {
            flight.doubt();
        }
    }

    /// The connection is lost: what has become of all that was under way.
    pub(super) fn lose(&mut self) -> impl Iterator<Item = (Ticket, Outcome)> {
        self.flights.drain(..).map(|flight| (flight.ticket, flight.outcome()))
    }

    fn end_first(&mut self) -> (Ticket, Outcome) {
        let flight = self.flights.pop_front().expect("its end was just seen");
        self.prepared.ended(flight.ticket);
        if flight.error().is_some_and(|error| error.is_of_pooler()) {
            self.prepared.distrust();
        }
        (flight.ticket, flight.outcome())
    }

    /// Writes the next segment of the flight whose turn it is.
    fn write_next(&mut self, out: &mut BytesMut) {
        if let Some(flight) = self.flights.front_mut() {
            flight.write_segment(&mut self.prepared, out);
        }
    }
}
