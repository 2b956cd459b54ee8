use super::*;

fn parsed(url: &str) -> Config {
    Config::parse(url, None).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn refused(url: &str) -> String {
    Config::parse(url, None).map(|_| ()).expect_err(url).to_string()
}

#[test]
fn a_url_may_say_everything() {
    let config = parsed(
        "postgres://market@db1:6432,db2/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem&target_session_attrs=read-write\
         &connections=16&statements=unnamed&pipeline=off",
    );
    let host = |name: &str, port| Host { name: name.to_owned(), port, encryption: Encryption::Verified };
    assert_eq!(config.hosts, [host("db1", 6432), host("db2", 5432)]);
    assert_eq!((config.user.as_str(), config.database.as_str()), ("market", "shop"));
    assert_eq!(config.root_certificate.as_deref(), Some("/etc/ca.pem"));
    assert_eq!((config.connections, config.is_named, config.is_pipelined), (16, false, false));
}

#[test]
fn a_url_may_say_little() {
    let config = parsed("postgresql://market@localhost/shop");
    assert_eq!(config.hosts[0].address(), "localhost:5432");
    assert_eq!((config.connections, config.is_named, config.is_pipelined), (8, true, true));
    assert!(!config.may_be_unflushed);
}

#[test]
fn what_leaves_this_machine_is_encrypted_and_verified_unless_the_url_says_otherwise() {
    let encryption = |url: &str| parsed(url).hosts.iter().map(|host| host.encryption).collect::<Vec<_>>();
    for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"] {
        assert_eq!(encryption(&format!("postgres://u@{host}/d")), [Encryption::None], "{host}");
    }
    assert_eq!(
        encryption("postgres://u@localhost,db/d?sslrootcert=ca"),
        [Encryption::None, Encryption::Verified]
    );
    assert_eq!(encryption("postgres://u@db/d?sslmode=disable"), [Encryption::None]);
    assert_eq!(encryption("postgres://u@db/d?sslmode=require"), [Encryption::Unverified]);
    assert_eq!(
        encryption("postgres://u@localhost/d?sslmode=verify-full&sslrootcert=ca"),
        [Encryption::Verified]
    );
}

#[test]
fn addresses_of_the_sixth_version_stand_in_brackets() {
    let hosts = parsed("postgres://u@[::1]:7,[::1]/d").hosts;
    assert_eq!(hosts.iter().map(Host::address).collect::<Vec<_>>(), ["[::1]:7", "[::1]:5432"]);
    assert!(hosts[0].is_loopback());
}

#[test]
fn what_a_url_cannot_hold_is_escaped() {
    let config =
        parsed("postgres://m%40rket%3a@db/sh%2Fop%c3%a9?sslmode=verify-full&sslrootcert=%2ftmp%2Fa%26b");
    assert_eq!((config.user.as_str(), config.database.as_str()), ("m@rket:", "sh/opé"));
    assert_eq!(config.root_certificate.as_deref(), Some("/tmp/a&b"));
    for wrong in ["%", "%4", "%4g", "%+4", "%ff", "%00"] {
        let error = refused(&format!("postgres://u{wrong}@localhost/d"));
        assert!(error.starts_with("user in the URL has a "), "{wrong}: {error}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    let wrong = [
        ("mysql://u@h/d", "the URL must have the form postgres://USER@HOST"),
        ("postgres://localhost/d", "no USER@"),
        ("postgres://@localhost/d", "the user in the URL has 1 to 63 bytes"),
        ("postgres://u@localhost", "the database in the URL has 1 to 63 bytes"),
        ("postgres://u@localhost/", "the database in the URL has 1 to 63 bytes"),
        ("postgres://u@/d", "a host in the URL is neither a name nor an address"),
        ("postgres://u@localhost,,db/d?sslmode=require", "a host in the URL is neither"),
        ("postgres://u@local host/d", "a host in the URL is neither"),
        ("postgres://u@localhost:/d", "a number from 1 to 65535"),
        ("postgres://u@localhost:0/d", "a number from 1 to 65535"),
        ("postgres://u@localhost:65536/d", "a number from 1 to 65535"),
        ("postgres://u@[::1]7/d", "a number from 1 to 65535"),
        ("postgres://u@localhost/d?sslmode=prefer", "sslmode in the URL takes disable, require, verify-full"),
        ("postgres://u@db/d", "needs sslrootcert=FILE"),
        ("postgres://u@db/d?sslmode=require&sslrootcert=ca", "of no use without sslmode=verify-full"),
        (
            "postgres://u@localhost/d?target_session_attrs=any",
            "target_session_attrs in the URL takes read-write",
        ),
        ("postgres://u@localhost/d?connections=0", "connections in the URL takes a number from 1 to 64"),
        ("postgres://u@localhost/d?connections=65", "connections in the URL takes a number from 1 to 64"),
        ("postgres://u@localhost/d?statements=some", "statements in the URL takes named, unnamed"),
        ("postgres://u@localhost/d?pipeline=1", "pipeline in the URL takes on, off"),
        ("postgres://u@localhost/d?pipeline", "pipeline in the URL has no value"),
        ("postgres://u@localhost/d?pipeline=on&pipeline=on", "pipeline stands twice"),
        (
            "postgres://u@localhost/d?channel_binding=require",
            "it may have sslmode, sslrootcert, target_session",
        ),
    ];
    for (url, message) in wrong {
        let error = refused(url);
        assert!(error.contains(message), "{url}: {error}");
    }
    let hosts = vec!["localhost"; HOSTS_MAX + 1].join(",");
    assert_eq!(refused(&format!("postgres://u@{hosts}/d")), "the URL has more than 16 hosts");
    assert_eq!(refused(&"x".repeat(URL_BYTES_MAX + 1)), "the URL has more than 8192 bytes");
}

#[test]
fn a_password_in_the_url_is_refused_and_never_shown() {
    for url in [
        "postgres://u:hush@localhost/d",
        "postgres://u:hu@sh@localhost/d",
        "postgres://u:hush@localhost/d?sslmode=x",
        "postgres://u@localhost/d?password=hush",
    ] {
        let error = refused(url);
        assert!(error.contains("MARKETPLACE_STORE_PASSWORD") && !error.contains("hush"), "{url}: {error}");
    }
    // What is not understood is not shown either: it may be a password.
    for url in ["postgres://u:hu/sh@localhost/d", "hush://hush", "postgres://u@localhost:hush/d?hush=hush"] {
        assert!(!refused(url).contains("hush"), "{url}");
    }
}

#[test]
fn a_password_has_bounds_and_is_not_printed() {
    let password = Password::new("hush").unwrap();
    let config = Config::parse("postgres://u@localhost/d", Some(password)).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    for wrong in ["", "a\0b", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
        assert!(Password::new(wrong).is_err());
    }
}
