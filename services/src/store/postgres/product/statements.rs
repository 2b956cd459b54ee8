//! What is asked of an engine for `db_product`, in words that all engines understand.
//!
//! What a statement reads of another table than the one that it changes, an earlier statement of its transaction has
//! locked, or it never changes: engines differ in when such a read sees what others change meanwhile.
//!
//! Items are returned as nine columns: `item_id`, `seller_id`, `name`, `keywords`, `condition`, `price_cents`, `quantity`,
//! `up` and `down`. What else a statement returns comes after these.

use super::super::wire::Statement;

/// An item.
pub(super) const ITEM: Statement = Statement::kept(
    "product_item",
    "SELECT item_id, seller_id, name, keywords, condition, price_cents, quantity, up, down
        FROM items WHERE item_id = $1",
);
/// The stock of an item.
pub(super) const STOCK: Statement =
    Statement::kept("product_stock", "SELECT quantity FROM items WHERE item_id = $1");
/// Who sells an item.
pub(super) const OWNER: Statement =
    Statement::kept("product_owner", "SELECT seller_id FROM items WHERE item_id = $1");
/// What an item is called, and who sells it.
pub(super) const DESCRIPTION: Statement =
    Statement::kept("product_description", "SELECT seller_id, name, keywords FROM items WHERE item_id = $1");

/// Makes the shelf of a seller, if there is none.
pub(super) const ADD_SHELF: Statement = Statement::kept(
    "product_add_shelf",
    "INSERT INTO shelves (seller_id, registered) VALUES ($1, 0) ON CONFLICT (seller_id) DO NOTHING",
);
/// Counts an item of a seller. A check refuses one too many.
pub(super) const COUNT_ITEM: Statement = Statement::kept(
    "product_count_item",
    "UPDATE shelves SET registered = registered + 1 WHERE seller_id = $1",
);
/// How many items a seller has registered.
pub(super) const SHELF: Statement =
    Statement::kept("product_shelf", "SELECT registered FROM shelves WHERE seller_id = $1");
/// Makes a category, if there is none.
pub(super) const ADD_CATEGORY: Statement = Statement::kept(
    "product_add_category",
    "INSERT INTO categories (category, last_n) VALUES ($1, 0) ON CONFLICT (category) DO NOTHING",
);
/// Gives the next number of a category. A check refuses one too many.
pub(super) const NEXT_NUMBER: Statement = Statement::kept(
    "product_next_number",
    "UPDATE categories SET last_n = last_n + 1 WHERE category = $1 RETURNING last_n",
);
/// The last number of a category.
pub(super) const LAST_NUMBER: Statement =
    Statement::kept("product_last_number", "SELECT last_n FROM categories WHERE category = $1");
/// Adds an item under the last number of its category.
pub(super) const ADD_ITEM: Statement = Statement::kept(
    "product_add_item",
    "INSERT INTO items (item_id, seller_id, name, keywords, condition, price_cents, quantity, up, down)
        SELECT category * 4294967296 + last_n, $2, $3::text, $4::text, $5::text, $6, $7, 0, 0
        FROM categories WHERE category = $1",
);
/// Adds terms of a score for that item.
pub(super) const ADD_TERMS: Statement = Statement::kept(
    "product_add_terms",
    "INSERT INTO item_terms (term, score, item_id)
        SELECT t, $2, category * 4294967296 + last_n FROM categories, unnest($3::text[]) AS u(t)
        WHERE category = $1",
);

