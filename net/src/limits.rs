//! [`Limits`]: every maximum and every timeout of a node and of its reactor, in one place.
//!
//! A maximum that is set bounds what a node holds; what that costs in memory stands with it, or in the table.

use std::time::Duration;

/// The maximum of every queue and buffer of a node, and its timeouts.
///
/// # Memory
///
/// A buffer takes up to twice what is in it, because it grows by doubling, and an outbox may hold as much again that
/// was sent already.
///
/// | what | at rest | at worst | with the defaults |
/// | --- | --- | --- | --- |
/// | a client | 250 bytes, and twice `retained_bytes_max` | 2 (`line_bytes_max` + `read_bytes_max`) + 4 (`outbox_bytes_max` + `in_flight_max` replies) | 2.3 KiB; 1.3 MiB, and four times a reply |
/// | a link | twice `link_retained_bytes_max` | 4 `link_bytes_max` + 2 `reply_bytes_max` + 50 bytes × `calls_max` | 512 KiB; 81 MiB |
/// | a stream | as a link | 4 `stream_unsent_bytes_max` + 2 `read_bytes_max` | 512 KiB; 64 MiB |
/// | an HTTP connection | some 200 bytes | 2 `admin_request_bytes_max`, and twice the text of all metrics | 16 KiB, and some 60 KB |
/// | a reactor | `read_bytes_max` + 12 bytes × `events_max` | the same, and some 100 bytes a connection in its queues | 76 KiB |
///
/// A reply to a client has no maximum here: it is as long as the service makes it. One that the service relays is at
/// most `reply_bytes_max` long, and what the service adds: with that, the worst of a client is 33 MiB by default.
///
/// All clients together are bounded by `buffer_bytes_max`, which counts what buffers take, with what they have room for,
/// and where a client does not read, what the kernel holds for it. Over it, the clients whose buffers are the largest are
/// closed, those first that are waited for since an earlier turn. Links count too, and are not closed: clients
/// have what they leave, and a quarter in any case. So a node takes `buffer_bytes_max` at worst, or what its links take
/// and a quarter of it, and a reply more. What the kernel has received for clients that do read comes on top.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The connection limit: open connections of clients, up to 2³¹. A further one takes the place of the one that has
    /// been idle for longest, or is rejected. 16 384 by default: more than are expected, and few enough for the memory
    /// of a small machine while most are idle.
    pub connections_max: usize,
    /// Those from one address, or from one IPv6 network of 2⁶⁴ addresses; a further one is rejected. By default there is
    /// no such maximum: whole companies, and all clients behind a proxy, have one address.
    pub address_connections_max: Option<usize>,
    /// Connections beyond these maxima that may be told so at the same time, up to 2³¹; further ones are dropped
    /// without a word. As many may make room for others in one turn. 64 by default: each is told within a round trip,
    /// so they do for some thousands a second.
    pub refusals_max: usize,
    /// Bytes of a request line, without its end, at least 1. 64 KiB by default: some pages of text. A client can make a
    /// node hold as many, and `read_bytes_max` more.
    pub line_bytes_max: usize,
    /// Lines of a client that were delivered and not answered, at least 1. With 1, the default, the requests of a
    /// client are carried out strictly one after another.
    pub in_flight_max: usize,
    /// Backpressure: bytes that wait for a client, at least 1; one that leaves more unread has no further line
    /// delivered, and is not read. What is in flight by then is still answered, so there may be `in_flight_max`
    /// replies more. 256 KiB by default: a page of results and a few more replies.
    pub outbox_bytes_max: usize,
    /// Bytes of memory that the buffers of all connections may take. 64 MiB by default: a quarter of what a small
    /// container has, and room for some hundreds of clients that leave all they may unread.
    pub buffer_bytes_max: usize,
    /// Bytes that the kernel is asked to hold for a client that does not read; it takes up to twice as much, for its own
    /// purposes too, and no more than `net.core.wmem_max` allows. Unset, they grow to some MiB for each client. 64 KiB by
    /// default: a page of results, and 1 MB/s over 100 ms.
    pub socket_send_bytes: Option<usize>,
    /// The same of what a client sends and the node does not read. 32 KiB by default: more than most requests are long.
    pub socket_receive_bytes: Option<usize>,
    /// Bytes of memory that each of the two buffers of a client keeps once it is empty: little where there are many
    /// idle clients, much where a few are always busy. 1 KiB by default, which holds most requests and replies.
    pub retained_bytes_max: usize,
    /// Lines of one client that are delivered in one turn, at least 1. 64 by default: enough to make a turn worth its
    /// system calls, and few enough that others do not wait for it.
    pub lines_per_turn_max: usize,
    /// Clients whose lines are delivered in one turn, at least 1; the others come first in the next one. 1024 by
    /// default: as many as may be read in a turn.
    pub clients_per_turn_max: usize,

    /// Calls that a link has in flight or waiting, at least 1. 16 384 by default: one of each client. Each costs some
    /// 50 bytes and its line.
    pub calls_max: usize,
    /// Bytes of the calls that a link has in flight or waiting, at least 1; a call is taken as long as they are fewer.
    /// 16 MiB by default: 1 KiB of each call.
    pub link_bytes_max: usize,
    /// Bytes of a reply line of a backend, without its end, at least 1. 8 MiB by default: far more than anybody reads
    /// at once. Only a line that arrives in parts is held.
    pub reply_bytes_max: usize,
    /// Bytes that wait to be sent over a stream, with the words of its encryption, at least 1; one that is to send more is
    /// ended. 16 MiB by default, as of a
    /// link: its service, which knows what they say, lets far fewer wait.
    pub stream_unsent_bytes_max: usize,
    /// Bytes of memory that each of the two buffers of a link or a stream keeps once it is empty. 256 KiB by default:
    /// there are few of them, and they are busy.
    pub link_retained_bytes_max: usize,

    /// How long a client may take to end a line that it has begun. 30 s by default: a line fits into some packets,
    /// and even a lost one is sent again within seconds.
    pub line_timeout: Duration,
    /// How long a client may take to introduce itself by a TLS handshake, where that is demanded. 10 s by default: it takes
    /// two round trips, and even a lost packet is sent again within seconds.
    pub handshake_timeout: Duration,
    /// Clients whose TLS handshake is carried on in one turn, at least 1; the others come first in the next one. 16 by
    /// default: each takes some 0.1 to 1 ms, by the kind of key, so others wait for some milliseconds.
    pub handshakes_per_turn_max: usize,
    /// How long a client may be idle, if there is a limit: it has all its replies, and begins no line. By default there
    /// is none, as an idle connection costs little and makes room where it must.
    pub idle_timeout: Option<Duration>,
    /// How long nothing must have come of a connection that makes room for another one: no line, no end of one that was
    /// begun, no reading of what waits for it. What is in flight keeps it its place. 1 s by default: more than the
    /// pauses of programs, and of packets that are lost once.
    pub make_room_after: Duration,
    /// How long a client may read nothing while replies wait for it. 60 s by default: TCP sends what was lost again
    /// several times within it, so a client that is still there takes something. Until then, what waits is held.
    pub stall_timeout: Duration,
    /// How long a client may leave its side open after we have shut ours. 2 s by default: it has its last reply, or
    /// the network is gone.
    pub linger_timeout: Duration,
    /// How long a call waits for a link that is down; its deadline may be later, for a backend that is slow. 2 s by
    /// default: about what a restart takes.
    pub waiting_timeout: Duration,
    /// How long connecting to a backend may take, and once more until its greeting is answered, or a stream to it is
    /// encrypted. 1 s by default: within a data centre, and with one lost packet.
    pub connect_timeout: Duration,
    /// How long a backend may answer nothing while a call is overdue. 5 s by default: it counts only once a
    /// call was given up, and a backend that is slow rather than gone has answered another one by then.
    pub silence_timeout: Duration,
    /// The shortest pause before a link or a stream connects again; it doubles up to `backoff_max`. 10 ms by default: a service
    /// that was replaced is back at once.
    pub backoff_min: Duration,
    /// The longest pause before it connects again. 200 ms by default: nobody notices it after an outage, and five
    /// attempts a second are no load.
    pub backoff_max: Duration,
    /// How long a request may take before the service logs it as slow, if at all. By default it is not logged.
    pub slow_after: Option<Duration>,

    /// How long a drain goes on taking lines of connections that are in use. 1 s by default: time to end what was
    /// begun in several requests, and well within `drain_timeout`.
    pub drain_grace: Duration,
    /// How long a connection must have nothing in flight until a drain takes it for one that is not in use. By
    /// default, no time at all: a client that has its replies loses nothing, and connects elsewhere.
    pub drain_quiet: Duration,
    /// How long a drain may take until the reactor ends all the same. 5 s by default: longer than a call, and shorter
    /// than whoever asked for it waits before he kills the process.
    pub drain_timeout: Duration,

    /// Open HTTP connections to the process's metrics and health, at least 1. A further one takes the place of the one
    /// that has gone without a whole request for longest, or is dropped. 16 by default: a few who watch, each over a
    /// connection a question.
    pub admin_connections_max: usize,
    /// Bytes of an HTTP request's head, at least 1. 8 KiB by default, as is usual.
    pub admin_request_bytes_max: usize,
    /// How long an HTTP connection may take, from its beginning to its end. 5 s by default: a response is made at once
    /// and is short, so whoever takes longer has given up, and holds a place of few.
    pub admin_timeout: Duration,
    /// How long a turn may last until the process counts as one that hangs. 10 s by default: no work of a turn takes
    /// a tenth of that.
    pub hang_timeout: Duration,

    /// Events that a reactor takes from its poll in one turn, at least 1. 1024 by default; 12 bytes each.
    pub events_max: usize,
    /// Sockets that a reactor reads in one turn, at least 1; the others come first in the next one. 1024 by default:
    /// as many as one poll reports, so that a turn reads them all.
    pub reads_max: usize,
    /// Bytes that a reactor reads from one socket in one turn, at least 1: the size of the buffer that all its sockets
    /// share. 64 KiB by default: as much as a socket usually holds.
    pub read_bytes_max: usize,
    /// Connections that a reactor accepts in one turn, at least 1. 256 by default: each takes some system calls.
    pub accepts_max: usize,
    /// Pause before a reactor accepts again when the process has run out of descriptors, or the machine of something.
    /// 100 ms by default: what is short comes back when other connections end, and ten attempts a second are no load.
    pub accept_pause: Duration,
    /// How long accepting must have gone well before it counts as over that it failed. 1 s by default: ten pauses, so
    /// that a shortage which comes and goes is logged once.
    pub accept_recovery: Duration,
    /// How long a connection is idle before the kernel asks whether its peer still exists. 60 s by default: firewalls
    /// forget connections that are idle for some minutes, and a packet a minute is no load.
    pub keepalive_after: Duration,
}

