//! A definition file, parsed and checked: what `format` makes and what rendering, classifying and the simulators read.
//!
//! Everything here is data without behaviour. Names follow `docs/definition-format.md`.

use std::collections::BTreeMap;

use domain::definition::{FieldFormat, Flow};
use domain::json::Pointer;
use domain::session::SessionCode;
use domain::{CountryCode, CurrencyCode, DefinitionId};
use http::{HeaderName, Method as HttpMethod};

/// One definition file: a payment service with all its methods.
#[derive(Clone, Debug)]
pub struct Provider {
    /// `id` of the file, such as the name of the payment service.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where the service documents its session call.
    pub docs: Option<String>,
    /// What was checked and when: `docs 2026-11`, `openapi 2026-08`, `sandbox 2027-01`.
    pub checked: String,
    /// Whether it exists only where simulators are enabled.
    pub simulator_only: bool,
    /// In the order of the file.
    pub methods: Vec<Method>,
    /// In the order of the file, the two that every file has (`mode`, `timeout_ms`) last.
    pub fields: Vec<Field>,
    /// Where it lives; `None` for a provider that is only simulated.
    pub hosts: Option<Hosts>,
    /// How every call proves who asks, unless the call says otherwise.
    pub auth: Auth,
    /// Creates a session. Absent: the provider creates none.
    pub session: Option<Call>,
    /// Proves credentials without moving money.
    pub verify: Option<Verify>,
    /// Fetches the token that `{{ token }}` means.
    pub token: Option<TokenCall>,
    /// How it is played offline.
    pub simulator: Option<Simulator>,
    /// First 8 hexadecimal characters of the file's SHA-256.
    pub hash: String,
}

/// One payment method of a provider: one definition of the catalogue.
#[derive(Clone, Debug)]
pub struct Method {
    /// The key in `[methods]`.
    pub key: String,
    /// `<provider>-<key>` unless the file says otherwise.
    pub definition_id: DefinitionId,
    /// For people.
    pub name: String,
    /// What the payment service calls it; `{{ method.code }}`.
    pub code: Option<String>,
    /// The API's word: the key, unless the file says `method`.
    pub method: String,
    /// `card` for the method `card`, else `redirect`, unless the file says `flow`.
    pub flow: Flow,
    /// All active ones where the file names none.
    pub currencies: Vec<CurrencyCode>,
    /// All where the file names none.
    pub countries: Vec<CountryCode>,
    /// Whether a session can be created with it.
    pub sessions: bool,
}

/// One field of `[fields]`.
#[derive(Clone, Debug)]
pub struct Field {
    /// The wire's `key`.
    pub key: String,
    /// The wire's `display_name`.
    pub label: String,
    /// Where a merchant finds the value.
    pub find: Option<String>,
    /// Never comes back.
    pub secret: bool,
    /// When it must be there.
    pub required: Required,
    /// The values that are allowed; empty: any.
    pub choices: Vec<String>,
    /// Used where nothing is stored.
    pub default: Option<String>,
    /// The whole value must match.
    pub pattern: Option<regex::Regex>,
    /// How a value of each environment begins; empty: anyhow.
    pub prefix_sandbox: Vec<String>,
    /// How a value of the live environment begins; empty: anyhow.
    pub prefix_live: Vec<String>,
    /// The kind of input.
    pub format: FieldFormat,
    /// The value must be standard base64.
    pub base64: bool,
    /// A former key whose stored values are carried over.
    pub renamed_from: Option<String>,
}

/// When a field must have a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// Always.
    Always,
    /// Only when `mode` is `live`; the wire's `required` is false.
    Live,
    /// Never.
    Never,
}

/// A value, or a table with `by` that picks one (rule 4 of the format).
#[derive(Clone, Debug)]
pub enum Choice<T> {
    /// The same for everybody.
    One(T),
    /// Picked by a stored field's value or by the method's key.
    By {
        /// What picks.
        selector: Selector,
        /// Value to line.
        cases: BTreeMap<String, T>,
        /// `else`.
        otherwise: Option<T>,
    },
}

/// What picks a line of a table with `by`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The key of the method.
    Method,
    /// The stored value of a field, one of its `choices`.
    Field(String),
}

