//! The figures of the house, printed for whoever asks.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Attribute, Visibility};

use crate::functions::functions;
use crate::imports::Graph;
use crate::source::{everything, is_for_tests, items, modules};

#[test]
#[ignore = "it prints figures, and proves nothing"]
fn figures() {
    let modules = modules();
    let mut lines: Vec<usize> = modules.iter().map(|source| source.text.lines().count()).collect();
    lines.sort_unstable();
    let code: usize = lines.iter().sum();
    println!(
        "modules: {}, {code} lines, median {}, largest {:?}",
        lines.len(),
        lines[lines.len() / 2],
        lines.last()
    );
    let all = everything();
    let all_lines: usize = all.iter().map(|source| source.text.lines().count()).sum();
    println!("files with tests: {}, {all_lines} lines", all.len());

    let mut long: Vec<_> = modules
        .iter()
        .flat_map(|source| functions(source).into_iter().map(|(name, lines)| (lines, name, source.name())))
        .filter(|(lines, ..)| *lines > 60)
        .collect();
    long.sort();
    println!("functions over 60 lines: {}", long.len());
    long.iter().for_each(|(lines, name, module)| println!("  {module}::{name}: {lines}"));

    let graph = Graph::of(&modules);
    let edges: usize = graph.imports.values().map(|targets| targets.len()).sum();
    println!("imports between modules: {edges}, circles: {}", graph.circles().len());

    let tokens = modules.iter().flat_map(items).map(|item| asserts(item.to_token_stream()));
    let (assertions, checks) = tokens.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    println!("assertions: {assertions}, calls of invariants(): {checks}");

    let mut documented = Documented::default();
    modules.iter().flat_map(items).for_each(|item| documented.visit_item(item));
    println!("documented: {} of {} items that other modules see", documented.documented, documented.visible);
}

/// How many assertions there are, and how many calls of `invariants`.
fn asserts(tokens: TokenStream) -> (usize, usize) {
    let mut counts = (0, 0);
    let mut before = String::new();
    for tree in tokens {
        let text = tree.to_string();
        match &tree {
            TokenTree::Punct(punct)
                if punct.as_char() == '!' && before.trim_start_matches("debug_").starts_with("assert") =>
            {
                counts.0 += 1;
            }
            TokenTree::Group(group) => {
                counts.1 += usize::from(before == "invariants");
                let inner = asserts(group.stream());
                counts = (counts.0 + inner.0, counts.1 + inner.1);
            }
            _ => {}
        }
        // The definition is no call.
        before = if before == "fn" { String::new() } else { text };
    }
    counts
}

#[derive(Default)]
struct Documented {
    visible: usize,
    documented: usize,
}

impl Documented {
    fn count(&mut self, visibility: &Visibility, attributes: &[Attribute]) {
        if !matches!(visibility, Visibility::Inherited) && !is_for_tests(attributes) {
            self.visible += 1;
            self.documented +=
                usize::from(attributes.iter().any(|attribute| attribute.path().is_ident("doc")));
        }
    }
}

impl<'ast> Visit<'ast> for Documented {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.count(&item.vis, &item.attrs);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.count(&item.vis, &item.attrs);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.count(&item.vis, &item.attrs);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.count(&item.vis, &item.attrs);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.count(&item.vis, &item.attrs);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.count(&item.vis, &item.attrs);
    }
}