/// What nobody has a reason to set, and some of which must be known before there is a node.
impl Limits {
    /// Connections that the kernel holds until they are accepted. It takes less where `net.core.somaxconn` is less.
    pub const BACKLOG: u16 = 4096;
    /// Header fields of an HTTP request that are read, to be skipped. They lie on the stack, some 2 KiB.
    pub(crate) const ADMIN_HEADERS_MAX: usize = 64;

    /// What the kernel may hold for a client, as far as that is bounded. It takes twice what it is asked for.
    pub(crate) fn socket_bytes(&self) -> usize {
        2 * (self.socket_send_bytes.unwrap_or(0) + self.socket_receive_bytes.unwrap_or(0))
    }

    /// # Panics
    /// One of the limits is out of its bounds.
    pub(crate) fn check(&self) {
        let counted = [self.connections_max, self.refusals_max].iter().all(|count| *count <= 1 << 31);
        assert!(counted, "more connections than can be counted in 32 bits");
        assert!(!self.make_room_after.is_zero(), "whoever makes room for another has been idle");
        let at_least_1 = [
            self.line_bytes_max,
            self.in_flight_max,
            self.outbox_bytes_max,
            self.buffer_bytes_max,
            self.lines_per_turn_max,
            self.clients_per_turn_max,
            self.handshakes_per_turn_max,
            self.calls_max,
            self.link_bytes_max,
            self.reply_bytes_max,
            self.stream_unsent_bytes_max,
            self.admin_request_bytes_max,
            self.events_max,
            self.reads_max,
            self.read_bytes_max,
            self.accepts_max,
        ];
        assert!(at_least_1.iter().all(|max| *max > 0), "a maximum of nothing lets nothing happen: {self:?}");
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16 * 1024,
            address_connections_max: None,
            refusals_max: 64,
            line_bytes_max: 64 * 1024,
            in_flight_max: 1,
            outbox_bytes_max: 256 * 1024,
            buffer_bytes_max: 64 * 1024 * 1024,
            socket_send_bytes: Some(64 * 1024),
            socket_receive_bytes: Some(32 * 1024),
            retained_bytes_max: 1024,
            lines_per_turn_max: 64,
            clients_per_turn_max: 1024,
            calls_max: 16 * 1024,
            link_bytes_max: 16 * 1024 * 1024,
            reply_bytes_max: 8 * 1024 * 1024,
            stream_unsent_bytes_max: 16 * 1024 * 1024,
            link_retained_bytes_max: 256 * 1024,
            line_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            handshakes_per_turn_max: 16,
            idle_timeout: None,
            make_room_after: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(60),
            linger_timeout: Duration::from_secs(2),
            waiting_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            silence_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(200),
            slow_after: None,
            drain_grace: Duration::from_secs(1),
            drain_quiet: Duration::ZERO,
            drain_timeout: Duration::from_secs(5),
            admin_connections_max: 16,
            admin_request_bytes_max: 8 * 1024,
            admin_timeout: Duration::from_secs(5),
            hang_timeout: Duration::from_secs(10),
            events_max: 1024,
            reads_max: 1024,
            read_bytes_max: 64 * 1024,
            accepts_max: 256,
            accept_pause: Duration::from_millis(100),
            accept_recovery: Duration::from_secs(1),
            keepalive_after: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_bounds() {
        Limits::default().check();
    }

    #[test]
    #[should_panic(expected = "lets nothing happen")]
    fn a_maximum_of_nothing_is_caught() {
        Limits { in_flight_max: 0, ..Limits::default() }.check();
    }
}
