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
    pub auth: Choice<Auth>,
    /// The client certificate of every call.
    pub tls: Option<Tls>,
    /// How every call is signed that names a line of it, unless the call says otherwise.
    pub sign: Option<Sign>,
    /// Creates a session. Absent: the provider creates none.
    pub session: Option<Call>,
    /// The second step of creating a session, made when the first was a success.
    pub second: Option<Call>,
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
    /// What the text must be.
    pub text: TextForm,
    /// A former key whose stored values are carried over.
    pub renamed_from: Option<String>,
}

/// What the value of a text field must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextForm {
    /// Anything.
    #[default]
    Any,
    /// Standard base64.
    Base64,
    /// One or more PEM blocks; a private key is not encrypted.
    Pem,
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
    /// `attempt.id`, `attempt.hex32`, `attempt.upper32`: the id of the session.
    Attempt(AttemptForm),
    /// `sign.x`: a line of `[sign]`.
    Sign(String),
    /// `first /pointer`: the answer of the session call, for the second one.
    First(Pointer),
    /// `request /pointer`: the value in the caller's body, as written. Simulators only.
    Request(Pointer),
    /// `sim.uuid`, `sim.text14`, …: made up by the simulator.
    Sim(SimValue),
}

/// How the id of an attempt is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptForm {
    /// 36 characters, lower case, with dashes.
    Id,
    /// 32 hexadecimal digits, lower case.
    Hex32,
    /// 32 hexadecimal digits, upper case.
    Upper32,
}

/// How requests are signed.
#[derive(Clone, Debug)]
pub enum Sign {
    /// Named lines, in the order of the file.
    Lines(Vec<SignLine>),
    /// A recipe of the server's own, with what the file fills in, by name.
    Scheme {
        /// The scheme's name.
        name: String,
        /// Its parameters.
        parameters: BTreeMap<String, Template>,
    },
}

/// One line of `[sign]`.
#[derive(Clone, Debug)]
pub struct SignLine {
    /// `sign.<name>`.
    pub name: String,
    /// What it is made of.
    pub parts: Vec<SignPart>,
    /// Whether it needs the bytes that are sent, directly or by another line; such a line can not go into the body.
    pub needs_sent: bool,
}

/// One part of a [`SignLine`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignPart {
    /// As written.
    Text(String),
    /// A value and what is done to it, in order.
    Value(SignValue, Vec<SignFunction>),
}

/// What a line of `[sign]` begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignValue {
    /// A name that calls know too: a field, the method's code, the token, the attempt, or an earlier line.
    Name(Name),
    /// `now`; a function for time follows.
    Now,
    /// `sent.body`: the bytes of the body.
    SentBody,
    /// `sent.host`.
    SentHost,
    /// `sent.path`: the path with its query.
    SentPath,
    /// `sent /pointer`: a member of the body that is sent.
    SentMember(Pointer),
}

/// What may be done to a value in `[sign]`; the list is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignFunction {
    /// SHA-256: bytes.
    Sha256,
    /// HMAC with SHA-256, the key being an earlier line: bytes.
    HmacSha256(String),
    /// Standard base64: text.
    Base64,
    /// The bytes of standard base64.
    FromBase64,
    /// Lower-case hexadecimal: text.
    Hex,
    /// `Thu, 26 Nov 2026 10:00:00 GMT` (RFC 9110).
    HttpDate,
    /// `2026-11-26T10:00:00.000Z`.
    Iso8601,
    /// `20261126100000`, in UTC.
    Compact,
}

/// The client certificate of a provider. Each template is one field.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM: the chain, own certificate first.
    pub certificate: Template,
    /// PEM: the private key.
    pub key: Template,
    /// PEM: the only roots that are trusted; without a value those of the system.
    pub roots: Option<Template>,
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
    /// `sim.jwt`: a JSON Web Token that nobody has signed.
    Jwt,
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
    /// Where it is called, instead of the provider's hosts.
    pub hosts: Option<Hosts>,
    /// Instead of the provider's.
    pub auth: Option<Choice<Auth>>,
    /// Instead of the provider's.
    pub sign: Option<Sign>,
    /// Beside those of `auth`.
    pub headers: Vec<(HeaderName, Template)>,
    /// What becomes of the caller's body.
    pub body: Body,
    /// When the service says yes.
    pub success: Success,
    /// What the caller gets of a success.
    pub answer: AnswerShape,
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

