//! `[sign]` with `scheme`: a recipe that is part of the server, and what it takes.

use std::collections::BTreeMap;

use super::provider::Context;
use super::reader::{Node, shown};
use super::template::{Allowed, fields_of, line_template};
use super::tls::one_field;
use crate::model::{Sign, Template};
use crate::scheme::{self, Kind};

/// Reads the table of a recipe.
pub(super) fn read(node: &Node<'_>, cx: &Context<'_>) -> Option<Sign> {
    let table = node.table()?;
    let scheme = table.require("scheme")?;
    let name = scheme.text()?;
    let Some(found) = scheme::find(name) else {
        let names: Vec<&str> = scheme::names().collect();
        let message = format!("`{}` is no scheme of signing; there are: {}", shown(name), names.join(", "));
        cx.report.add_name(scheme.at(), message, name, names);
        // What it would take is not known, so no other key is a mistake.
        return None;
    };
    let mut parameters = BTreeMap::new();
    for parameter in found.parameters() {
        let node = if parameter.required { table.require(parameter.name) } else { table.get(parameter.name) };
        if let Some(template) = node.and_then(|node| value(&node, cx, parameter.kind)) {
            parameters.insert(parameter.name.to_owned(), template);
        }
    }
    table.finish();
    Some(Sign::Scheme { name: name.to_owned(), parameters })
}

fn value(node: &Node<'_>, cx: &Context<'_>, kind: Kind) -> Option<Template> {
    if kind == Kind::Text {
        let template = line_template(node, cx, Allowed::SET)?;
        for field in cx.fields.iter().filter(|field| field.secret && fields_of(&template).any(|key| key == field.key)) {
            node.wrong(format!("`{}` is secret, and what `{}` holds can be read in the request", field.key, node.path()));
        }
        return Some(template);
    }
    let (template, field) = one_field(node, cx)?;
    if kind == Kind::PrivateKey && !field.secret {
        node.wrong(format!("`{}` holds a private key and must be `secret = true`", field.key));
    }
    Some(template)
}

#[cfg(test)]
mod tests;
