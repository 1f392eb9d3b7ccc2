//! `tollhouse payment-service-definitions …`

use std::process::ExitCode;

use clap::Subcommand;
use tollhouse_client::{Answer, Method, Page, PaymentServiceDefinition, Request};

use super::connection::Connection;
use super::data::Data;
use super::failure::{Failure, code_of_session};
use super::output::{Format, print, print_answer};
use super::session::{self, Private};
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
    },
    /// List definitions
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a definition and its fields
    Get {
        /// The definition's id
        id: String,
    },
}

/// Carries out one of them.
pub(crate) async fn run(connection: &Connection, action: Action) -> Result<ExitCode, Failure> {
    let format = connection.format();
    match action {
        Action::Session { id, data } => {
            let body = data.read()?;
            let mut request = Request::new(Method::POST, [ROUTE, &id, "sessions"]).json(&body)?;
            // This route declares no merchant account, so it goes along only when somebody asks for one.
            if let Some(account) = &connection.merchant_account {
                request = request.for_account(account);
            }
            let answer = connection.client()?.send(&request).await?;
            return Ok(code_of_session(session::show(&answer, format, |succeeded| Private::of_definition(&id, succeeded))?));
        }
        Action::List { page } => {
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

fn show_page(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            let page: Page<PaymentServiceDefinition> = answer.json()?;
            let rows = page.items.into_iter().map(|definition| {
                vec![
                    definition.id,
                    definition.display_name,
                    definition.method,
                    some_of(&definition.supported_currencies),
                    some_of(&definition.supported_countries),
                ]
            });
            print(&of_rows(&["ID", "NAME", "METHOD", "CURRENCIES", "COUNTRIES"], rows))?;
            say_more(page.next_cursor.as_deref())?;
        }
    }
    Ok(())
}

fn show(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            let definition: PaymentServiceDefinition = answer.json()?;
            print(&of_members([
                ("id", definition.id),
                ("display_name", definition.display_name),
                ("method", definition.method),
                ("mode", or_empty(definition.mode)),
                ("currencies", some_of(&definition.supported_currencies)),
                ("countries", some_of(&definition.supported_countries)),
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