/// Changes the price of an item of this seller; of any, if it is 0.
pub(super) const REPRICE: Statement = Statement::kept(
    "product_reprice",
    "UPDATE items SET price_cents = $2 WHERE item_id = $1 AND (seller_id = $3 OR $3 = 0) RETURNING seller_id",
);
/// Adds units to the stock of an item. A check refuses too many.
pub(super) const ADD_UNITS: Statement = Statement::kept(
    "product_add_units",
    "UPDATE items SET quantity = quantity + $2 WHERE item_id = $1 RETURNING quantity",
);
/// Brings the terms of an item back whose stock is just what was added. One that should not be there does no harm.
pub(super) const RESTORE_TERMS: Statement = Statement::kept(
    "product_restore_terms",
    "INSERT INTO item_terms (term, score, item_id)
        SELECT t, $2, item_id FROM items, unnest($3::text[]) AS u(t) WHERE item_id = $1 AND quantity = $4
        ON CONFLICT (term, score, item_id) DO NOTHING",
);
/// Removes units from the stock of an item, if there are so many.
pub(super) const REMOVE_UNITS: Statement = Statement::kept(
    "product_remove_units",
    "UPDATE items SET quantity = quantity - $2 WHERE item_id = $1 AND quantity >= $2 RETURNING quantity",
);
/// Removes the terms of an item, if it is sold out.
pub(super) const REMOVE_TERMS: Statement = Statement::kept(
    "product_remove_terms",
    "DELETE FROM item_terms WHERE item_id = $1 AND score IN (1, 2) AND term = ANY($2::text[])
        AND (SELECT quantity FROM items WHERE item_id = $1) = 0",
);

/// Items that have a term of score 1 after an item, in order.
pub(super) const SHELF_IN_STOCK: Statement = Statement::kept(
    "product_shelf_in_stock",
    "SELECT i.item_id, i.seller_id, i.name, i.keywords, i.condition, i.price_cents, i.quantity, i.up, i.down
        FROM (SELECT item_id FROM item_terms WHERE term = $1 AND score = 1 AND item_id > $2
            ORDER BY item_id LIMIT $3) h
        JOIN items i ON i.item_id = h.item_id ORDER BY i.item_id",
);
/// All items of a seller after an item, in order.
pub(super) const SHELF_WITH_SOLD_OUT: Statement = Statement::kept(
    "product_shelf_with_sold_out",
    "SELECT item_id, seller_id, name, keywords, condition, price_cents, quantity, up, down
        FROM items WHERE seller_id = $1 AND item_id > $2 ORDER BY item_id LIMIT $3",
);

/// Items that have a term of score 1 after an item, in order, with a score of 0 and how many there are in all.
pub(super) const SEARCH_CATEGORY: Statement = Statement::kept(
    "product_search_category",
    "SELECT i.item_id, i.seller_id, i.name, i.keywords, i.condition, i.price_cents, i.quantity, i.up, i.down,
            0::bigint, (SELECT count(*) FROM item_terms WHERE term = $1 AND score = 1)
        FROM (SELECT item_id FROM item_terms WHERE term = $1 AND score = 1 AND item_id > $2
            ORDER BY item_id LIMIT $3) h
        JOIN items i ON i.item_id = h.item_id ORDER BY i.item_id",
);
/// Items that have a term: after $2 where it is a keyword, and after $3 where it is a word of the name, with their scores.
/// All of them are after $4 and up to $5, and there are so many in all. Only those of the page are looked up.
pub(super) const SEARCH_TERM: Statement = Statement::kept(
    "product_search_term",
    "SELECT i.item_id, i.seller_id, i.name, i.keywords, i.condition, i.price_cents, i.quantity, i.up, i.down,
            h.score,
            (SELECT count(*) FROM item_terms
                WHERE term = $1 AND score = 2 AND item_id > $4 AND item_id <= $5)
            + (SELECT count(*) FROM item_terms
                WHERE term = $1 AND score = 1 AND item_id > $4 AND item_id <= $5)
        FROM (SELECT score, item_id FROM (
                (SELECT score, item_id FROM item_terms
                    WHERE term = $1 AND score = 2 AND item_id > $2 AND item_id <= $5 ORDER BY item_id LIMIT $6)
                UNION ALL
                (SELECT score, item_id FROM item_terms
                    WHERE term = $1 AND score = 1 AND item_id > $3 AND item_id <= $5 ORDER BY item_id LIMIT $6)
            ) u ORDER BY score DESC, item_id LIMIT $6) h
        JOIN items i ON i.item_id = h.item_id ORDER BY h.score DESC, i.item_id",
);
/// Items that have any of several terms, after $2 and up to $3, with their scores; those on the page are of a lower score
/// than $4, or of the same and after $5. How many there are in all.
pub(super) const SEARCH_TERMS: Statement = Statement::kept(
    "product_search_terms",
    "WITH hits AS (SELECT item_id, sum(score)::bigint AS score FROM item_terms
            WHERE term = ANY($1::text[]) AND score IN (1, 2) AND item_id > $2 AND item_id <= $3
            GROUP BY item_id),
        page AS (SELECT item_id, score FROM hits WHERE score < $4 OR (score = $4 AND item_id > $5)
            ORDER BY score DESC, item_id LIMIT $6)
        SELECT i.item_id, i.seller_id, i.name, i.keywords, i.condition, i.price_cents, i.quantity, i.up, i.down,
            p.score, (SELECT count(*) FROM hits)
        FROM page p JOIN items i ON i.item_id = p.item_id ORDER BY p.score DESC, p.item_id",
);
/// How many items have any of several terms, after $2 and up to $3.
pub(super) const COUNT_HITS: Statement = Statement::kept(
    "product_count_hits",
    "SELECT count(*) FROM (SELECT item_id FROM item_terms
            WHERE term = ANY($1::text[]) AND score IN (1, 2) AND item_id > $2 AND item_id <= $3
            GROUP BY item_id) h",
);

