//! What is said about certificates and keys when they are stored.

use super::FieldProblem;
use crate::model::{Field, Provider, Sign, Template, TextForm};
use crate::pem::{self, PemError};
use crate::scheme::{self, Kind};

type Wrong = (&'static str, String);

/// What is wrong with one value.
pub(super) fn wrong(provider: &Provider, field: &Field, value: &str) -> Option<Wrong> {
    if field.text != TextForm::Pem {
        return None;
    }
    let key = &field.key;
    if !field.secret && pem::holds_private_key(value) {
        let message = format!("`{key}` holds a private key, and it is not a secret field: whoever may read this service would see it");
        return Some(("value_error", message));
    }
    let is = |template: Option<&Template>| template.and_then(Template::only_field) == Some(key);
    let tls = provider.tls.as_ref();
    let checked = if is(tls.map(|tls| &tls.certificate)) {
        pem::certificates(value).map(drop)
    } else if is(tls.map(|tls| &tls.key)) {
        pem::private_key(value).map(drop)
    } else if is(tls.and_then(|tls| tls.roots.as_ref())) {
        pem::roots(value).map(drop)
    } else if let Some(kind) = signs_with(provider, key) {
        match kind {
            Kind::PrivateKey => pem::rsa_private_key(value).map(drop),
            Kind::PublicKey => pem::rsa_public_key(value).map(drop),
            Kind::Text => Ok(()),
        }
    } else {
        pem::check(value)
    };
    checked.err().map(|error| ("value_error", format!("`{key}` {error}")))
}

/// What a recipe of signing wants a field to be.
fn signs_with(provider: &Provider, key: &str) -> Option<Kind> {
    let schemes = provider.signs().filter_map(|sign| match sign {
        Sign::Scheme { name, parameters } => Some((scheme::find(name)?, parameters)),
        Sign::Lines(_) => None,
    });
    let mut wanted = schemes.flat_map(|(scheme, parameters)| {
        let is_this = |name: &str| parameters.get(name).and_then(Template::only_field) == Some(key);
        scheme.parameters().iter().filter(move |parameter| is_this(parameter.name)).map(|parameter| parameter.kind)
    });
    wanted.next()
}

/// Whether certificate and key go together. Each alone must be right before that can be asked.
pub(super) fn wrong_pair(provider: &Provider, values: &[(String, String)], problems: &[FieldProblem]) -> Option<FieldProblem> {
    let tls = provider.tls.as_ref()?;
    let (certificate, key) = (tls.certificate.only_field()?, tls.key.only_field()?);
    if problems.iter().any(|problem| [certificate, key].contains(&problem.key.as_str())) {
        return None;
    }
    let find = |name: &str| values.iter().enumerate().find(|(_, (key, value))| key == name && !value.is_empty());
    let lonely = |there: &str, absent: &str| FieldProblem {
        index: values.iter().position(|(key, _)| key == absent),
        key: absent.to_owned(),
        message: format!("`{absent}` is required where `{there}` has a value: a certificate and its key go together"),
        kind: "missing",
    };
    match (find(certificate), find(key)) {
        (None, None) => None,
        (Some(_), None) => Some(lonely(certificate, key)),
        (None, Some(_)) => Some(lonely(key, certificate)),
        (Some((first, (_, chain))), Some((second, (_, private)))) => {
            let fit = pem::certificates(chain).and_then(|chain| pem::pair(chain, pem::private_key(private)?));
            // Said of the one that was sent, where the other was stored before.
            let (index, named) = if first < second { (first, certificate) } else { (second, key) };
            fit.err().map(|error| FieldProblem {
                index: Some(index),
                key: named.to_owned(),
                message: told(error, certificate, key),
                kind: "value_error",
            })
        }
    }
}

fn told(error: PemError, certificate: &str, key: &str) -> String {
    match error {
        PemError::Mismatch => {
            format!("`{certificate}` and `{key}` do not belong together: the first certificate of `{certificate}` is for another key")
        }
        error => format!("`{certificate}` {error}"),
    }
}

#[cfg(test)]
mod tests;
