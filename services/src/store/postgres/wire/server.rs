//! What a server says, as bytes, and what a client says, as words.

/// A message: what it is, its length, and what is in it.
pub(in super::super) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// A request for authentication, or that it was enough (0).
pub(in super::super) fn authentication(kind: i32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes(), body].concat())
}

/// The end of a segment, outside transactions, in one, or in one that has failed.
pub(in super::super) fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

/// All that a server says to let us in.
pub(in super::super) fn admission() -> Vec<u8> {
    let parameter = message(b'S', b"server_version\x0015.0\0");
    [authentication(0, &[]), parameter, message(b'K', &[0; 8]), ready(b'I')].concat()
}

/// The answer to a statement that is parsed, with these rows of one column.
pub(in super::super) fn parsed(rows: &[&[u8]], tag: &str) -> Vec<u8> {
    [message(b'1', &[]), known(rows, tag)].concat()
}

/// The same for one that was parsed before.
pub(in super::super) fn known(rows: &[&[u8]], tag: &str) -> Vec<u8> {
    let rows = rows.iter().map(|column| row(&[Some(column)])).collect::<Vec<_>>().concat();
    [message(b'2', &[]), rows, complete(tag)].concat()
}

pub(in super::super) fn row(columns: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for column in columns {
        let length = column.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap());
        body.extend(length.to_be_bytes());
        body.extend(column.unwrap_or_default());
    }
    message(b'D', &body)
}

pub(in super::super) fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// An error of this severity and code.
pub(in super::super) fn error(severity: &str, code: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{code}\0Mit says no\0\0").as_bytes())
}

/// An error of a pooler, which says less of it.
pub(in super::super) fn error_of_pooler(code: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0C{code}\0Mserver conn crashed?\0\0").as_bytes())
}

/// A notice that comes from this function of the server's.
pub(in super::super) fn notice(routine: &str) -> Vec<u8> {
    message(b'N', format!("SWARNING\0VWARNING\0C01000\0Mbeware\0R{routine}\0\0").as_bytes())
}

/// What the settings are that are asked for at the start.
pub(in super::super) fn settings(values: &[&str]) -> Vec<u8> {
    values.iter().flat_map(|value| [parsed(&[value.as_bytes()], "SHOW"), ready(b'I')].concat()).collect()
}

/// What a client has said, behind its start: `P` with the name of a statement and its first word, `B` with its name, `E`
/// and `S`.
pub(in super::super) fn words(mut bytes: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    while let [tag, rest @ ..] = bytes {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let texts: Vec<_> = rest[4..length].split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        words.push(match tag {
            b'P' => format!("P {} {}", texts[0], texts[1].split(' ').next().unwrap()),
            b'B' => format!("B {}", texts[1]),
            tag => char::from(*tag).to_string(),
        });
        bytes = &rest[length..];
    }
    words
}