/// Where a provider lives.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Scheme, host and version prefix of the sandbox.
    pub sandbox: Choice<Template>,
    /// Scheme, host and version prefix for real money.
    pub live: Choice<Template>,
    /// Every templated host ends in one of these, on a label boundary. Empty where all hosts are literal.
    pub suffix: Vec<String>,
}

/// Text with `{{ name }}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

/// One part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As written.
    Text(String),
    /// A value to fill in.
    Name(Name),
}

/// What may stand between the braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `field.x`: a stored credential or its default.
    Field(String),
    /// `method.code`.
    MethodCode,
    /// `token`: what the token call answered.
    Token,
    /// `request /pointer`: the value in the caller's body, as written. Simulators only.
    Request(Pointer),
    /// `sim.uuid`, `sim.text14`, …: made up by the simulator.
    Sim(SimValue),
}

/// What a simulator makes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimValue {
    /// `sim.uuid`: a UUID.
    Uuid,
    /// `sim.textN`: N letters and digits.
    Text(usize),
    /// `sim.upperN`: N upper-case letters and digits.
    Upper(usize),
    /// `sim.hexN`: N hexadecimal digits.
    Hex(usize),
    /// `sim.page`: the address of a page of the simulator.
    Page,
    /// `sim.missing`: the pointer of the first required member that is not there, in dots (`amount.value`).
    Missing,
    /// `sim.time`: now plus one hour, RFC 3339.
    Time,
}

/// How a call proves who asks.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// `Authorization: Basic`, of user and password.
    pub basic: Option<(Template, Template)>,
    /// `Authorization: Bearer`.
    pub bearer: Option<Template>,
    /// Any header. One whose template names an absent optional value is left out.
    pub headers: Vec<(HeaderName, Template)>,
}

/// Method and path of a call: `POST /v1/sessions`. The path follows the base.
#[derive(Clone, Debug)]
pub struct RequestLine {
    /// The HTTP method.
    pub method: HttpMethod,
    /// Begins with a slash; values filled in are percent-encoded as one segment.
    pub path: Template,
}

/// One HTTP request to a payment service and how its answer is read.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub request: Choice<RequestLine>,
    /// Instead of the provider's.
    pub auth: Option<Auth>,
    /// Beside those of `auth`.
    pub headers: Vec<(HeaderName, Template)>,
    /// What becomes of the caller's body.
    pub body: Body,
    /// When the service says yes.
    pub success: Success,
    /// The service's own code of a failure: kept in the record, never on the wire.
    pub error_code: Vec<Place>,
    /// How the service recognises a repeated request.
    pub idempotency: Option<Idempotency>,
    /// Members of the answer that reach the caller and are never kept or shown.
    pub private: Vec<Pointer>,
    /// Members of the answer that do not reach the caller either.
    pub withhold: Vec<Pointer>,
    /// The places of everything that is kept.
    pub record: Record,
}

/// What becomes of the caller's body on its way out. Order: refuse, remove, wrap, default, set.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// How it is written.
    pub encoding: Encoding,
    /// A request with this member is 400, with the reason.
    pub refuse: Vec<(Pointer, String)>,
    /// Members that are taken out.
    pub remove: Vec<Pointer>,
    /// A JSON text that takes the caller's body in at a pointer.
    pub wrap: Option<(String, Pointer)>,
    /// Added where the caller's body has none. Pointers are those of the finished body.
    pub default: Vec<(Pointer, JsonTemplate)>,
    /// Added or overwritten. Pointers are those of the finished body.
    pub set: Vec<(Pointer, JsonTemplate)>,
    /// Sent instead of the caller's body; for calls that have no caller.
    pub constant: Option<String>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// The caller's JSON, byte for byte apart from the edits.
    #[default]
    Json,
    /// `a=1&b=2`; values must be scalars.
    Form,
    /// `a[b]=1&a[0]=x`.
    FormBrackets,
}

/// A JSON value whose strings are templates. A string that names an absent optional value makes the whole value absent.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTemplate {
    /// A string with or without names in it.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object, in order.
    Object(Vec<(String, JsonTemplate)>),
    /// Number, boolean or null, as JSON text.
    Literal(String),
}