/// Categories after one in which something is in stock, in order, each with how many items that is. $3 is what the term of a
/// category begins with. That there is an item is asked for as the least one, of which any engine knows to look no further
/// than the first of the index; a condition that asks whether there is one may be made a join with all items.
pub(super) const CATEGORIES_IN_STOCK: Statement = Statement::kept(
    "product_categories_in_stock",
    "SELECT c.category,
            (SELECT count(*) FROM item_terms t WHERE t.term = $3::text || c.category::text AND t.score = 1)
        FROM categories c
        WHERE c.category > $1
            AND (SELECT min(t.item_id) FROM item_terms t
                WHERE t.term = $3::text || c.category::text AND t.score = 1) > 0
        ORDER BY c.category LIMIT $2",
);

/// Makes the ballot of a buyer for an item, if the item is there and the ballot is not.
pub(super) const ADD_BALLOT: Statement = Statement::kept(
    "product_add_ballot",
    "INSERT INTO item_votes (item_id, buyer_id, vote, vote_before, revision)
        SELECT item_id, $2, 'none'::text, 'none'::text, 0 FROM items WHERE item_id = $1
        ON CONFLICT (item_id, buyer_id) DO NOTHING",
);
/// Changes a ballot. From here on it is locked: the item, whose feedback follows from it, comes after.
pub(super) const VOTE: Statement = Statement::kept(
    "product_vote",
    "UPDATE item_votes SET revision = revision + CASE WHEN vote <> $3::text THEN 1 ELSE 0 END,
            vote_before = vote, vote = $3::text
        WHERE item_id = $1 AND buyer_id = $2 RETURNING revision",
);
/// Counts a ballot for its item, in the place of the vote before.
pub(super) const COUNT_BALLOT: Statement = Statement::kept(
    "product_count_ballot",
    "UPDATE items SET
            up = up + (SELECT CASE WHEN vote = 'up' THEN 1 ELSE 0 END - CASE WHEN vote_before = 'up' THEN 1 ELSE 0 END
                FROM item_votes WHERE item_id = $1 AND buyer_id = $2),
            down = down + (SELECT CASE WHEN vote = 'down' THEN 1 ELSE 0 END - CASE WHEN vote_before = 'down' THEN 1 ELSE 0 END
                FROM item_votes WHERE item_id = $1 AND buyer_id = $2)
        WHERE item_id = $1 RETURNING up, down, seller_id",
);
/// Counts votes of nobody for an item.
pub(super) const COUNT_VOTES: Statement = Statement::kept(
    "product_count_votes",
    "UPDATE items SET up = up + $2, down = down + $3 WHERE item_id = $1 RETURNING up, down, seller_id",
);

/// Decides that what a purchase is of is taken: so many lines. The key refuses it a second time.
pub(super) const DECIDE_TAKEN: Statement = Statement::kept(
    "product_decide_taken",
    "INSERT INTO decisions (purchase_id, decision, lines_wanted, lines_found, shortages)
        SELECT $1, 'taken'::text, $2, $2, ''::text",
);
/// Takes units of an item. A check refuses more than there are.
pub(super) const TAKE_UNITS: Statement =
    Statement::kept("product_take_units", "UPDATE items SET quantity = quantity - $2 WHERE item_id = $1");
