//! `[tls]`: the client certificate of a payment service.

use super::provider::Context;
use super::reader::{Node, Table};
use super::template::{Allowed, line_template};
use crate::model::{Field, Required, Template, TextForm, Tls};

pub(super) fn read(node: &Node<'_>, cx: &Context<'_>) -> Option<Tls> {
    let table = node.table()?;
    let certificate = table.require("certificate").and_then(|node| one_field(&node, cx));
    let key = table.require("key").and_then(|node| one_field(&node, cx));
    let roots = table.get("roots").and_then(|node| one_field(&node, cx));
    if let Some((node, (_, key))) = table.get("key").zip(key.as_ref())
        && !key.secret
    {
        node.wrong(format!("`{}` holds a private key and must be `secret = true`", key.key));
    }
    if let Some(((_, certificate), (_, key))) = certificate.as_ref().zip(key.as_ref()) {
        check_pair(&table, certificate, key);
    }
    table.finish();
    let (certificate, key) = (certificate?.0, key?.0);
    Some(Tls { certificate, key, roots: roots.map(|(template, _)| template) })
}

/// Files may be loaded whose certificate is optional, but a certificate without its key is of no use.
fn check_pair(table: &Table<'_>, certificate: &Field, key: &Field) {
    let (one, other) = (&certificate.key, &key.key);
    if one == other {
        table.wrong(format!("`{one}` can not be both certificate and key: a certificate is shown to others, a key to nobody"));
    } else if certificate.required != key.required {
        let when = |field: &Field| match field.required {
            Required::Always => "required",
            Required::Live => "required for live payments",
            Required::Never => "optional",
        };
        let (first, second) = (when(certificate), when(key));
        table.wrong(format!("`{one}` is {first} and `{other}` {second}: they go together, so both must be the same"));
    }
}

/// A template that is one field of the form PEM, and nothing else: what stands around it would be in the way of the PEM. Recipes of signing take their keys so too.
pub(super) fn one_field<'c>(node: &Node<'_>, cx: &'c Context<'_>) -> Option<(Template, &'c Field)> {
    let template = line_template(node, cx, Allowed::TLS)?;
    let Some(key) = template.only_field() else {
        node.wrong(format!("`{}` must be one field and nothing else, such as {{{{ field.certificate }}}}", node.path()));
        return None;
    };
    let field = cx.fields.iter().find(|field| field.key == key)?;
    if field.text != TextForm::Pem {
        node.wrong(format!("`{key}` must be `format = \"pem\"`, so that it is checked when it is stored"));
    }
    Some((template, field))
}

#[cfg(test)]
mod tests;
