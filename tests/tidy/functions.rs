//! How long functions and files are. What fits in the head is read; what does not is believed.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ImplItemFn, ItemFn, Signature, TraitItemFn};

use crate::source::{Source, everything};

/// Lines of a function, from its name to its end; comments before it do not count.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file, with everything in it.
const FILE_LINES_MAX: usize = 450;

#[test]
fn no_function_is_longer_than_70_lines() {
    let long: Vec<String> = everything()
        .iter()
        .flat_map(|source| functions(source).into_iter().map(|(name, lines)| (&*source.path, name, lines)))
        .filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX)
        .map(|(path, name, lines)| format!("{path}: {name} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_file_is_longer_than_450_lines() {
    let long: Vec<String> = everything()
        .iter()
        .map(|source| (&source.path, source.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{path} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The functions of a file, by their names, and how many lines each has.
pub(crate) fn functions(source: &Source) -> Vec<(String, usize)> {
    let mut found = Functions(Vec::new());
    found.visit_file(&source.syntax);
    found.0
}

struct Functions(Vec<(String, usize)>);

impl Functions {
    fn add(&mut self, signature: &Signature, body: &syn::Block) {
        let lines = body.span().end().line + 1 - signature.span().start().line;
        self.0.push((signature.ident.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_wherever_they_are() {
        let text =
            "/// Says.\nfn a() {\n}\nimpl T { fn b(\n) {\nfn c() {}\n} }\ntrait U { fn d(); fn e() {} }";
        let found = functions(&Source::made_up("net", "a", text));
        let expected = [("a", 2), ("b", 4), ("c", 1), ("e", 1)];
        assert_eq!(found, expected.map(|(name, lines)| (name.to_owned(), lines)));
    }
}
