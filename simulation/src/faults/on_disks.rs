//! Faults that are noticed where each database has a disk of its own.

use super::{Fault, edit, fault, fault_in};

const DATABASE: &str = "services/src/engine/database.rs";
const DISK: &str = "services/src/store/memory.rs";
const CUSTOMER: &str = "services/src/customer.rs";
const PRODUCT: &str = "services/src/product.rs";
const PURCHASES: &str = "services/src/customer/purchases.rs";
const PURCHASING: &str = "services/src/customer/purchasing.rs";
const RULES: &str = "services/src/customer/rules.rs";
const SESSIONS: &str = "services/src/customer/sessions.rs";
const STOCK: &str = "services/src/product/stock.rs";

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault(
        "a commit is reported before it is flushed, and sometimes a flush is forgotten",
        &[
            edit(DISK, "commit.reported_at <= now", "commit.written_at <= now"),
            edit(DISK, "None => self.reported_at,", "None => self.written_at,"),
            edit(
                DISK,
                "        self.has_reported |= is_reported;",
                "        let mut platter = self.platter.borrow_mut();
                if let Some(commit) = reported.as_ref().filter(|commit| !commit.is_stored)
                    && platter.happens(900_000)
                {
                    platter.store(&commit.group.rows);
                }
                drop(platter);
                self.has_reported |= is_reported;",
            ),
        ],
    ),
    fault(
        "a reply is released before its group is on disk",
        &[edit(
            DATABASE,
            "if self.domain.is_dirty() { self.filling } else { self.filling - 1 }",
            "self.filling - 1",
        )],
    ),
    fault(
        "stock is taken before it is on disk that the purchase has begun",
        &[edit(
            DATABASE,
            "entry.is_some_and(|entry| entry.effect.is_write()) {",
            "entry.is_some_and(|entry| entry.effect.is_write() && entry.name != \"BeginPurchase\") {",
        )],
    ),
    fault(
        "a decision is not stored with the stock",
        &[edit(
            PRODUCT,
            "rows.extend(self.decisions.seal().map(",
            "rows.extend(self.decisions.seal().filter(|_| false).map(",
        )],
    ),
    // What other designs call a release without a tombstone: here nothing is released, but a purchase that was refused
    // must stay so.
    fault(
        "a refused take is not remembered",
        &[edit(
            STOCK,
            "self.decisions.put(purchase_id, decided.clone());",
            "if matches!(decided, Decided::Taken(_)) { self.decisions.put(purchase_id, decided.clone()); }",
        )],
    ),
    fault(
        "a key is looked up in the durable state only",
        &[edit(
            PURCHASES,
            "self.by_key.get(&(buyer_id, key.clone())));\n        let of_session",
            "self.by_key.get(&(buyer_id, key.clone())).filter(|id| self.durable.contains_key(id)));
             let of_session",
        )],
    ),
    fault(
        "what a seller has sold is added at each repetition",
        &[
            edit(
                PURCHASING,
                "else { return unknown_purchase(id, taken.is_some()) };",
                "else { return unknown_purchase(id, taken.is_some()) };
                for item in taken.iter().flat_map(|TakenItems(taken)| taken) {
                    self.accounts.count_sold(item.seller_id, item.quantity);
                }",
            ),
            edit(
                PURCHASING,
                "            for item in &taken {
                self.accounts.count_sold(item.seller_id, item.quantity);
            }\n",
                "",
            ),
        ],
    ),
    fault(
        "a cart is cleared rather than reduced by what was bought",
        &[edit(SESSIONS, "cart.take_out(bought);", "cart.clear(); let _ = bought;")],
    ),
    fault(
        "a stale session is accepted",
        &[edit(RULES, "now.since(active_at) >= timeout {", "now.since(active_at) >= timeout * 2 {")],
    ),
    fault(
        "a recovery undoes a purchase whose stock was taken",
        &[edit(
            "services/src/frontend/recovery.rs",
            "finish(purchase_id, decision).0",
            "finish(purchase_id, { drop(decision); crate::api::purchases::Decision::Refused(Vec::new()) }).0",
        )],
    ),
    // Each reply bears the number of its call, and by that alone the first half of this is noticed and does no harm.
    fault(
        "a late reply is taken for that to the next call, whatever its number",
        &[
            edit(
                "net/src/link.rs",
                "        self.waiting.retain(|waiting| {",
                "        self.in_flight.retain(|in_flight| in_flight.call.is_some());
                self.waiting.retain(|waiting| {",
            ),
            edit(
                "services/src/api/envelope.rs",
                ".parse() == Ok(number);",
                ".parse::<u64>().is_ok_and(|_| number < u64::MAX);",
            ),
        ],
    ),
    fault_in(
        "market",
        "the revision of a vote is ignored",
        &[edit(
            "services/src/customer/accounts.rs",
            "if before.is_none_or(|before| before.revision < ballot.revision) {",
            "if before.is_none_or(|before| before.revision < ballot.revision || true) {",
        )],
    ),
    fault(
        "decisions are forgotten by their age, whether or not their purchases have ended",
        &[edit(PURCHASES, ".map_or(old, |(first, _)| old.min(*first))", ".map_or(old, |_| old)")],
    ),
    fault(
        "no purchase is ever claimed",
        &[edit(PURCHASES, "claimed.take(limit).collect()", "claimed.take(limit.min(0)).collect()")],
    ),
    fault(
        "a purchase that is refused keeps its key",
        &[edit(PURCHASES, "self.by_key.remove(&(buyer_id, key));", "let _ = (buyer_id, key);")],
    ),
    fault(
        "a session buys its cart once more while a purchase is under way",
        &[edit(
            PURCHASES,
            "self.by_session.get(&session_number);\n        rules",
            "self.by_session.get(&session_number).filter(|_| false);\n        rules",
        )],
    ),
    fault(
        "stock is taken from what is on disk rather than from what is left",
        &[edit(
            STOCK,
            "item.map(|item| self.items.latest_listing(item_id, item));",
            "item.map(|item| item.listing);",
        )],
    ),
    fault(
        "of a cart, that is taken of which there is enough",
        &[edit(STOCK, "if !shortages.is_empty() {", "if takeable.is_empty() {")],
    ),
    fault_in(
        "glimpses",
        "readers see what is not on disk",
        &[
            edit(DATABASE, "self.domain.publish(rows_left)", "Some(0)"),
            edit(
                DATABASE,
                "            self.filling += 1;",
                "            self.filling += 1;\n            self.domain.publish(usize::MAX);",
            ),
        ],
    ),
    fault(
        "that a session was ended is not stored",
        &[edit(
            CUSTOMER,
            "rows.extend(self.sessions.rows.seal().map(",
            "rows.extend(self.sessions.rows.seal().filter(|(_, row)| row.is_some()).map(",
        )],
    ),
];