/// Writes down what was taken of an item.
pub(super) const ADD_LINE: Statement = Statement::kept(
    "product_add_line",
    "INSERT INTO decision_lines (purchase_id, item_id, quantity, price_cents, name, seller_id)
        SELECT $1, item_id, $3, price_cents, name, seller_id FROM items WHERE item_id = $2",
);
/// Counts what was taken. A check refuses it if an item was not there, or if the purchase is below the floor.
///
/// It comes after the decision, so that nothing is taken where an older one was there and is forgotten. What does not see
/// that one, since it is gone, sees the floor, which was raised before. At levels where all of a transaction sees the same,
/// older things, this finds the old row as well, and is undone because somebody else has changed it.
pub(super) const COUNT_LINES: Statement = Statement::kept(
    "product_count_lines",
    "UPDATE decisions SET lines_found = CASE WHEN (SELECT purchase_id FROM decision_floor WHERE id = 1) <= $1
            THEN (SELECT count(*) FROM decision_lines WHERE purchase_id = $1) ELSE -1 END
        WHERE purchase_id = $1",
);
/// Decides that nothing is taken, unless something else is decided, or the purchase is below the floor.
pub(super) const DECIDE_REFUSED: Statement = Statement::kept(
    "product_decide_refused",
    "INSERT INTO decisions (purchase_id, decision, lines_wanted, lines_found, shortages)
        SELECT $1, 'refused'::text, 0, 0, $2::text FROM decision_floor WHERE id = 1 AND purchase_id <= $1
        ON CONFLICT (purchase_id) DO NOTHING",
);
/// What was decided about a purchase.
pub(super) const DECISION: Statement = Statement::kept(
    "product_decision",
    "SELECT decision, lines_wanted, shortages FROM decisions WHERE purchase_id = $1",
);
/// What was taken for it.
pub(super) const LINES: Statement = Statement::kept(
    "product_lines",
    "SELECT item_id, quantity, price_cents, name, seller_id FROM decision_lines
        WHERE purchase_id = $1 ORDER BY item_id",
);
/// Below which purchase nothing is decided any more.
pub(super) const FLOOR: Statement =
    Statement::kept("product_floor", "SELECT purchase_id FROM decision_floor WHERE id = 1");
/// Raises that.
pub(super) const RAISE_FLOOR: Statement = Statement::kept(
    "product_raise_floor",
    "UPDATE decision_floor SET purchase_id = $1 WHERE id = 1 AND purchase_id < $1",
);
/// The first decisions from a purchase on and below another one, and how many lines they have.
pub(super) const ENDED: Statement = Statement::kept(
    "product_ended",
    "SELECT purchase_id, lines_wanted FROM decisions WHERE purchase_id >= $1 AND purchase_id < $2
        ORDER BY purchase_id LIMIT 500",
);
/// How many decisions there are from a purchase on, as far as they are few.
pub(super) const COUNT_DECISIONS: Statement = Statement::kept(
    "product_count_decisions",
    "SELECT count(*) FROM (SELECT purchase_id FROM decisions WHERE purchase_id >= $1 LIMIT 10000) d",
);
/// The first categories after one, with the last number of each.
pub(super) const CATEGORIES: Statement = Statement::kept(
    "product_categories",
    "SELECT category, last_n FROM categories WHERE category > $1 ORDER BY category LIMIT 500",
);
/// Forgets what was decided about the purchases from one to another, which are below the floor.
pub(super) const FORGET_DECISIONS: Statement = Statement::kept(
    "product_forget_decisions",
    "DELETE FROM decisions WHERE purchase_id >= $1 AND purchase_id <= $2",
);
/// Forgets what was taken for them.
pub(super) const FORGET_LINES: Statement = Statement::kept(
    "product_forget_lines",
    "DELETE FROM decision_lines WHERE purchase_id >= $1 AND purchase_id <= $2",
);