/// What the caller gets of a success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnswerShape {
    /// The service's own object.
    #[default]
    Whole,
    /// The object at a pointer of it.
    Pick(Pointer),
    /// A text, as the only member of an object.
    TextAs {
        /// The member's name.
        member: String,
        /// The media type that the answer must have.
        content: String,
    },
    /// An object of what stands at these places.
    Build(Vec<(String, Vec<Place>)>),
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
    /// `answer key /pointer`: the name of the first member of the object there.
    AnswerKey(Pointer),
    /// `answer header name`.
    AnswerHeader(HeaderName),
}

/// How a payment service recognises a repeated request.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// Where it stands in the request.
    pub at: IdempotencyPlace,
    /// How long the service remembers, hours.
    pub hours: u32,
}

/// Where the id stands that a payment service recognises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdempotencyPlace {
    /// A header that carries the attempt's id.
    Header(HeaderName),
    /// A member of the body that carries the attempt's id where the caller has put nothing there.
    Body(Pointer),
    /// The path, which names the attempt.
    Path,
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
    /// Headers of a success.
    pub answer_headers: Vec<(HeaderName, Template)>,
    /// How the second step is played.
    pub second: Option<SecondStep>,
    /// What a refusal is answered with, by status; the status of a missing member is the first that is not 401.
    pub refuse: BTreeMap<u16, Template>,
    /// `refuse.credentials`: for a service that refuses credentials in the body of a success status; answered with the first success status, and instead of 401.
    pub refuse_credentials: Option<Template>,
    /// The method that a first run configures a service of.
    pub first_run: Option<String>,
}

/// How the second step of a session is played.
#[derive(Clone, Debug)]
pub struct SecondStep {
    /// Members that the body of the second step must have.
    pub requires: Vec<Pointer>,
    /// What it is answered with.
    pub answer: Template,
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

// === every template of a call ===

impl Provider {
    /// How a call proves who asks.
    pub fn auth_of<'a>(&'a self, call: &'a Call) -> &'a Choice<Auth> {
        call.auth.as_ref().unwrap_or(&self.auth)
    }

    /// Every `sign` of the file.
    pub fn signs(&self) -> impl Iterator<Item = &Sign> {
        let verify = self.verify.as_ref().and_then(|verify| match verify {
            Verify::Call(call) => Some(call.as_ref()),
            Verify::Token => None,
        });
        let calls = [self.session.as_ref(), self.second.as_ref(), verify, self.token.as_ref().map(|token| &token.call)];
        self.sign.iter().chain(calls.into_iter().flatten().filter_map(|call| call.sign.as_ref()))
    }

    /// How a call is signed, if any of its templates names a line or a scheme signs everything.
    pub fn sign_of<'a>(&'a self, call: &'a Call) -> Option<&'a Sign> {
        let sign = call.sign.as_ref().or(self.sign.as_ref())?;
        match sign {
            Sign::Scheme { .. } => Some(sign),
            Sign::Lines(_) => self.templates(call).into_iter().any(Template::names_sign).then_some(sign),
        }
    }

    /// The templates that make one request of a call: in tables with `by` those of the picked lines only.
    pub fn picked_templates<'a, 'v>(
        &'a self,
        call: &'a Call,
        method: &Method,
        field: impl Fn(&str) -> Option<&'v str>,
    ) -> Vec<&'a Template> {
        let auth = self.auth_of(call).pick(&method.key, &field);
        let mut templates: Vec<&Template> = auth.into_iter().flat_map(Auth::templates).collect();
        templates.extend(call.headers.iter().map(|(_, template)| template));
        templates.extend(call.request.pick(&method.key, &field).map(|line| &line.path));
        call.body.default.iter().chain(&call.body.set).for_each(|(_, template)| template.collect(&mut templates));
        templates
    }

