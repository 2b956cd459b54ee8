//! [`plan`]: what is to be done so that a shop has what a table says. It is decided by what the shop has, and by nothing that
//! was noted about earlier runs: whatever they have done shows in the shop, so nothing is done twice.

use std::collections::{HashMap, HashSet};

use super::complaints::Complaints;
use super::item::{Description, Item, Listing, Row};

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// New items first, in the order of their rows.
    pub(crate) tasks: Vec<Task>,
    /// Rows about items that are as the rows say.
    pub(crate) done: usize,
    /// Rows without an ID, and the items which they describe and which have another price or other units by now.
    pub(crate) changed: Vec<(u64, String)>,
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    /// Where it is asked for.
    pub(crate) line: u64,
    pub(crate) change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Register(Box<Row>),
    Price { item_id: String, before_cents: i128, cents: i128 },
    Units { item_id: String, before: u32, quantity: u32 },
}

/// What is to be done so that a shop with these items has what these rows say.
///
/// A row with an ID brings the price and the units of its item to what it says. A row without one asks for an item of its
/// description. Each item answers one row at most, so as many are registered as there are rows too many.
///
/// # Errors
/// Rows with the ID of no item, of one that is described otherwise, or of one that another row is about.
pub(crate) fn plan(rows: Vec<Row>, items: &[Item]) -> Result<Plan, Complaints> {
    let by_id: HashMap<&str, &Item> = items.iter().map(|item| (&*item.item_id, item)).collect();
    let (mut plan, mut complaints) = (Plan::default(), Complaints::default());
    let mut named: HashMap<String, u64> = HashMap::new();
    let (with_id, without_id): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.item_id.is_some());
    let mut changes = Vec::new();
    for row in with_id {
        let item_id = row.item_id.as_deref().unwrap_or_default();
        if let Some(line) = named.insert(item_id.to_owned(), row.line) {
            complaints.add(format!("line {}: item {item_id} is in line {line} already", row.line));
        }
        match by_id.get(item_id) {
            None => complaints.add(format!("line {}: you have no item {item_id}", row.line)),
            Some(item) => match difference(&row.description, &item.description) {
                Some(column) => complaints.add(format!(
                    "line {}: {column} is not that of item {item_id}, and cannot be changed",
                    row.line
                )),
                None => plan.bring(&row, item, &mut changes),
            },
        }
    }
    let left = items.iter().filter(|item| !named.contains_key(&item.item_id));
    plan.register(without_id, left);
    plan.tasks.append(&mut changes);
    complaints.or(plan)
}

/// The first column in which a row and its item differ, of those that cannot be changed.
fn difference(row: &Description, item: &Description) -> Option<&'static str> {
    [
        ("name", row.name != item.name),
        ("category", row.category != item.category),
        ("keywords", row.keywords != item.keywords),
        ("condition", row.condition != item.condition),
    ]
    .into_iter()
    .find_map(|(column, differs)| differs.then_some(column))
}

impl Plan {
    /// The item is to have the price and the units of the row.
    fn bring(&mut self, row: &Row, item: &Item, changes: &mut Vec<Task>) {
        let (wanted, has, line) = (row.listing, item.listing, row.line);
        let item_id = || item.item_id.clone();
        let before = changes.len();
        if wanted.price_cents != has.price_cents {
            let (before_cents, cents) = (has.price_cents, wanted.price_cents);
            changes.push(Task { line, change: Change::Price { item_id: item_id(), before_cents, cents } });
        }
        if wanted.quantity != has.quantity {
            let (before, quantity) = (has.quantity, wanted.quantity);
            changes.push(Task { line, change: Change::Units { item_id: item_id(), before, quantity } });
        }
        self.done += usize::from(changes.len() == before);
    }

