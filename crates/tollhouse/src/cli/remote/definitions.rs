//! `tollhouse payment-service-definitions …`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;
use serde_json::value::RawValue;
use tollhouse_client::{Answer, Method, Page, PaymentServiceDefinition, Request};

use super::connection::Connection;
use super::data::Data;
use super::failure::{Failure, code_of_session};
use super::output::{Format, print, print_answer};
use super::session::{self, Private, Repeat};
use super::sessions::{PageArgs, say_more};
use super::table::{of_members, of_rows, or_empty, some_of, yes_no};

const ROUTE: &str = "payment-service-definitions";

/// What can be done with definitions.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Create a session with the first active service of a definition: --data is the payment service's own request
    Session {
        /// The definition's id
        id: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// List definitions, all of them or those that have what is asked for
    List {
        #[command(flatten)]
        page: PageArgs,
        #[command(flatten)]
        filter: Filter,
    },
    /// Show a definition and its fields
    Get {
        /// The definition's id
        id: String,
    },
}

/// Which definitions. The server lists them all; what is asked for is picked out here.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only this payment method, such as ideal
    #[arg(long, conflicts_with = "cursor")]
    method: Option<String>,
    /// Only those that take this currency (ISO 4217)
    #[arg(long, value_name = "CODE", conflicts_with = "cursor")]
    currency: Option<String>,
    /// Only those for buyers in this country (ISO 3166-1 alpha-2)
    #[arg(long, value_name = "CODE", conflicts_with = "cursor")]
    country: Option<String>,
    /// Only those that create sessions
    #[arg(long, conflicts_with = "cursor")]
    sessions: bool,
}

/// Carries out one of them.
pub(crate) async fn run(connection: &Connection, action: Action) -> Result<ExitCode, Failure> {
    let format = connection.format();
    match action {
        Action::Session { id, data, repeat } => {
            let body = data.read()?;
            let mut request = repeat.name(Request::new(Method::POST, [ROUTE, &id, "sessions"]).json(&body)?);
            // This route declares no merchant account, so it goes along only when somebody asks for one.
            if let Some(account) = &connection.merchant_account {
                request = request.for_account(account);
            }
            let answer = connection.client()?.send(&request).await?;
            return Ok(code_of_session(session::show(&answer, format, |succeeded| Private::of_definition(&id, succeeded))?));
        }
        Action::List { page, filter } if filter.is_set() => {
            let found = filter.pick(connection, page.limit()).await?;
            match format {
                // A list that was picked out has no pages of its own.
                Format::Json => {
                    print(&format!("{{\"items\":[{}]}}", found.iter().map(|(raw, _)| raw.get()).collect::<Vec<_>>().join(",")))?
                }
                Format::Table => print(&table(found.into_iter().map(|(_, definition)| definition)))?,
            }
        }
        Action::List { page, filter: _ } => {
            let answer = connection.client()?.send(&page.apply(Request::new(Method::GET, [ROUTE]))).await?;
            show_page(&answer, format)?;
        }
        Action::Get { id } => {
            let answer = connection.client()?.send(&Request::new(Method::GET, [ROUTE, &id])).await?;
            show(&answer, format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

// === impl Filter ===

/// The most that one page may hold.
const PAGE: u32 = 100;

/// A definition as the server has written it, and as it is read.
type Both = (Box<RawValue>, PaymentServiceDefinition);

impl Filter {
    fn is_set(&self) -> bool {
        self.method.is_some() || self.currency.is_some() || self.country.is_some() || self.sessions
    }

    /// The definitions that fit.
    async fn pick(&self, connection: &Connection, limit: Option<u32>) -> Result<Vec<Both>, Failure> {
        let client = connection.client()?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = Request::new(Method::GET, [ROUTE]).query("limit", [PAGE]).query("cursor", cursor.as_ref());
            let answer = client.send(&request).await?;
            let raw: Page<Box<RawValue>> = answer.json()?;
            let page: Page<PaymentServiceDefinition> = answer.json()?;
            found.extend(raw.items.into_iter().zip(page.items).filter(|(_, definition)| self.fits(definition)));
            // A server that repeats itself would be asked for ever.
            if found.len() >= limit || page.next_cursor.is_none() || page.next_cursor == cursor {
                found.truncate(limit);
                return Ok(found);
            }
            cursor = page.next_cursor;
        }
    }

    /// An empty list of currencies or countries means all of them.
    fn fits(&self, definition: &PaymentServiceDefinition) -> bool {
        let takes = |asked: &Option<String>, codes: &[String]| {
            asked.as_ref().is_none_or(|asked| codes.is_empty() || codes.iter().any(|code| code.eq_ignore_ascii_case(asked)))
        };
        self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&definition.method))
            && takes(&self.currency, &definition.supported_currencies)
            && takes(&self.country, &definition.supported_countries)
            && (!self.sessions || creates_sessions(definition))
    }
}

fn creates_sessions(definition: &PaymentServiceDefinition) -> bool {
    definition.supported_features.get("create_session").and_then(Value::as_bool).unwrap_or_default()
}

fn show_page(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            let page: Page<PaymentServiceDefinition> = answer.json()?;
            print(&table(page.items))?;
            say_more(page.next_cursor.as_deref())?;
        }
    }
    Ok(())
}

fn table(definitions: impl IntoIterator<Item = PaymentServiceDefinition>) -> String {
    let rows = definitions.into_iter().map(|definition| {
        let sessions = yes_no(creates_sessions(&definition));
        vec![
            definition.id,
            definition.display_name,
            definition.method,
            sessions,
            all_or_some(&definition.supported_currencies),
            all_or_some(&definition.supported_countries),
        ]
    });
    of_rows(&["ID", "NAME", "METHOD", "SESSIONS", "CURRENCIES", "COUNTRIES"], rows)
}

fn all_or_some(codes: &[String]) -> String {
    if codes.is_empty() { "all".to_owned() } else { some_of(codes) }
}

fn show(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            let definition: PaymentServiceDefinition = answer.json()?;
            let sessions = yes_no(creates_sessions(&definition));
            print(&of_members([
                ("id", definition.id),
                ("display_name", definition.display_name),
                ("method", definition.method),
                ("mode", or_empty(definition.mode)),
                ("sessions", sessions),
                ("currencies", all_or_some(&definition.supported_currencies)),
                ("countries", all_or_some(&definition.supported_countries)),
            ]))?;
            let rows = definition
                .fields
                .into_iter()
                .map(|field| vec![field.key, field.display_name, yes_no(field.required), yes_no(field.secret), field.format.to_string()]);
            print(&of_rows(&["FIELD", "NAME", "REQUIRED", "SECRET", "FORMAT"], rows))?;
        }
    }
    Ok(())
}
