//! Protocol detection: recognises what begins a connection of another protocol, so that nothing of it is taken for
//! requests.
//!
//! Each line of such a connection would be refused as it stands, but for those that somebody else has put into it: the
//! body of an HTTP request is written by whichever web page a browser shows. And whoever sends a TLS hello waits for
//! an answer that would never come, because there is no end of a line in it. So a connection is judged by its first
//! line, once. What belongs to none of the protocols here is a bad request like any other, and ends nothing.

use memchr::memchr;

/// Methods of HTTP that need no version behind them to be known.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PRI"];

/// What ends a request line, before its number, and whose it is.
const VERSIONS: [(&str, &str); 4] =
    [(" HTTP/", HTTP), (" RTSP/", "RTSP"), (" SIP/", "SIP"), (" ICAP/", "ICAP")];

/// How the first line of a client, or of a server that we are taken for, begins.
const GREETINGS: [(&str, &str); 14] = [
    ("HTTP/", HTTP),
    ("SSH-", "SSH"),
    ("PROXY ", PROXY),
    ("EHLO ", SMTP),
    ("HELO ", SMTP),
    ("LHLO ", SMTP),
    ("220 ", "SMTP or FTP"),
    ("220-", "SMTP or FTP"),
    ("+OK ", "POP3"),
    ("* OK ", "IMAP"),
    ("AMQP\0", "AMQP"),
    ("AMQP\u{1}", "AMQP"),
    ("Content-Length:", "JSON with headers"),
    ("Content-Type:", "JSON with headers"),
];

const HTTP: &str = "HTTP";
const PROXY: &str = "the PROXY protocol";
const SMTP: &str = "SMTP";
const TLS: &str = "TLS";

/// The protocol that a connection speaks instead of ours, if its first bytes show that. They are to begin with the
/// first line that is not empty; as long as it is not whole, more of it may show what so much does not.
pub(crate) fn other_protocol(first: &[u8]) -> Option<&'static str> {
    if first.trim_ascii_start().first() == Some(&b'{') {
        return None;
    }
    let line_end = memchr(b'\n', first);
    let text = first[..line_end.unwrap_or(first.len())].trim_ascii();
    binary(first).or_else(|| greeting(text)).or_else(|| line_end.and_then(|_| whole_line(text)))
}

/// Protocols whose first bytes are no text.
fn binary(first: &[u8]) -> Option<&'static str> {
    Some(match first {
        [0x16, 3, 0..=4, ..] => TLS,
        // The hello of SSL 2, in which old clients offer TLS.
        [0x80..=0xff, _, 1, 0 | 3, ..] => TLS,
        // Version 2; the two empty lines before it were passed over.
        [0, b'\r', b'\n', ..] => PROXY,
        [0, 0, _, _, 0, 2 | 3, 0, _, ..] => "PostgreSQL",
        // Requests for TLS, for Kerberos and to cancel.
        [0, 0, 0, 8 | 16, 4, 0xd2, 0x16, 0x2e..=0x30, ..] => "PostgreSQL",
        [0, 0, _, _, 0xfe | 0xff, b'S', b'M', b'B', ..] => "SMB",
        [0, 1 | 3, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => "STUN",
        [3, 0, _, _, _, 0xe0, ..] => "RDP",
        [4, 1 | 2, _, _, ..] | [5, 1..=9, 0..=9, ..] => "SOCKS",
        // The name comes after the packet's length, of one to four bytes, and its own.
        [0x10, rest @ ..] if rest.windows(4).take(7).any(is_mqtt) => "MQTT",
        _ => return None,
    })
}

fn is_mqtt(name: &[u8]) -> bool {
    matches!(name, b"MQTT" | b"MQIs")
}

fn greeting(line: &[u8]) -> Option<&'static str> {
    let begins =
        |with: &str| line.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
    let greeting = GREETINGS.iter().find(|(greeting, _)| begins(greeting));
    let method = || METHODS.iter().any(|method| begins(method) && line.get(method.len()) == Some(&b' '));
    greeting.map(|(_, protocol)| *protocol).or_else(|| method().then_some(HTTP))
}