    /// Each row is to have an item of its description: first one that is as the row says, then any.
    fn register<'a>(&mut self, rows: Vec<Row>, items: impl Iterator<Item = &'a Item>) {
        let mut alike: HashMap<&Description, Vec<&Item>> = HashMap::new();
        let mut same: HashMap<&Description, HashMap<Listing, Vec<&Item>>> = HashMap::new();
        for item in items {
            alike.entry(&item.description).or_default().push(item);
            same.entry(&item.description).or_default().entry(item.listing).or_default().push(item);
        }
        let mut taken: HashSet<&str> = HashSet::new();
        let mut others = Vec::new();
        for row in rows {
            let of_description = same.get_mut(&row.description);
            match of_description.and_then(|items| items.get_mut(&row.listing)).and_then(Vec::pop) {
                Some(item) => {
                    taken.insert(&item.item_id);
                    self.done += 1;
                }
                None => others.push(row),
            }
        }
        for row in others {
            let item = alike.get_mut(&row.description).and_then(|items| {
                std::iter::from_fn(|| items.pop()).find(|item| !taken.contains(&*item.item_id))
            });
            match item {
                Some(item) => self.changed.push((row.line, item.item_id.clone())),
                None => {
                    self.tasks.push(Task { line: row.line, change: Change::Register(Box::new(row)) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(name: &str) -> Description {
        Description { name: name.to_owned(), category: 1, keywords: Vec::new(), condition: "new".to_owned() }
    }

    fn item(item_id: &str, name: &str, price_cents: i128, quantity: u32) -> Item {
        let listing = Listing { price_cents, quantity };
        Item { item_id: item_id.to_owned(), description: description(name), listing }
    }

    /// The rows of these items, with their IDs or without.
    fn rows(items: &[Item], with_ids: bool) -> Vec<Row> {
        let row = |(place, item): (usize, &Item)| Row {
            line: place as u64 + 2,
            item_id: with_ids.then(|| item.item_id.clone()),
            description: item.description.clone(),
            listing: item.listing,
        };
        items.iter().enumerate().map(row).collect()
    }

    fn registered(plan: &Plan) -> Vec<u64> {
        let is_new = |task: &&Task| matches!(task.change, Change::Register(_));
        plan.tasks.iter().filter(is_new).map(|task| task.line).collect()
    }

    #[test]
    fn an_empty_shop_gets_every_row() {
        let wanted = rows(&[item("", "a", 1, 1), item("", "a", 1, 1), item("", "b", 2, 2)], false);
        let plan = plan(wanted, &[]).unwrap();
        assert_eq!(registered(&plan), [2, 3, 4]);
    }

    #[test]
    fn what_is_there_is_not_registered_again() {
        let items = [item("1:1", "a", 1, 1), item("1:2", "a", 1, 1), item("1:3", "b", 2, 2)];
        for with_ids in [false, true] {
            let plan = plan(rows(&items, with_ids), &items).unwrap();
            assert_eq!(plan, Plan { done: 3, ..Plan::default() });
        }
    }

    #[test]
    fn of_equal_rows_as_many_are_registered_as_are_missing() {
        let wanted = vec![item("", "a", 1, 1); 5];
        for there in 0..=5 {
            let items: Vec<_> = (0..there).map(|n| item(&format!("1:{n}"), "a", 1, 1)).collect();
            assert_eq!(registered(&plan(rows(&wanted, false), &items).unwrap()).len(), 5 - there);
        }
    }

    #[test]
    fn an_item_that_was_sold_or_priced_since_answers_its_row() {
        let wanted = rows(&[item("", "a", 1, 5), item("", "a", 2, 5), item("", "b", 1, 5)], false);
        // The second row is found as it is, so what was sold of the first belongs to the first.
        let items = [item("1:1", "a", 2, 5), item("1:2", "a", 1, 4)];
        let plan = plan(wanted, &items).unwrap();
        assert_eq!(registered(&plan), [4]);
        assert_eq!((plan.done, plan.changed), (1, vec![(2, "1:2".to_owned())]));
    }

    #[test]
    fn an_item_that_a_row_names_answers_no_other_row() {
        let items = [item("1:1", "a", 1, 1)];
        let wanted = [rows(&items, true), rows(&items, false)].concat();
        assert_eq!(registered(&plan(wanted, &items).unwrap()).len(), 1);
    }

    #[test]
    fn a_row_with_an_id_brings_price_and_units() {
        let wanted = rows(&[item("1:1", "a", 250, 7), item("1:2", "b", 100, 0)], true);
        let items = [item("1:1", "a", 199, 5), item("1:2", "b", 100, 3)];
        let plan = plan(wanted, &items).unwrap();
        let (a, b) = ("1:1".to_owned(), "1:2".to_owned());
        let expected = [
            Task { line: 2, change: Change::Price { item_id: a.clone(), before_cents: 199, cents: 250 } },
            Task { line: 2, change: Change::Units { item_id: a, before: 5, quantity: 7 } },
            Task { line: 3, change: Change::Units { item_id: b, before: 3, quantity: 0 } },
        ];
        assert_eq!(plan.tasks, expected);
    }

    #[test]
    fn an_id_must_be_that_of_the_item_which_the_row_describes() {
        let items = [item("1:1", "a", 1, 1)];
        let said = |wanted: &[Item]| plan(rows(wanted, true), &items).unwrap_err().text();
        assert_eq!(said(&[item("1:2", "a", 1, 1)]), "line 2: you have no item 1:2");
        assert_eq!(
            said(&[item("1:1", "b", 1, 1)]),
            "line 2: name is not that of item 1:1, and cannot be changed"
        );
        assert_eq!(said(&[items[0].clone(), items[0].clone()]), "line 3: item 1:1 is in line 2 already");
    }
}
