//! What can be told of a run that went wrong beyond the codes under which its calls are counted: it asks the services
//! once more.

use crate::cluster::Cluster;
use crate::load::{CANNOT_CONNECT, CONNECTION_LOST};
use crate::matches::count_matches;
use crate::record::Record;

/// A message, and what went wrong with calls so far.
pub(crate) fn with_problems(message: &str, record: &Record) -> String {
    let wrong = (record.wrong > 0).then(|| format!("wrong replies: {}", record.wrong));
    // A code came from a service, so it might hold anything.
    let errors = record.errors.iter().map(|(code, count)| format!("{}: {count}", code.escape_debug()));
    let problems: Vec<_> = errors.chain(wrong).collect();
    if problems.is_empty() { message.to_owned() } else { format!("{message}; {}", problems.join(", ")) }
}

/// Why frontends cannot be connected to, if connections were lost and they still cannot.
pub(crate) fn unreachable(cluster: &Cluster, record: &Record) -> Vec<String> {
    if ![CANNOT_CONNECT, CONNECTION_LOST].iter().any(|code| record.errors.contains_key(*code)) {
        return Vec::new();
    }
    let frontends = [("server_buyer", &cluster.buyer), ("server_seller", &cluster.seller)];
    let error = |(name, address): (&str, &String)| {
        cluster.probe(address).err().map(|error| format!("{name} at {address}: {error}"))
    };
    frontends.into_iter().filter_map(error).collect()
}

/// Whether others sold what the run has searched for: then its searches did not find what they must.
pub(crate) fn others_sell(cluster: &Cluster, record: &Record, matches_before: u64) -> Option<String> {
    if record.wrong == 0 || record.left_for_sale > 0 {
        return None;
    }
    let matches = count_matches(cluster).ok().filter(|matches| *matches != matches_before)?;
    Some(format!(
        "{matches} items match the search after the run, and {matches_before} did before: nothing else may sell books in category 1 meanwhile"
    ))
}
