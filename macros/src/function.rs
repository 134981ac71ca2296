//! A function as far as an attribute has to understand it: where its keyword `async`, its
//! parameters and its body are. The rest is tokens that come out as they went in.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

pub(crate) struct Function {
    pub(crate) name: Ident,
    /// Its `async`, which is not among `head`.
    pub(crate) async_token: Option<Span>,
    /// Attributes, visibility, qualifiers, name and generics.
    pub(crate) head: Vec<TokenTree>,
    pub(crate) parameters: Group,
    /// The arrow and the type behind it, if there are any.
    pub(crate) output: Vec<TokenTree>,
    pub(crate) where_clause: Vec<TokenTree>,
    pub(crate) body: Group,
}

impl Function {
    /// Reads a function that has a body; nothing, if the item is something else.
    pub(crate) fn read(item: TokenStream) -> Option<Function> {
        let mut tokens: Vec<TokenTree> = unwrapped(item).into_iter().collect();
        let body = as_block(tokens.pop()?)?;
        // Attributes and visibilities are groups, so the first `fn` that is seen is the keyword.
        let keyword = tokens.iter().position(|token| is_word(token, "fn"))?;
        let async_at = tokens[..keyword].iter().position(|token| is_word(token, "async"));
        let Some(TokenTree::Ident(name)) = tokens.get(keyword + 1).cloned() else { return None };
        let parameters_at = after_generics(&tokens, keyword + 2)?;
        let mut head = tokens;
        let mut output = head.split_off(parameters_at);
        let TokenTree::Group(parameters) = output.remove(0) else { return None };
        let where_at = output.iter().position(|token| is_word(token, "where"));
        let where_clause = output.split_off(where_at.unwrap_or(output.len()));
        let async_token = async_at.map(|at| head.remove(at).span());
        Some(Function { name, async_token, head, parameters, output, where_clause, body })
    }
}

/// An item that a `macro_rules` captured as a whole comes in a group without delimiters.
fn unwrapped(item: TokenStream) -> TokenStream {
    let mut tokens = item.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => {
            unwrapped(group.stream())
        }
        _ => item,
    }
}

/// The braces at the end of a function, also if a `macro_rules` captured them as a block.
fn as_block(token: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => {
            let mut inner = group.stream().into_iter();
            let block = as_block(inner.next()?);
            block.filter(|_| inner.next().is_none())
        }
        _ => None,
    }
}

/// Where the parameters are, given the place behind a function's name.
fn after_generics(tokens: &[TokenTree], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut previous = None;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token {
            TokenTree::Group(group)
                if depth == 0 && group.delimiter() == Delimiter::Parenthesis =>
            {
                return Some(at);
            }
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            // That of an arrow, as in `F: Fn() -> u32`, closes nothing.
            TokenTree::Punct(punct) if punct.as_char() == '>' && previous != Some('-') => {
                depth = depth.checked_sub(1)?;
            }
            _ => {}
        }
        previous = match token {
            TokenTree::Punct(punct) => Some(punct.as_char()),
            _ => None,
        };
    }
    None
}

pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}
