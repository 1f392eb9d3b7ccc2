//! `tollhouse sessions …`: the records of past sessions.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tollhouse_client::{Answer, Method, Page, PaymentServiceSessionRecord, Request};
use uuid::Uuid;

use super::connection::Connection;
use super::failure::Failure;
use super::output::{Format, print, print_answer, say};
use super::table::{of_members, of_rows, or_empty, plain, yes_no};

const ROUTE: &str = "payment-service-sessions";

/// Which page of a list.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// How many, 1 to 100
    #[arg(long)]
    limit: Option<u32>,
    /// Where to go on, as the page before says
    #[arg(long)]
    cursor: Option<String>,
}

/// Which records. A filter that is given more than once means any of its values.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only this payment service
    #[arg(long, value_name = "ID")]
    payment_service: Vec<Uuid>,
    /// Only this definition
    #[arg(long, value_name = "ID")]
    definition: Vec<String>,
    /// Only this reference of the merchant's
    #[arg(long)]
    reference: Vec<String>,
    /// Only this id of the payment service's
    #[arg(long, value_name = "ID")]
    service_session: Vec<String>,
    /// Only this id of the payment service's support
    #[arg(long, value_name = "ID")]
    support: Vec<String>,
    /// Only this request (the x-request-id of its answer)
    #[arg(long, value_name = "ID")]
    request: Vec<String>,
    /// Only those that ended so: succeeded or failed
    #[arg(long)]
    status: Vec<String>,
    /// Only those that failed so, such as SERVICE_NETWORK_ERROR
    #[arg(long)]
    code: Vec<String>,
    /// Not before this moment (RFC 3339 with a zone)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this moment (RFC 3339 with a zone)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// What can be done with records.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List past sessions, newest first
    List {
        #[command(flatten)]
        page: PageArgs,
        #[command(flatten)]
        filter: Box<Filter>,
    },
    /// Show the record of a session
    Get {
        /// The record's id
        id: Uuid,
    },
}

/// Carries out one of them.
pub(crate) async fn run(connection: &Connection, action: Action) -> Result<ExitCode, Failure> {
    let format = connection.format();
    match action {
        Action::List { page, filter } => {
            let answer = connection.client()?.send(&page.apply(filter.request())).await?;
            show_page(&answer, format)?;
        }
        Action::Get { id } => {
            let request = Request::new(Method::GET, [ROUTE, &id.to_string()]).for_client_account();
            let answer = connection.client()?.send(&request).await?;
            match format {
                Format::Json => print_answer(&answer)?,
                Format::Table => print(&table(answer.json()?))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

// === impl PageArgs ===

impl PageArgs {
    /// Adds the page to a request.
    pub(crate) fn apply(&self, request: Request) -> Request {
        request.query("limit", self.limit).query("cursor", self.cursor.as_ref())
    }

    /// How many were asked for.
    pub(crate) fn limit(&self) -> Option<u32> {
        self.limit
    }
}

// === impl Filter ===

impl Filter {
    fn request(&self) -> Request {
        Request::new(Method::GET, [ROUTE])
            .for_client_account()
            .query("payment_service_id", &self.payment_service)
            .query("payment_service_definition_id", &self.definition)
            .query("reference", &self.reference)
            .query("service_session_id", &self.service_session)
            .query("support_id", &self.support)
            .query("request_id", &self.request)
            .query("status", &self.status)
            .query("code", &self.code)
            .query("created_at_gte", self.since.as_ref())
            .query("created_at_lte", self.until.as_ref())
    }
}

/// Tells how to see the next page, if there is one.
pub(crate) fn say_more(next_cursor: Option<&str>) -> Result<(), Failure> {
    match next_cursor {
        Some(cursor) => Ok(say(&format!("More: --cursor {}", plain(cursor)))?),
        None => Ok(()),
    }
}

fn show_page(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            let page: Page<PaymentServiceSessionRecord> = answer.json()?;
            let rows = page.items.into_iter().map(|record| {
                vec![
                    record.id.to_string(),
                    // To the second: the rest is in the record itself.
                    record.created_at.chars().take(19).collect(),
                    record.payment_service_definition_id,
                    record.status.to_string(),
                    or_empty(record.code),
                    or_empty(record.status_code),
                    or_empty(record.reference),
                    or_empty(record.duration_ms),
                ]
            });
            print(&of_rows(&["ID", "CREATED", "DEFINITION", "STATUS", "CODE", "HTTP", "REFERENCE", "MS"], rows))?;
            say_more(page.next_cursor.as_deref())?;
        }
    }
    Ok(())
}

fn table(record: PaymentServiceSessionRecord) -> String {
    of_members([
        ("id", record.id.to_string()),
        ("request_id", or_empty(record.request_id)),
        ("merchant_account", record.merchant_account_id),
        ("payment_service", record.payment_service_id.to_string()),
        ("definition", record.payment_service_definition_id),
        ("status", record.status.to_string()),
        ("code", or_empty(record.code)),
        ("status_code", or_empty(record.status_code)),
        ("service_code", or_empty(record.service_code)),
        ("outcome_known", record.outcome_known.map(yes_no).unwrap_or_default()),
        ("amount", or_empty(record.amount)),
        ("currency", or_empty(record.currency)),
        ("country", or_empty(record.country)),
        ("reference", or_empty(record.reference)),
        ("service_session_id", or_empty(record.service_session_id)),
        ("support_id", or_empty(record.support_id)),
        ("duration_ms", or_empty(record.duration_ms)),
        ("service_duration_ms", or_empty(record.service_duration_ms)),
        ("created_at", record.created_at),
    ])
}
