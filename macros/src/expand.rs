//! What an attribute makes of its function: the same without `async`, whose body is handed to
//! a hidden function of the facade. Or an error at the token that is wrong; then a function of that
//! name remains, so that there is one error and not a second one about its absence.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::function::{Function, is_word};

pub(crate) fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    const WHAT: &str = "#[wakering::main]";
    let wrong = arguments.into_iter().next().map(|argument| {
        let remedy = "build a `Runtime` with `Builder` where it needs settings";
        Wrong { at: argument.span(), text: format!("`{WHAT}` takes no arguments; {remedy}") }
    });
    let entry = Entry { name: "main", span: Span::call_site() };
    expand(WHAT, wrong, item, TokenStream::new(), &entry)
}

pub(crate) fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    const WHAT: &str = "#[wakering::test]";
    let mut entry = Entry { name: "test", span: Span::call_site() };
    let mut wrong = None;
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (None, _) => {}
        (Some(TokenTree::Ident(word)), None) if word.to_string() == "paused" => {
            // Where the feature is off, the compiler's note about it points at the word.
            entry = Entry { name: "test_paused", span: word.span() };
        }
        (Some(argument), next) => {
            let is_paused = matches!(&argument, TokenTree::Ident(w) if w.to_string() == "paused");
            let at = next.filter(|_| is_paused).unwrap_or(argument).span();
            let text = format!("`{WHAT}` takes one argument at most, which is `paused`");
            wrong = Some(Wrong { at, text });
        }
    }
    let is_test = path(&["core", "prelude", "v1", "test"], Span::call_site());
    let attribute = [punct('#', Span::call_site()), group(Delimiter::Bracket, is_test)];
    expand(WHAT, wrong, item, attribute.into_iter().collect(), &entry)
}

/// The hidden function of the facade that runs the body.
struct Entry {
    name: &'static str,
    span: Span,
}

/// What is wrong, and where.
struct Wrong {
    at: Span,
    text: String,
}

fn expand(
    what: &str,
    wrong: Option<Wrong>,
    item: TokenStream,
    attributes: TokenStream,
    entry: &Entry,
) -> TokenStream {
    let Some(function) = Function::read(item.clone()) else {
        let at = item.clone().into_iter().next().map_or_else(Span::call_site, |t| t.span());
        let text = format!("`{what}` stands in front of an `async fn` with a body only");
        return error(&Wrong { at, text }).into_iter().chain(item).collect();
    };
    match wrong.or_else(|| refuse(what, &function)) {
        Some(wrong) => {
            let nothing = Group::new(Delimiter::Parenthesis, TokenStream::new());
            let forever = [word("loop", Span::call_site()), block(TokenStream::new())];
            let stub = assemble(function, nothing, forever.into_iter().collect());
            error(&wrong).into_iter().chain(stub).collect()
        }
        None => {
            let run = path(&["wakering", "entry", entry.name], entry.span);
            let closure = group(Delimiter::Parenthesis, closure(&function));
            let body = run.into_iter().chain([closure]).collect();
            let parameters = function.parameters.clone();
            attributes.into_iter().chain(assemble(function, parameters, body)).collect()
        }
    }
}

/// The body as a closure that says what it returns, so that the compiler points into it where it
/// returns something else: `async || -> Output { … }`
fn closure(function: &Function) -> TokenStream {
    let span = Span::call_site();
    let async_token = word("async", function.async_token.unwrap_or(span));
    let output = &function.output[..];
    let output = match output.is_empty() {
        true => vec![
            joint('-', span),
            punct('>', span),
            group(Delimiter::Parenthesis, TokenStream::new()),
        ],
        // What a closure cannot say; its own return type may still be anything that fits.
        false if output.iter().any(|token| is_word(token, "impl")) => Vec::new(),
        false => output.to_vec(),
    };
    let head = [async_token, joint('|', span), punct('|', span)];
    head.into_iter().chain(output).chain([function.body.clone().into()]).collect()
}

fn refuse(what: &str, function: &Function) -> Option<Wrong> {
    let name = &function.name;
    if function.async_token.is_none() {
        let text = format!(
            "`{what}` runs a future, which `{name}` does not return; write `async fn {name}`, or \
             leave the attribute out"
        );
        return Some(Wrong { at: name.span(), text });
    }
    let parameter = function.parameters.stream().into_iter().next()?;
    let text = format!("`{name}` is called by `{what}`, which has nothing to pass to parameters");
    Some(Wrong { at: parameter.span(), text })
}

fn assemble(function: Function, parameters: Group, body: TokenStream) -> TokenStream {
    let mut braces = Group::new(Delimiter::Brace, body);
    braces.set_span(function.body.span());
    let head = function.head.into_iter().chain([parameters.into()]);
    head.chain(function.output).chain(function.where_clause).chain([braces.into()]).collect()
}

/// `::core::compile_error! { "text" }`, at what is wrong.
fn error(wrong: &Wrong) -> TokenStream {
    let mut text = TokenTree::from(Literal::string(&wrong.text));
    text.set_span(wrong.at);
    let mut braces = block(text.into());
    braces.set_span(wrong.at);
    let name = path(&["core", "compile_error"], wrong.at);
    name.into_iter().chain([punct('!', wrong.at), braces]).collect()
}

/// `::a::b::c`
fn path(words: &[&str], span: Span) -> TokenStream {
    let step = |name: &&str| [joint(':', span), punct(':', span), word(name, span)];
    words.iter().flat_map(step).collect()
}

fn word(name: &str, span: Span) -> TokenTree {
    Ident::new(name, span).into()
}

fn punct(character: char, span: Span) -> TokenTree {
    spaced(character, Spacing::Alone, span)
}

fn joint(character: char, span: Span) -> TokenTree {
    spaced(character, Spacing::Joint, span)
}

fn spaced(character: char, spacing: Spacing, span: Span) -> TokenTree {
    let mut punct = Punct::new(character, spacing);
    punct.set_span(span);
    punct.into()
}

fn block(stream: TokenStream) -> TokenTree {
    group(Delimiter::Brace, stream)
}

fn group(delimiter: Delimiter, stream: TokenStream) -> TokenTree {
    Group::new(delimiter, stream).into()
}
