//! [`Limits`]: every maximum and every patience of a node, in one place.

use std::time::Duration;

/// The maximum of every queue and buffer of a node, and how long it is patient.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections of clients. A further one is rejected.
    pub connections_max: usize,
    /// Connections beyond that maximum that may be told so at the same time; further ones are
    /// dropped without a word.
    pub refusals_max: usize,
    /// Bytes of a request line, without its end.
    pub line_bytes_max: usize,
    /// Lines of a client that were delivered and not answered. With 1, the requests of a client are
    /// carried out strictly one after another.
    pub in_flight_max: usize,
    /// Bytes that wait for a client; one that leaves more unread has no further line delivered.
    pub outbox_bytes_max: usize,
    /// Bytes of memory that each of the two buffers of a connection keeps once it is empty: little where there are many
    /// idle clients, much where a few are always busy.
    pub retained_bytes_max: usize,
    /// Lines of one client that are delivered in one turn.
    pub lines_per_turn_max: usize,
    /// Calls that a link has in flight or waiting.
    pub calls_max: usize,
    /// Bytes of calls that a link has not sent.
    pub link_bytes_max: usize,
    /// Bytes of a reply line of a backend.
    pub reply_bytes_max: usize,
    /// Patience with a client that has begun a line.
    pub line_timeout: Duration,
    /// Patience with a client that reads none of its replies.
    pub stall_timeout: Duration,
    /// Patience with a client that does not close after we did.
    pub linger_timeout: Duration,
    /// Patience of a call with a link that is down; its deadline may be later, for a backend that is slow.
    pub waiting_timeout: Duration,
    /// Patience with a connection to a backend that is being made, and once more until its greeting is answered.
    pub connect_timeout: Duration,
    /// Patience with a backend that answers nothing while a call is overdue.
    pub silence_timeout: Duration,
    /// How long a request may take before the service logs it as slow, if at all.
    pub slow_after: Option<Duration>,
    /// How long a drain goes on taking lines of connections that are in use.
    pub drain_grace: Duration,
    /// How long a connection must have nothing in flight until a drain takes it for one that is not in use.
    pub drain_quiet: Duration,
    /// The shortest pause before a link connects again; it doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// The longest pause before a link connects again.
    pub backoff_max: Duration,
    /// Open HTTP connections to the process's metrics and health. A further one is dropped.
    pub admin_connections_max: usize,
    /// Bytes of an HTTP request's head.
    pub admin_request_bytes_max: usize,
    /// Patience with an HTTP connection, from its beginning to its end.
    pub admin_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16 * 1024,
            refusals_max: 64,
            line_bytes_max: 64 * 1024,
            in_flight_max: 1,
            outbox_bytes_max: 256 * 1024,
            retained_bytes_max: 1024,
            lines_per_turn_max: 64,
            calls_max: 16 * 1024,
            link_bytes_max: 16 * 1024 * 1024,
            reply_bytes_max: 8 * 1024 * 1024,
            line_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            linger_timeout: Duration::from_secs(2),
            waiting_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            silence_timeout: Duration::from_secs(5),
            slow_after: None,
            drain_grace: Duration::from_secs(1),
            drain_quiet: Duration::ZERO,
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(200),
            admin_connections_max: 16,
            admin_request_bytes_max: 8 * 1024,
            admin_timeout: Duration::from_secs(5),
        }
    }
}