/// When a payment service says yes.
#[derive(Clone, Debug, Default)]
pub struct Success {
    /// The statuses that mean yes.
    pub statuses: Vec<u16>,
    /// Members that a yes does not have (or has as null or as an empty list).
    pub absent: Vec<Pointer>,
    /// Members that a yes has with exactly this JSON value.
    pub equals: Vec<(Pointer, serde_json::Value)>,
    /// Where a no at a success status says why, and which of our codes that is; `UNKNOWN_ERROR` where nothing matches.
    pub refusal: Option<Refusal>,
}

/// How a no in the body of a success status is read.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Where the service's word stands.
    pub at: Vec<Place>,
    /// The service's word to our code.
    pub codes: BTreeMap<String, SessionCode>,
}

/// Where a value stands (rule 3 of the format).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `request /pointer`: in the caller's body as it came.
    Request(Pointer),
    /// `answer /pointer`: in the service's answer.
    Answer(Pointer),
    /// `answer header name`.
    AnswerHeader(HeaderName),
}

/// How a payment service recognises a repeated request.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The header that carries the attempt's id.
    pub header: HeaderName,
    /// How long the service remembers, hours.
    pub hours: u32,
}

/// The places of what is kept. Of several places the first that is there counts.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The amount.
    pub amount: Vec<Place>,
    /// Whether amounts are written in major units (`10.00`) instead of minor ones.
    pub amount_in_major_units: bool,
    /// ISO 4217 in any case.
    pub currency: Vec<Place>,
    /// ISO 3166-1 alpha-2 in any case.
    pub country: Vec<Place>,
    /// The merchant's reference.
    pub reference: Vec<Place>,
    /// The service's id of what it created.
    pub service_id: Vec<Place>,
    /// What the service's support asks for.
    pub support_id: Vec<Place>,
}

/// How credentials are proved.
#[derive(Clone, Debug)]
pub enum Verify {
    /// By a call of its own; `success` says which answers prove them.
    Call(Box<Call>),
    /// By the token call.
    Token,
}

/// The call that fetches a token.
#[derive(Clone, Debug)]
pub struct TokenCall {
    /// The request; `success` defaults to 200 and 201.
    pub call: Call,
    /// Where the token stands.
    pub token: Vec<Place>,
    /// Where its lifetime stands: seconds as number or string, or a moment in RFC 3339.
    pub expires: Vec<Place>,
}

/// How a provider is played offline.
#[derive(Clone, Debug)]
pub struct Simulator {
    /// Members that the sent body (as JSON, before form encoding) must have.
    pub requires: Choice<Vec<Pointer>>,
    /// A body that works, the same or one per method: see [`Simulator::example_of`].
    pub example: Choice<String>,
    /// What a success is answered with, the same or one per method: see [`Simulator::answer_of`].
    pub answer: Choice<Template>,
    /// What a refusal is answered with, by status; the status of a missing member is the first that is not 401.
    pub refuse: BTreeMap<u16, Template>,
    /// `refuse.credentials`: for a service that refuses credentials in the body of a success status; answered with the first success status, and instead of 401.
    pub refuse_credentials: Option<Template>,
    /// The method that a first run configures a service of.
    pub first_run: Option<String>,
}

// === impl Choice ===

impl<T> Choice<T> {
    /// The line for a method and the stored fields; `None` where the table has no line for it.
    pub fn pick<'a>(&self, method: &str, field: impl Fn(&str) -> Option<&'a str>) -> Option<&T> {
        match self {
            Self::One(value) => Some(value),
            Self::By { selector, cases, otherwise } => {
                let key = match selector {
                    Selector::Method => Some(method),
                    Selector::Field(name) => field(name),
                };
                key.and_then(|key| cases.get(key)).or(otherwise.as_ref())
            }
        }
    }

    /// Every line of the table.
    pub fn all(&self) -> Vec<&T> {
        match self {
            Self::One(value) => vec![value],
            Self::By { cases, otherwise, .. } => cases.values().chain(otherwise).collect(),
        }
    }
}

// === impl Simulator ===

impl Simulator {
    /// The body that works for a method. Reading the file made sure that every method has one.
    pub fn example_of(&self, method: &str) -> Option<&str> {
        self.example.pick(method, |_| None).map(String::as_str)
    }

    /// What a success is answered with for a method. Reading the file made sure that every method has one.
    pub fn answer_of(&self, method: &str) -> Option<&Template> {
        self.answer.pick(method, |_| None)
    }
}
