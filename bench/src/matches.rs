//! How many items the search of the default mix finds: none but those of the benchmark's own sellers may come or go
//! during a run.

use std::io;

use crate::api::Api;
use crate::cluster::Cluster;
use crate::outcome::Failure;

/// The search of the default mix, but for its page, which counts the matches before a run.
const SEARCH_DATA: &str = r#"{"category":1,"keywords":["book"],"limit":1}"#;

/// Items that the default search finds now.
pub(crate) fn count_matches(cluster: &Cluster) -> Result<u64, Failure> {
    let cannot_connect = |error: io::Error| Failure::CannotConnect(format!("{}: {error}", cluster.buyer));
    let mut probe = cluster.probe(&cluster.buyer).map_err(cannot_connect)?;
    let matches = probe.number(Api::SearchItemsForSale.name(), SEARCH_DATA, "total");
    let seller = |error: io::Error| Failure::CannotConnect(format!("{}: {error}", cluster.seller));
    cluster.probe(&cluster.seller).map_err(seller)?;
    matches.map_err(|error| Failure::Failed(format!("{}: {error}", cluster.buyer)))
}
