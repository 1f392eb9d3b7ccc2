//! Small providers and values for the tests of this crate.

pub(crate) mod measured;

use std::sync::Arc;

use bytes::Bytes;
use domain::definition::{Definition, FieldFormat, Flow};
use domain::json::Pointer;
use domain::{DefinitionId, JsonObject, Secret};

use crate::caller::Attempt;
use crate::catalogue::Connector;
use crate::credentials::Credentials;
use crate::model::{
    AnswerShape, Auth, Body, Call, Choice, Field, Hosts, Method, Name, Part, Place, Provider, Record, RequestLine, Required, Success,
    Template, TextForm,
};
use crate::render::Filled;
use crate::template_fill::First;

/// A provider with one method, text fields of these keys (`secret…` are secret) and the two that every provider has.
pub(crate) fn provider(keys: &[&str]) -> Provider {
    let method = Method {
        key: "card".into(),
        definition_id: DefinitionId::parse("service-card").unwrap(),
        name: "Card".into(),
        code: None,
        method: "card".into(),
        flow: Flow::Card,
        currencies: vec![],
        countries: vec![],
        sessions: true,
    };
    Provider {
        id: "service".into(),
        name: "Service".into(),
        docs: None,
        checked: "docs 2026-11".into(),
        simulator_only: false,
        methods: vec![method],
        fields: keys.iter().chain(&["mode", "timeout_ms"]).map(|key| field(key)).collect(),
        hosts: Some(Hosts {
            sandbox: Choice::One(literal("https://sandbox.service.test/v1")),
            live: Choice::One(literal("https://live.service.test/v1")),
            suffix: vec![],
        }),
        auth: Choice::One(Auth::default()),
        tls: None,
        sign: None,
        session: None,
        second: None,
        verify: None,
        token: None,
        simulator: None,
        hash: "00000000".into(),
    }
}

fn field(key: &str) -> Field {
    Field {
        key: key.into(),
        label: key.into(),
        find: None,
        secret: key.starts_with("secret"),
        required: Required::Never,
        choices: vec![],
        default: None,
        pattern: None,
        prefix_sandbox: vec![],
        prefix_live: vec![],
        format: FieldFormat::Text,
        text: TextForm::Any,
        renamed_from: None,
    }
}

/// The definition of a provider's only method.
pub(crate) fn connector(provider: Provider) -> Arc<Connector> {
    let definition = Definition {
        id: DefinitionId::parse("service-card").unwrap(),
        provider: provider.id.clone(),
        display_name: "Service card".into(),
        method: "card".into(),
        flow: Flow::Card,
        fields: vec![],
        supported_currencies: vec![],
        supported_countries: vec![],
        supported_features: std::collections::BTreeMap::default(),
    };
    Arc::new(Connector { definition, provider: Arc::new(provider), method: 0 })
}

/// Opened values.
pub(crate) fn credentials(provider: &Provider, values: &[(&str, &str)]) -> Credentials {
    Credentials::for_provider(provider, values.iter().map(|(key, value)| ((*key).to_owned(), Secret::from(*value))))
}

/// What a request of an attempt is filled with at its own moment; neither a token nor a caller's body unless they are added.
pub(crate) fn filled<'a>(attempt: &'a Attempt, credentials: &'a Credentials) -> Filled<'a> {
    Filled { credentials, token: None, first: First::Never, attempt, now: attempt.now, body: None, written: None }
}

/// `POST /sessions`, JSON, nothing added.
pub(crate) fn call() -> Call {
    Call {
        request: Choice::One(RequestLine { method: http::Method::POST, path: literal("/sessions") }),
        hosts: None,
        auth: None,
        sign: None,
        headers: vec![],
        body: Body::default(),
        success: Success { statuses: vec![200], ..Success::default() },
        answer: AnswerShape::Whole,
        error_code: vec![],
        idempotency: None,
        private: vec![],
        withhold: vec![],
        record: Record::default(),
    }
}

/// A template without names.
pub(crate) fn literal(text: &str) -> Template {
    Template(vec![Part::Text(text.into())])
}

/// A template that is one field.
pub(crate) fn named(key: &str) -> Template {
    Template(vec![Part::Name(Name::Field(key.into()))])
}

/// A pointer.
pub(crate) fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

/// A place in the caller's body.
pub(crate) fn in_request(text: &str) -> Place {
    Place::Request(pointer(text))
}

/// A place in the answer.
pub(crate) fn in_answer(text: &str) -> Place {
    Place::Answer(pointer(text))
}

/// A JSON object.
pub(crate) fn object(text: &str) -> JsonObject {
    JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// Any JSON value, as deep and odd as the format allows.
pub(crate) fn any_json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        ".{0,12}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-c\\[\\]&=~/\"é ]{0,4}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The text of any JSON object, with repeated and escaped names, odd numbers, white space and halves of surrogate pairs.
pub(crate) fn any_object_text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let space = || prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
    let leaf = prop_oneof![
        Just("null"),
        Just("true"),
        Just("1.0"),
        Just("18446744073709551616"),
        Just("-1E+5"),
        Just("\"\""),
        Just("\"\\u0061\\\"}]\""),
        Just("\"\\ud800\""),
        Just("[]"),
        Just("{}"),
    ]
    .prop_map(str::to_owned);
    let name = prop_oneof![
        8 => Just("a"), 8 => Just("b"), 4 => Just("c"), 2 => Just("\\u0061"), 2 => Just("b[a]"), 1 => Just(""), 1 => Just("x/~y"), 1 => Just("\\ud800"),
    ];
    let object = move |value: BoxedStrategy<String>| {
        let member = (space(), name.clone(), space(), value, space());
        let member = member.prop_map(|(before, name, inside, value, behind)| format!("{before}\"{name}\"{inside}:{inside}{value}{behind}"));
        proptest::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")))
    };
    let value = leaf.prop_recursive(3, 24, 4, {
        let object = object.clone();
        move |inner| {
            let list = proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" ,")));
            prop_oneof![object(inner.boxed()), list]
        }
    });
    (space(), object(value.boxed()), space()).prop_map(|(before, object, behind)| format!("{before}{object}{behind}"))
}
