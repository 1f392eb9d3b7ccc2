//! The body of a command as the JSON object that a caller will send: forms are decoded.

use url::form_urlencoded;

use super::command::Curl;
use super::tree::Tree;
use super::{Input, Mistake};

/// Deepest nesting of a form's names.
const DEPTH_MAX: usize = 16;

/// How the body is written, as the format says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Form,
    FormBrackets,
}

/// Reads the body.
pub(super) fn of(curl: &Curl) -> Result<(Encoding, Tree), Mistake> {
    let Some(body) = &curl.body else { return Ok((Encoding::Json, Tree::Object(Vec::new()))) };
    let wrong = |message: String| Mistake { input: Input::Command, at: body.at, message };
    let content_type =
        curl.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type")).map(|header| header.value.as_str());
    let essence = content_type.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    // Documentations forget the header more often than they send JSON as a form.
    let is_json = body.text.trim_start().starts_with(['{', '[']);
    match essence.as_deref() {
        Some(kind) if kind == "application/json" || kind == "text/json" || kind.ends_with("+json") => {}
        Some("application/x-www-form-urlencoded") | None if !is_json => {
            let tree = form(&body.text).map_err(wrong)?;
            let nested = matches!(&tree, Tree::Object(members) if members.iter().any(|(_, value)| !matches!(value, Tree::Scalar(_))));
            return Ok((if nested { Encoding::FormBrackets } else { Encoding::Form }, tree));
        }
        Some("application/x-www-form-urlencoded") | None => {}
        Some(other) => {
            return Err(wrong(format!("a body of the media type `{}` can not be sent: sessions send JSON or forms", other.escape_debug())));
        }
    }
    let tree = Tree::object(&body.text).map_err(|why| wrong(format!("the body that begins here can not be taken over: {why}")))?;
    Ok((Encoding::Json, tree))
}

fn form(text: &str) -> Result<Tree, String> {
    let mut root = Tree::Object(Vec::new());
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let path = path(&name)?;
        insert(&mut root, &path, scalar(&value)).map_err(|()| format!("`{}` does not fit to the names before it", name.escape_debug()))?;
    }
    lists(&mut root);
    Ok(root)
}

/// `a[b][0]` as its three names.
fn path(name: &str) -> Result<Vec<String>, String> {
    let Some((head, rest)) = name.split_once('[') else { return Ok(vec![name.to_owned()]) };
    let inner = rest.strip_suffix(']').ok_or_else(|| format!("the name `{}` has no `]` at its end", name.escape_debug()))?;
    let path: Vec<String> = std::iter::once(head).chain(inner.split("][")).map(str::to_owned).collect();
    if path.len() > DEPTH_MAX { Err(format!("the name `{}` is nested too deep", name.escape_debug())) } else { Ok(path) }
}

/// Whole numbers and booleans are recognised by their spelling; everything that would be spelled otherwise afterwards stays text.
fn scalar(text: &str) -> Tree {
    let whole = text.len() <= 15 && text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    if whole || text == "true" || text == "false" { Tree::Scalar(text.to_owned()) } else { Tree::string(text) }
}

fn insert(target: &mut Tree, path: &[String], value: Tree) -> Result<(), ()> {
    let (Some((name, rest)), Tree::Object(members)) = (path.split_first(), target) else { return Err(()) };
    // `a[]=x` appends: the next free number is its name.
    let name = if name.is_empty() { members.len().to_string() } else { name.clone() };
    let at = members.iter().position(|(known, _)| *known == name);
    match (at.and_then(|at| members.get_mut(at)), rest.is_empty()) {
        (Some(_), true) => Err(()),
        (None, true) => {
            members.push((name, value));
            Ok(())
        }
        (Some((_, inner)), false) => insert(inner, rest, value),
        (None, false) => {
            let mut inner = Tree::Object(Vec::new());
            insert(&mut inner, rest, value)?;
            members.push((name, inner));
            Ok(())
        }
    }
}

/// Objects whose names are 0, 1, 2, … were lists.
fn lists(value: &mut Tree) {
    let Tree::Object(members) = value else { return };
    members.iter_mut().for_each(|(_, value)| lists(value));
    if !members.is_empty() && members.iter().enumerate().all(|(at, (name, _))| *name == at.to_string()) {
        *value = Tree::List(std::mem::take(members).into_iter().map(|(_, value)| value).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::read;
    use super::*;

    #[test]
    fn bodies_become_objects() {
        let check = |options: &str, encoding: Encoding, expected: &str| {
            let (found, tree) = of(&read(&format!("curl https://a.example -X POST {options}")).unwrap()).unwrap();
            assert_eq!((found, tree.written().as_str()), (encoding, expected), "{options}");
        };
        check("", Encoding::Json, "{}");
        check("--json '{\"a\": 1.0}'", Encoding::Json, r#"{"a":1.0}"#);
        check("-d '{\"a\":1}'", Encoding::Json, r#"{"a":1}"#);
        check("-H 'content-type: application/vnd.api+json; charset=utf-8' -d '{\"a\":1}'", Encoding::Json, r#"{"a":1}"#);
        check("-d amount=1000 -d currency=eur -d 'note=a+b%20c'", Encoding::Form, r#"{"amount":1000,"currency":"eur","note":"a b c"}"#);
        check(
            "-d z=1.50 -d y=007 -d x=true -d w=12345678901234567890",
            Encoding::Form,
            r#"{"z":"1.50","y":"007","x":true,"w":"12345678901234567890"}"#,
        );
        check(
            "-d 'a[b]=1' -d 'a[c][0]=x' -d 'a[c][1]=y' -d 't[]=1' -d 't[]=2'",
            Encoding::FormBrackets,
            r#"{"a":{"b":1,"c":["x","y"]},"t":[1,2]}"#,
        );
        check("-d 'i[0][p]=x' -d 'i[0][q]=1'", Encoding::FormBrackets, r#"{"i":[{"p":"x","q":1}]}"#);
    }

    #[test]
    fn bodies_that_are_none_are_refused() {
        let check = |options: &str, expected: &str| {
            let mistake = of(&read(&format!("curl https://a.example {options}")).unwrap()).unwrap_err();
            assert!(mistake.message.contains(expected), "{options}: {mistake:?}");
            assert_eq!((mistake.at.line, mistake.at.column > 22), (1, true), "{options}");
        };
        check("-d '{\"a\": ...}'", "its line 1, column 7");
        check("--json '[1]'", "object");
        check("-d '<a/>' -H 'Content-Type: text/xml'", "text/xml");
        check("-d a=1 -d a=2", "`a` does not fit");
        check("-d a=1 -d 'a[b]=2'", "`a[b]` does not fit");
        check("-d 'a[b=2'", "no `]`");
        check(&format!("-d 'a{}=2'", "[b]".repeat(20)), "too deep");
    }
}