    /// Every template of a call but those of hosts and of `[sign]`: those of all lines where a table picks one.
    pub fn templates<'a>(&'a self, call: &'a Call) -> Vec<&'a Template> {
        let auth = self.auth_of(call).all().into_iter().flat_map(Auth::templates);
        auth.chain(call.templates()).collect()
    }

    /// Every name of a call, those of its signature and of the client certificate included.
    pub fn names<'a>(&'a self, call: &'a Call) -> Vec<&'a Name> {
        let tls = self.tls.iter().flat_map(|tls| [Some(&tls.certificate), Some(&tls.key), tls.roots.as_ref()]).flatten();
        let mut names: Vec<&Name> = self.templates(call).into_iter().chain(tls).flat_map(Template::names).collect();
        match self.sign_of(call) {
            Some(Sign::Lines(lines)) => names.extend(lines.iter().flat_map(SignLine::names)),
            Some(Sign::Scheme { parameters, .. }) => names.extend(parameters.values().flat_map(Template::names)),
            None => {}
        }
        names
    }
}

impl Call {
    /// Every template of its request line, headers and body.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        let mut templates: Vec<&Template> = self.headers.iter().map(|(_, template)| template).collect();
        templates.extend(self.request.all().into_iter().map(|line| &line.path));
        self.body.default.iter().chain(&self.body.set).for_each(|(_, template)| template.collect(&mut templates));
        templates
    }

    /// What it takes from the answer of the call before.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = &Pointer> {
        self.templates().into_iter().flat_map(Template::names).filter_map(|name| match name {
            Name::First(pointer) => Some(pointer),
            _ => None,
        })
    }
}

impl Auth {
    /// Every template of it, whichever way it proves who asks: user and password, token, headers.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let basic = self.basic.iter().flat_map(|(user, password)| [user, password]);
        basic.chain(&self.bearer).chain(self.headers.iter().map(|(_, template)| template))
    }
}

impl JsonTemplate {
    /// Whether a line of `[sign]` is named anywhere in it: such a member is written when everything else is.
    pub(crate) fn names_sign(&self) -> bool {
        let mut templates = Vec::new();
        self.collect(&mut templates);
        templates.into_iter().any(Template::names_sign)
    }

    /// Whether it can be filled in before there is a request.
    pub(crate) fn names_only_what_is_stored(&self) -> bool {
        let mut templates = Vec::new();
        self.collect(&mut templates);
        templates.into_iter().flat_map(Template::names).all(|name| matches!(name, Name::Field(_) | Name::MethodCode))
    }

    fn collect<'a>(&'a self, templates: &mut Vec<&'a Template>) {
        match self {
            Self::Text(text) => templates.push(text),
            Self::List(items) => items.iter().for_each(|item| item.collect(templates)),
            Self::Object(members) => members.iter().for_each(|(_, member)| member.collect(templates)),
            Self::Literal(_) => {}
        }
    }
}

impl Template {
    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Name(name) => Some(name),
        })
    }

    /// The field whose value is all of it; `None` where it is anything else.
    pub fn only_field(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Name(Name::Field(key))] => Some(key),
            _ => None,
        }
    }

    fn names_sign(&self) -> bool {
        self.names().any(|name| matches!(name, Name::Sign(_)))
    }
}

impl SignLine {
    /// The names of earlier lines in it, those of keys included.
    pub(crate) fn lines_named(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| {
            let (value, functions) = match part {
                SignPart::Text(_) => (None, &[][..]),
                SignPart::Value(value, functions) => (Some(value), functions.as_slice()),
            };
            let direct = value.and_then(|value| if let SignValue::Name(Name::Sign(line)) = value { Some(line.as_str()) } else { None });
            let keys = functions.iter().filter_map(|f| if let SignFunction::HmacSha256(key) = f { Some(key.as_str()) } else { None });
            direct.into_iter().chain(keys)
        })
    }

    /// The names that its values begin with.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|part| match part {
            SignPart::Value(SignValue::Name(name), _) => Some(name),
            SignPart::Text(_) | SignPart::Value(..) => None,
        })
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
