//! The page that a service shows to browsers at `--admin`: what it does now, and what its peers do. The page asks them itself
//! and keeps what it draws; the service keeps nothing for it.
//!
//! Peers are named in full at the start, by whoever starts the services, because a browser is told of them twice: the page's
//! policy lets it ask nobody else, and each peer lets only these pages read what it counts.

use std::borrow::Cow;

use getopts::Matches;
use net::{Document, Site};

use crate::client::check_addresses;
use crate::command_line::given;
use crate::options::Options;

/// More would be asked than anybody can look at.
const PEERS_MAX: usize = 16;
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What stands in the page where the peers belong.
const PEERS: &str = "PEERS";

/// Adds the options of who is shown the page, and of whom it shows.
pub(super) fn add_options(options: &mut Options) {
    let admin = "where a page, /livez, /readyz and /metrics are, over HTTP (nowhere)";
    options.value("admin", admin, "HOST:PORT");
    let help =
        "where the page at --admin finds the other services, as a browser reaches their --admin (nowhere)";
    options.value("admin-peers", help, "HOST:PORT,…");
}

/// The services that are watched together, the own one among them or not, each as a browser calls it: in small letters.
#[derive(Default)]
pub(super) struct Peers(Vec<String>);

impl Peers {
    /// The peers that the option names.
    ///
    /// # Errors
    /// One of them is no address that a browser could be told, or they are too many, or of no use.
    pub(super) fn given(matches: &Matches) -> Result<Self, String> {
        let Some(list) = given(matches, "admin-peers") else {
            return Ok(Self::default());
        };
        if given(matches, "admin").is_none() {
            return Err("--admin-peers needs --admin".to_owned());
        }
        let peers: Vec<String> = list.split(',').map(str::to_ascii_lowercase).collect();
        let checked = check_addresses(&peers, PEERS_MAX);
        let checked = checked.and_then(|()| peers.iter().try_for_each(|peer| check_peer(peer)));
        checked.map_err(|error| format!("--admin-peers: {error}"))?;
        Ok(Self(peers))
    }

    /// The page, with what browsers are told of these.
    pub(super) fn site(&self) -> Site {
        let Self(peers) = self;
        let origins: Vec<String> = peers.iter().map(|peer| origin(peer)).collect();
        let connect: String = origins.iter().map(|origin| format!(" {origin}")).collect();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'{connect}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        );
        let page = include_str!("page/page.html").replace(PEERS, &peers.join(","));
        let documents = vec![
            document("/", "text/html; charset=utf-8", page.into()),
            document("/page.css", "text/css; charset=utf-8", include_str!("page/page.css").into()),
            document("/page.js", SCRIPT, include_str!("page/page.js").into()),
            document("/figures.js", SCRIPT, include_str!("page/figures.js").into()),
        ];
        Site { documents, policy, readers: origins }
    }
}

fn document(path: &'static str, content_type: &'static str, body: Cow<'static, str>) -> Document {
    Document { path, content_type, body }
}

/// Checks that a browser can be told of a peer, which is an address: its name becomes a part of the page and of its policy.
fn check_peer(peer: &str) -> Result<(), String> {
    let (host, port) = peer.rsplit_once(':').expect("it is an address");
    if host.starts_with('[') {
        return Err(format!("{peer}: a browser's policy knows no IPv6 addresses; give it a name"));
    }
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
    if !host.chars().all(is_plain) {
        return Err(format!("{peer:?} is not HOST:PORT: a host has letters, digits, dots and hyphens"));
    }
    if !port.starts_with(|digit: char| ('1'..='9').contains(&digit)) {
        return Err(format!("{peer}: a browser needs the port itself, without a sign or a zero before it"));
    }
    Ok(())
}

/// How a browser names whom a page is from: without the port that all pages have.
fn origin(peer: &str) -> String {
    format!("http://{}", peer.strip_suffix(":80").unwrap_or(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More would be too much for a page that is asked for where something is wrong.
    const BYTES_MAX: usize = 28 * 1024;

    fn given(args: &[&str]) -> Result<Peers, String> {
        let mut options = Options::new();
        add_options(&mut options);
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        Peers::given(&options.parse(&args).unwrap())
    }

    #[test]
    fn the_page_and_its_policy_name_the_peers_and_nobody_else() {
        let site = given(&["--admin=a:1", "--admin-peers=Shop:9101,10.0.0.1:80"]).unwrap().site();
        let page = &site.documents[0].body;
        assert!(page.contains("data-peers=\"shop:9101,10.0.0.1:80\""), "{page}");
        assert!(
            site.policy.contains("; connect-src 'self' http://shop:9101 http://10.0.0.1; "),
            "{}",
            site.policy
        );
        assert_eq!(site.readers, ["http://shop:9101", "http://10.0.0.1"]);

        let alone = given(&[]).unwrap().site();
        assert!(alone.documents[0].body.contains("data-peers=\"\""));
        assert!(alone.policy.contains("; connect-src 'self'; "), "{}", alone.policy);
        assert!(alone.readers.is_empty());
    }

    #[test]
    fn the_page_is_small_and_holds_no_script_or_style_that_its_policy_forbids() {
        let site = Peers::default().site();
        let bytes: usize = site.documents.iter().map(|document| document.body.len()).sum();
        assert!(bytes < BYTES_MAX, "{bytes} bytes");
        let page = &site.documents[0].body;
        for forbidden in ["<style", "style=", "<script>", " onclick", "javascript:", "=\"http", "=\"//"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn what_a_browser_cannot_be_told_is_refused() {
        let many = vec!["a:1"; PEERS_MAX + 1].join(",");
        for (peers, why) in [
            ("", "\"\" is not HOST:PORT"),
            ("a:1,", "\"\" is not HOST:PORT"),
            ("a", "\"a\" is not HOST:PORT"),
            ("[::1]:9101", "[::1]:9101: a browser's policy knows no IPv6 addresses; give it a name"),
            ("a:0", "a:0: a browser needs the port itself"),
            ("a:+1", "a:+1: a browser needs the port itself"),
            ("a;script-src *:1", "is not HOST:PORT: a host"),
            ("\"><b>:1", "is not HOST:PORT: a host"),
            ("a b:1", "is not HOST:PORT: a host"),
            ("a:1,A:1", "a:1 is given twice"),
            (&many, "17 addresses are more than 16"),
        ] {
            let error = given(&["--admin=a:1", "--admin-peers", peers]).err().expect("it is refused");
            assert!(error.starts_with("--admin-peers: ") && error.contains(why), "{error}");
        }
        assert_eq!(given(&["--admin-peers=a:1"]).err().as_deref(), Some("--admin-peers needs --admin"));
    }
}