/// What only the end of the line shows: a request line with a method of whatever name, or an array of Redis.
fn whole_line(line: &[u8]) -> Option<&'static str> {
    if let [b'*', count @ ..] = line
        && !count.is_empty()
        && count.iter().all(u8::is_ascii_digit)
    {
        return Some("Redis");
    }
    let version_at = line.iter().rposition(|byte| *byte == b' ')?;
    let is_token = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    let method_end = line.iter().position(|byte| !is_token(byte))?;
    if method_end == 0 || line[method_end] != b' ' {
        return None;
    }
    let version = &line[version_at..];
    let is_of = |name: &str| {
        version.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()))
    };
    VERSIONS.iter().find(|(name, _)| is_of(name)).map(|(_, protocol)| *protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What real clients send first, as far as it is fixed.
    const OTHERS: [(&[u8], &str); 40] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP),
        (b"POST /x HTTP/1.0\r\n", HTTP),
        (b"OPTIONS * HTTP/1.1\r\n", HTTP),
        (b"GET http://a.example/ HTTP/1.1\r\n", HTTP),
        (b"CONNECT a.example:443 HTTP/1.1\r\n", HTTP),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP),
        (b"PROPFIND / HTTP/1.1\r\n", HTTP),
        (b"any-token! / HTTP/1.1\n", HTTP),
        (b"get / http/1.1\n", HTTP),
        (b" \tPOST / HTTP/1.1\r\n", HTTP),
        (b"GET /\r\n", HTTP),
        (b"HTTP/1.1 200 OK\r\n", HTTP),
        (b"DESCRIBE rtsp://a/ RTSP/1.0\r\n", "RTSP"),
        (b"INVITE sip:a@b SIP/2.0\r\n", "SIP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", TLS),
        (b"\x16\x03\x03\x00\xa0\x01\n{}\n", TLS),
        (b"\x80\x2e\x01\x03\x01\x00\x15", TLS),
        (b"\x80\x2e\x01\x00\x02\x00\x15", TLS),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"EHLO a.example\r\n", SMTP),
        (b"helo a.example\r\n", SMTP),
        (b"220 a.example ESMTP\r\n", "SMTP or FTP"),
        (b"220-Welcome\r\n", "SMTP or FTP"),
        (b"+OK ready\r\n", "POP3"),
        (b"* OK IMAP4rev1\r\n", "IMAP"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 6003\r\n", PROXY),
        (b"PROXY UNKNOWN\r\n", PROXY),
        (b"\0\r\nQUIT\n\x21\x11\0\x0c", PROXY),
        (b"*3\r\n$3\r\nSET\r\n", "Redis"),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", "PostgreSQL"),
        (b"\0\0\0\x29\0\x03\0\0user\0a\0", "PostgreSQL"),
        (b"\x10\x10\0\x04MQTT\x04\x02", "MQTT"),
        (b"\x10\x80\x01\0\x06MQIsdp\x03", "MQTT"),
        (b"AMQP\0\0\x09\x01", "AMQP"),
        (b"\0\x03\0\0\x21\x12\xa4\x42abcdefghijkl", "STUN"),
        (b"\0\0\0\x85\xffSMBr", "SMB"),
        (b"\x03\0\0\x13\x0e\xe0\0\0", "RDP"),
        (b"\x05\x01\0", "SOCKS"),
        (b"\x04\x01\x17\x73\x7f\0\0\x01\0", "SOCKS"),
        (b"Content-Length: 20\r\n\r\n{}", "JSON with headers"),
    ];

    #[test]
    fn each_protocol_is_recognised_by_how_it_begins() {
        for (bytes, protocol) in OTHERS {
            assert_eq!(other_protocol(bytes), Some(protocol), "{}", bytes.escape_ascii());
        }
    }

    /// A protocol that wants no end of a line must not need one to be recognised.
    #[test]
    fn what_is_recognised_stays_so_while_more_of_it_arrives() {
        for (bytes, protocol) in OTHERS {
            let prefixes: Vec<_> = (0..=bytes.len()).map(|length| other_protocol(&bytes[..length])).collect();
            let undecided = prefixes.iter().take_while(|verdict| verdict.is_none()).count();
            let decided = &prefixes[undecided..];
            assert!(decided.iter().all(|verdict| *verdict == Some(protocol)), "{}", bytes.escape_ascii());
            if let Some(line_end) = memchr(b'\n', bytes) {
                assert!(undecided <= line_end + 1, "in time: {}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn requests_and_mistakes_are_no_other_protocol() {
        let ours: [&[u8]; 22] = [
            b"",
            b"{",
            b"{\"api\":\"Ping\"}\n",
            b" \t{\"api\":\"GET / HTTP/1.1\"}\n",
            b"{\"api\":\"Ping\"} HTTP/1.1\n",
            b"hello\n",
            b"hello world\n",
            b"PING\r\n",
            b"GETTING on\n",
            b"GET",
            b"POST\n",
            b"two words HTTP/1.1 and more\n",
            b"[1,2] HTTP/1.1\n",
            b"\"a\" HTTP/1.1\n",
            b"*\n",
            b"*x\n",
            b"*12",
            b"\0\n",
            b"\xff\xfe{\n",
            b"\xef\xbb\xbf{}\n",
            b"22 ",
            b"\x10\x10\0\x04NOTHING",
        ];
        for bytes in ours {
            assert_eq!(other_protocol(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
