//! [`Connection`]: one connection to an engine, from its first byte to its last, as a state machine.

use std::collections::VecDeque;
use std::mem;

use bytes::{Bytes, BytesMut};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::super::config::{Config, Encryption, Host};
use super::checks::Checks;
use super::error::{self, Failure, ServerError};
use super::flight::{Flight, Outcome, Ticket};
use super::handshake::Handshake;
use super::messages;
use super::pipeline::Pipeline;

/// A connection to an engine.
///
/// Its driver makes the connection of bytes, gives up on one that takes too long, and knows three kinds of methods:
/// - what happens: [`received`](Self::received), [`encrypted`](Self::encrypted), [`lost`](Self::lost);
/// - what is wanted: [`submit`](Self::submit), [`ask_again`](Self::ask_again), [`finish`](Self::finish);
/// - what follows, to be asked for after any of these until there is no more: [`next_event`](Self::next_event), then
///   [`take_output`](Self::take_output).
///
/// After [`Event::Failed`] the driver closes the connection of bytes; nothing is sent or done any more.
pub struct Connection {
    config: Config,
    /// Whether nobody else reads what is sent, once it is encrypted if it is to be.
    is_private: bool,
    phase: Phase,
    pipeline: Pipeline,
    /// What the server was asked about itself and has not answered. Nothing else was under way then, so these answers come
    /// before all others.
    checks: Checks,
    input: BytesMut,
    output: BytesMut,
    events: VecDeque<Event>,
}

/// What a driver is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// All that comes and goes is encrypted from now on. The driver shakes hands and says
    /// [`encrypted`](Connection::encrypted), before anything else.
    Encrypt,
    /// Flights may be submitted.
    Ready,
    /// What has become of a flight.
    Ended(Ticket, Outcome),
    /// The connection is of no use.
    Failed(Failure),
}

enum Phase {
    /// Whether the server speaks TLS.
    AskingForTls,
    /// The driver's turn.
    Encrypting,
    Handshake(Handshake),
    /// Whether the server is one that changes can be entrusted to.
    Checking,
    Ready,
    /// Failed, lost or finished.
    Over,
}

impl Connection {
    /// A new connection to this host, which begins to speak.
    pub fn new(config: &Config, host: &Host) -> Self {
        let mut connection = Self {
            config: config.clone(),
            is_private: host.is_loopback() || host.encryption != Encryption::None,
            phase: Phase::AskingForTls,
            pipeline: Pipeline::new(config.is_named, config.is_pipelined),
            checks: Checks::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            events: VecDeque::new(),
        };
        match host.encryption {
            Encryption::None => connection.start(),
            Encryption::Unverified | Encryption::Verified => frontend::ssl_request(&mut connection.output),
        }
        connection
    }

    /// These bytes have come. All that are whole messages are taken at once.
    pub fn received(&mut self, bytes: &[u8]) {
        assert!(!matches!(self.phase, Phase::Encrypting), "what comes now is the handshake's");
        self.input.extend_from_slice(bytes);
        if let Err(failure) = self.receive_all() {
            self.fail(failure);
        }
    }

    /// The connection of bytes is encrypted.
    pub fn encrypted(&mut self) {
        assert!(matches!(self.phase, Phase::Encrypting), "this follows Event::Encrypt");
        self.start();
    }

    /// The connection of bytes is lost.
    pub fn lost(&mut self) {
        self.end();
    }

    /// Whether another flight may be submitted.
    pub fn has_room(&self) -> bool {
        matches!(self.phase, Phase::Ready) && self.pipeline.has_room()
    }

    /// Sends a flight, once the connection is ready and while there is room. If it has failed meanwhile, of which the driver
    /// may be about to hear, the flight is lost.
    pub fn submit(&mut self, flight: Flight) -> Ticket {
        if matches!(self.phase, Phase::Over) {
            let ticket = self.pipeline.next_ticket();
            self.events.push_back(Event::Ended(ticket, Outcome::Lost));
            return ticket;
        }
        assert!(self.has_room(), "a flight is submitted where there is room");
        self.pipeline.submit(flight, &mut self.output)
    }

    /// Whether the server owes an answer.
    pub fn is_owed(&self) -> bool {
        !self.pipeline.is_empty()
    }

