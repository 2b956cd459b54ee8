use super::*;
use crate::shell::trade::item::{Description, Listing};

const HEADER: &str = "name,category,keywords,condition,price,quantity\n";

/// What is said of this table.
fn complaint(table: impl AsRef<[u8]>) -> String {
    read(table.as_ref()).expect_err("it is wrong").text()
}

/// What is said of the only row below the usual header.
fn complaint_of(row: &str) -> String {
    complaint(format!("{HEADER}{row}\n"))
}

fn item(item_id: &str, name: &str, keywords: &[&str], price_cents: i128) -> Item {
    let keywords = keywords.iter().map(|&word| word.to_owned()).collect();
    let (category, condition) = (1, "new".to_owned());
    Item {
        item_id: item_id.to_owned(),
        description: Description { name: name.to_owned(), category, keywords, condition },
        listing: Listing { price_cents, quantity: 5 },
    }
}

#[test]
fn columns_come_in_any_order_and_values_in_the_form_of_the_services() {
    let table = "\u{feff}price,quantity,condition,category,name,keywords,item_id\r\n\
                 1e1, 5 ,NEW,1,\"Cafe\u{301}, noir\",book | cs,\r\n\r\n,,,,,,\r\n\
                 19.9,0,used,2,x,,'2:7\r\n";
    let rows = read(table.as_bytes()).unwrap();
    let [first, second] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((first.line, first.item_id.as_deref()), (2, None));
    let registration = serde_json::to_string(&first.registration()).unwrap();
    assert_eq!(
        registration,
        r#"{"category":1,"condition":"new","keywords":["book","cs"],"name":"Café, noir","price":10.00,"quantity":5}"#
    );
    assert_eq!((second.line, second.item_id.as_deref()), (5, Some("2:7")));
    assert_eq!(second.listing, Listing { price_cents: 1990, quantity: 0 });
    assert!(second.description.keywords.is_empty());
}

#[test]
fn what_is_written_is_read_back() {
    let items = [
        item("1:1", "Intro to DS", &["book", "cs"], 1999),
        item("1:2", "=1+1, \"quoted\"", &["a|b", "=x"], 5),
        item("1:3", "'=x", &[], 100_000_000_000),
    ];
    for table in [write(&items), marked(&write(&items))] {
        let rows = read(table.as_bytes()).unwrap();
        assert_eq!(rows.len(), items.len());
        for (row, item) in rows.iter().zip(&items) {
            assert_eq!(row.item_id.as_ref(), Some(&item.item_id));
            assert_eq!((&row.description, row.listing), (&item.description, item.listing));
        }
    }
    assert_eq!(
        write(&items[..1]),
        "item_id,name,category,keywords,condition,price,quantity\n'1:1,Intro to DS,1,book|cs,new,19.99,5\n"
    );
}

#[test]
fn headers_are_demanded_and_their_mistakes_named() {
    for (header, expected) in [
        ("", "it is empty: a header line with \"item_id\", \"name\", "),
        ("name,colour,price", "line 1: there is no column \"colour\"; the columns are \"item_id\", "),
        ("name,category,keywords", "line 1: the columns \"condition\", \"price\", \"quantity\" are missing"),
        ("\n\nname,category,keywords,condition,price", "line 3: the column \"quantity\" is missing"),
        ("name,name", "line 1: the column \"name\" is there twice"),
        ("name;category;keywords", "line 1: columns are separated by commas, not by \";\""),
        ("name\tcategory", "line 1: columns are separated by commas, not by \"\\t\""),
        ("Intro to DS,1,,new,19.99,5", "line 1: there is no column \"Intro to DS\""),
    ] {
        let said = complaint(header);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn encodings_other_than_utf_8_are_named() {
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(complaint([&[0xff, 0xfe], &utf16[..]].concat()), "it is in UTF-16; save it as CSV in UTF-8");
    let latin = [HEADER.as_bytes(), b"caf\xe9,1,,new,1,1\n"].concat();
    assert_eq!(complaint(latin), "line 2: it is not in UTF-8; save it as CSV in UTF-8");
}

#[test]
fn each_mistake_has_its_line_its_column_and_its_value() {
    for (row, expected) in [
        (",1,,new,1,1", "line 2: name \"\": must be a string of 1 to 32 characters"),
        ("a\u{1b}[2J,1,,new,1,1", "line 2: name \"a\\u{1b}[2J\": must be "),
        ("x,-1,,new,1,1", "line 2: category \"-1\": must be an integer from 0 to 2147483647"),
        ("x,one,,new,1,1", "line 2: category \"one\": must be an integer"),
        (
            "x,1,longer than eight,new,1,1",
            "line 2: keywords \"longer than eight\": must be an array of at most 5",
        ),
        ("x,1,a|b|c|d|e|f,new,1,1", "line 2: keywords \"a|b|c|d|e|f\": must be an array of at most 5"),
        ("x,1,,broken,1,1", "line 2: condition \"broken\": must be \"new\" or \"used\""),
        (
            "x,1,,new,\"19,99\",1",
            "line 2: price \"19,99\": must be a number from 0 to 1000000000 with at most two",
        ),
        ("x,1,,new,19.999,1", "line 2: price \"19.999\": must be a number"),
        ("x,1,,new,1,1000000001", "line 2: quantity \"1000000001\": must be an integer from 0 to 1000000000"),
        ("x,1,,new,1,", "line 2: quantity \"\": must be an integer"),
        ("x,1,,new,1", "line 2: it has 5 cells, and the header has 6"),
        ("x,1,,new,1,1,1", "line 2: it has 7 cells, and the header has 6"),
    ] {
        let said = complaint_of(row);
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let said = complaint(format!("item_id,{HEADER}1:01,x,1,,new,1,1\n"));
    assert!(said.starts_with("line 2: item_id \"1:01\": must be a string \"<category>:<n>\""), "{said}");
}

#[test]
fn all_mistakes_are_told_up_to_a_maximum() {
    let two_rows = format!("{HEADER}\"two\nlines\",1,,new,x,1\ny,1,,new,1,y\n");
    let said = complaint(two_rows);
    let lines: Vec<_> = said.lines().map(|line| line.split(" \"").next().unwrap()).collect();
    assert_eq!(lines, ["line 2: name", "line 2: price", "line 4: quantity"]);
    let many = format!("{HEADER}{}", "x,1,,new,1,x\n".repeat(1000));
    assert!(complaint(many).ends_with("\n… and 980 more"));
}
