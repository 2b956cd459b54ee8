//! [`Stream`]: the connection to one backend with which bytes are exchanged. It knows no word of what they say, and so
//! neither what the backend owes nor when it has been silent for too long: its service knows, and ends it.
//!
//! A stream reconnects for ever, to one address after another.

use crate::channel::Channel;
use crate::dialer::{Action, Dialer, Reason, within};
use crate::limits::Limits;
use crate::target::ByteAddress;
use crate::time::{Time, earlier};

/// `Plain → Handshaking → Encrypted`, as far as the service asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Plain,
    Handshaking { give_up_at: Time },
    Encrypted,
}

#[derive(Debug)]
pub(crate) struct Stream {
    dialer: Dialer<Phase>,
    pub(crate) channel: Channel,
    addresses: Vec<ByteAddress>,
    /// The place of the address that the connection is to, or will be to.
    address: usize,
}

impl Stream {
    /// A stream that wants to connect to the first of these addresses at once.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn new(addresses: Vec<ByteAddress>, limits: &Limits) -> Self {
        assert!(!addresses.is_empty(), "a backend has an address");
        let channel = Channel::new(limits.link_retained_bytes_max);
        Self { dialer: Dialer::new(limits), channel, addresses, address: 0 }
    }

    /// Whether the connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.dialer.is_connected()
    }

    /// Whether there is neither a connection nor one that is being made.
    pub(crate) fn is_down(&self) -> bool {
        self.dialer.is_down()
    }

    /// Whether what has come is for the service: not what has come without a connection, or before the backend has proved
    /// who it is.
    pub(crate) fn is_delivering(&self) -> bool {
        matches!(self.dialer.phase(), Some(Phase::Plain | Phase::Encrypted))
    }

    /// The place of the address that the connection is to, or will be to.
    pub(crate) fn address(&self) -> usize {
        self.address
    }

    /// The connection stands.
    ///
    /// # Panics
    /// The stream has not asked for one.
    pub(crate) fn connected(&mut self) {
        self.dialer.connected(Phase::Plain);
        self.channel.begin();
        self.invariants();
    }

    /// Appends bytes to what is to be sent. Without a connection, they are dropped. True: the driver is to be told to
    /// write.
    ///
    /// # Errors
    /// Too many wait already. The connection ends, for it is of no use with a part of them.
    pub(crate) fn write(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, Reason> {
        if !self.is_connected() {
            return Ok(false);
        }
        let max = limits.stream_unsent_bytes_max;
        if self.channel.unsent_len() + bytes.len() > max {
            return Err(format!("more than {max} bytes wait to be sent to it").into());
        }
        let is_to_write = self.channel.send(bytes);
        self.invariants();
        Ok(is_to_write)
    }

    /// From now on, what comes and goes is encrypted; what was written already leaves before that as it is. Without a
    /// connection, nothing happens. True: the driver is to be told to write.
    ///
    /// # Errors
    /// The host is neither a name nor an address. The connection ends.
    ///
    /// # Panics
    /// The stream is encrypted already, or nobody has said how it is to be.
    pub(crate) fn encrypt(&mut self, now: Time, limits: &Limits) -> Result<bool, Reason> {
        let Some(phase) = self.dialer.phase() else { return Ok(false) };
        assert_eq!(phase, Phase::Plain, "a stream is encrypted once");
        let ByteAddress { address, tls } = &self.addresses[self.address];
        let tls = tls.as_ref().expect("a service encrypts a stream where it was said how");
        let session = tls.connect(address, limits.link_retained_bytes_max);
        self.channel.encrypt(session.map_err(|error| error.to_string())?);
        self.dialer.enter(Phase::Handshaking { give_up_at: now + limits.connect_timeout });
        let is_to_write = self.channel.begin_transmit();
        self.invariants();
        Ok(is_to_write)
    }

    /// Whether the stream has come to be encrypted, which is said once.
    pub(crate) fn becomes_encrypted(&mut self) -> bool {
        let becomes =
            matches!(self.dialer.phase(), Some(Phase::Handshaking { .. })) && self.channel.may_send();
        if becomes {
            self.dialer.enter(Phase::Encrypted);
        }
        becomes
    }

    /// The backend is of use.
    pub(crate) fn works(&mut self, limits: &Limits) {
        self.dialer.works(limits);
    }

    /// The connection is gone, or could not be made; the next one is to the next address. True: before it is closed, the
    /// driver is to write why.
    #[must_use]
    pub(crate) fn disconnected(&mut self, now: Time, limits: &Limits) -> bool {
        self.dialer.disconnected(now, limits);
        self.address = (self.address + 1) % self.addresses.len();
        let has_last_words = self.channel.reset();
        self.invariants();
        has_last_words
    }

    /// When [`Stream::expire`] should be called next.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let handshake = match self.dialer.phase() {
            Some(Phase::Handshaking { give_up_at }) => Some(give_up_at),
            _ => None,
        };
        earlier(self.dialer.deadline(), handshake)
    }

    /// Takes the step that is due.
    pub(crate) fn expire(&mut self, now: Time, limits: &Limits) -> Option<Action> {
        match self.dialer.phase() {
            Some(Phase::Handshaking { give_up_at }) if give_up_at <= now => {
                Some(Action::Close(within("no end of the TLS handshake", limits.connect_timeout)))
            }
            _ => self.dialer.expire(now, limits),
        }
    }

    /// What is true between any two calls, whatever the backend, the driver and the service do.
    fn invariants(&self) {
        assert!(self.address < self.addresses.len());
        let stands = self.is_connected();
        assert!(stands || !self.channel.has_lines(), "nothing leaves without a connection");
        assert!(self.channel.received().is_empty(), "what has come is handed over at once");
    }
}
