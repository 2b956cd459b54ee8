//! Reads replies with as little work as the checks allow: the load generator shares its processors with the services
//! that it measures. It relies on the order of a reply's keys, which the protocol fixes, and on no order in `data`.

use std::str;

use memchr::{memchr_iter, memmem};

/// What a reply says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// It succeeded, with this JSON as `data`.
    Ok(&'a [u8]),
    /// It failed with this code.
    Failed(&'a str),
}

/// Reads the reply to the request with this ID. An error without an ID is one, too: it turns a connection away before
/// any request of it is read. `None`: it is none.
pub(crate) fn read(line: &[u8], id: u64) -> Option<Reply<'_>> {
    let mut buffer = [0; 20];
    let rest = line.strip_prefix(b"{\"type\":\"Response\",\"request_id\":")?;
    let rest = match rest.strip_prefix(decimal(id, &mut buffer)) {
        Some(rest) => rest,
        None => rest.strip_prefix(b"null").filter(|rest| rest.starts_with(b",\"ok\":false"))?,
    };
    if let Some(data) = rest.strip_prefix(b",\"ok\":true,\"error\":null,\"data\":") {
        return data.strip_suffix(b"}").map(Reply::Ok);
    }
    let error = rest.strip_prefix(b",\"ok\":false,\"error\":{\"code\":\"")?;
    let end = error.iter().position(|&byte| byte == b'"')?;
    str::from_utf8(&error[..end]).ok().map(Reply::Failed)
}

/// The JSON of a number or string that stands in `data` under a key whose name occurs nowhere else.
pub(crate) fn scalar<'a>(data: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut quoted = [0; 32];
    let quoted = &mut quoted[..key.len() + 3];
    quoted[0] = b'"';
    quoted[1..=key.len()].copy_from_slice(key.as_bytes());
    quoted[key.len() + 1..].copy_from_slice(b"\":");
    // From the end: in a page of items, what belongs to the page itself comes last.
    let value = &data[memmem::rfind(data, quoted)? + quoted.len()..];
    let end = match value.first()? {
        b'"' => 2 + value[1..].iter().position(|&byte| byte == b'"')?,
        _ => value.iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?,
    };
    Some(&value[..end])
}

/// The text of a string that needs no escapes, such as an ID.
pub(crate) fn string<'a>(data: &'a [u8], key: &str) -> Option<&'a str> {
    let inner = scalar(data, key)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    str::from_utf8(inner).ok()
}

pub(crate) fn number(data: &[u8], key: &str) -> Option<u64> {
    str::from_utf8(scalar(data, key)?).ok()?.parse().ok()
}

/// Whether `data` holds so many items.
pub(crate) fn has_items(data: &[u8], count: usize) -> bool {
    // Counting a single byte takes a tenth of the time of counting a word. It is exact unless a name holds a
    // brace, and then the words decide.
    let braces = 1 + 2 * count;
    memchr_iter(b'{', data).count() == braces || memmem::find_iter(data, b"{\"item_id\":").count() == count
}

fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = r#"{"item_id":"1:42","name":"A","category":1,"keywords":["book"],"condition":"new","price":10.0,"quantity":5,"seller_id":3,"feedback":{"up":0,"down":0}}"#;

    #[test]
    fn only_the_reply_to_the_request_is_read() {
        let line = br#"{"type":"Response","request_id":12,"ok":true,"error":null,"data":{"a":1}}"#;
        assert_eq!(read(line, 12), Some(Reply::Ok(b"{\"a\":1}")));
        assert_eq!(read(line, 1), None);
        assert_eq!(read(line, 122), None);
        let line = br#"{"type":"Response","request_id":0,"ok":false,"error":{"code":"NOT_FOUND","message":"no"},"data":null}"#;
        assert_eq!(read(line, 0), Some(Reply::Failed("NOT_FOUND")));
        let line = br#"{"type":"Response","request_id":null,"ok":false,"error":{"code":"RESOURCE_EXHAUSTED","message":"no"},"data":null}"#;
        assert_eq!(read(line, 7), Some(Reply::Failed("RESOURCE_EXHAUSTED")));
        let line = br#"{"type":"Response","request_id":null,"ok":true,"error":null,"data":{"a":1}}"#;
        assert_eq!(read(line, 7), None);
        assert_eq!(read(b"garbage", 0), None);
    }

    #[test]
    fn values_are_found_by_their_keys() {
        let data = format!(r#"{{"items":[{ITEM}],"total":7,"next_cursor":null}}"#);
        assert_eq!(number(data.as_bytes(), "total"), Some(7));
        assert_eq!(scalar(data.as_bytes(), "price"), Some(&b"10.0"[..]));
        assert_eq!(string(data.as_bytes(), "item_id"), Some("1:42"));
        assert_eq!(string(data.as_bytes(), "total"), None);
        assert_eq!(number(data.as_bytes(), "up"), Some(0));
        assert_eq!(number(data.as_bytes(), "sum"), None);
    }

    #[test]
    fn items_are_counted_even_if_their_names_hold_braces() {
        let page = |items: &[&str]| format!(r#"{{"items":[{}],"total":2}}"#, items.join(","));
        assert!(has_items(page(&[ITEM, ITEM]).as_bytes(), 2));
        assert!(!has_items(page(&[ITEM, ITEM]).as_bytes(), 1));
        assert!(has_items(page(&[]).as_bytes(), 0));
        let braced = ITEM.replace("\"A\"", "\"{A\"");
        assert!(has_items(page(&[&braced]).as_bytes(), 1));
        assert!(!has_items(page(&[&braced, ITEM]).as_bytes(), 1));
    }
}