    /// Asks a server that owes nothing whether it is still there, and still takes changes. If it does not,
    /// [`Event::Failed`] follows; if it does, nothing.
    pub fn ask_again(&mut self) {
        assert!(!self.is_owed(), "whoever owes an answer need not be asked");
        if matches!(self.phase, Phase::Ready) {
            self.ask_about(Checks::again());
        }
    }

    /// Says goodbye. What is under way is given up.
    pub fn finish(&mut self) {
        if matches!(self.phase, Phase::Ready) {
            frontend::terminate(&mut self.output);
        }
        self.end();
    }

    /// What the driver is to know next.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be sent.
    pub fn take_output(&mut self) -> Bytes {
        // A driver asks often, and what is split off nothing would be allocated all the same.
        if self.output.is_empty() { Bytes::new() } else { self.output.split().freeze() }
    }

    fn start(&mut self) {
        messages::start(&self.config.user, &self.config.database, &mut self.output);
        self.phase = Phase::Handshake(Handshake::new(self.config.password.clone(), self.is_private));
    }

    fn receive_all(&mut self) -> Result<(), Failure> {
        while !self.input.is_empty() {
            match self.phase {
                Phase::AskingForTls => self.answer_about_tls()?,
                Phase::Over => self.input.clear(),
                _ => match messages::next(&mut self.input)? {
                    Some(message) => self.receive(message)?,
                    None => break,
                },
            }
        }
        Ok(())
    }

    fn answer_about_tls(&mut self) -> Result<(), Failure> {
        match self.input.split_to(1)[0] {
            // What was put in behind the consent, by whoever could, would be taken for something that came encrypted.
            b'S' if !self.input.is_empty() => Err(Failure::Malformed("it speaks before the handshake")),
            b'S' => {
                self.phase = Phase::Encrypting;
                self.events.push_back(Event::Encrypt);
                Ok(())
            }
            b'N' => Err(Failure::Unencrypted),
            _ => Err(Failure::Malformed("it answers a question about TLS with neither yes nor no")),
        }
    }

    fn receive(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            // These may come at any time.
            Message::NoticeResponse(body) => {
                if error::tells_of_doubt(body.fields()) {
                    self.pipeline.doubt();
                }
                return Ok(());
            }
            Message::ParameterStatus(_) | Message::NotificationResponse(_) => return Ok(()),
            _ => {}
        }
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Handshake(handshake) => match handshake.receive(message, &mut self.output)? {
                Some(handshake) => self.phase = Phase::Handshake(handshake),
                None => self.check(),
            },
            phase => {
                self.phase = phase;
                self.receive_answer(message)?;
            }
        }
        Ok(())
    }

    fn receive_answer(&mut self, message: Message) -> Result<(), Failure> {
        let fatal = match &message {
            Message::ErrorResponse(body) => Some(ServerError::read(body.fields())?),
            _ => None,
        };
        let fatal = fatal.filter(|error| error.is_fatal);
        let ended = self.pipeline.receive(message, &mut self.output);
        if let Some(error) = fatal {
            return Err(Failure::Refused(error));
        }
        let Some((ticket, outcome)) = ended? else { return Ok(()) };
        if self.checks.len() == 0 {
            self.events.push_back(Event::Ended(ticket, outcome));
        } else if self.checks.answered(outcome)? && matches!(self.phase, Phase::Checking) {
            self.phase = Phase::Ready;
            self.events.push_back(Event::Ready);
        }
        Ok(())
    }

    /// Asks the server what it is like.
    fn check(&mut self) {
        self.ask_about(Checks::new(self.config.may_be_unflushed));
        self.phase = Phase::Checking;
    }

    fn ask_about(&mut self, checks: Checks) {
        for flight in checks.flights() {
            self.pipeline.submit(flight, &mut self.output);
        }
        self.checks = checks;
    }

    fn fail(&mut self, failure: Failure) {
        self.end();
        self.events.push_back(Event::Failed(failure));
    }

    fn end(&mut self) {
        let of_checks = mem::take(&mut self.checks).len();
        let ended = self.pipeline.lose().skip(of_checks);
        self.events.extend(ended.map(|(ticket, outcome)| Event::Ended(ticket, outcome)));
        self.phase = Phase::Over;
        self.input.clear();
    }
}
