//! `tollhouse payment-services …`

use std::process::ExitCode;

use clap::Subcommand;
use tollhouse_client::{Answer, Client, Method, Page, PaymentService, Request};
use uuid::Uuid;

use super::connection::Connection;
use super::data::Data;
use super::failure::{Failure, code_of_session};
use super::output::{Format, print, print_answer, say};
use super::session::{self, Private, Repeat};
use super::sessions::PageArgs;
use super::table::{of_members, of_rows, or_empty, some_of, yes_no};

const ROUTE: &str = "payment-services";

/// What can be done with payment services.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Create a session: --data is the payment service's own request
    Session {
        /// The payment service's id
        id: Uuid,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// List payment services
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only those of this payment method
        #[arg(long)]
        method: Option<String>,
        /// Deleted ones
        #[arg(long)]
        deleted: bool,
    },
    /// Show a payment service
    Get {
        /// The payment service's id
        id: Uuid,
    },
    /// Configure a payment service
    Create {
        #[command(flatten)]
        data: Data,
    },
    /// Ask a payment service whether credentials are good, without storing them
    Verify {
        #[command(flatten)]
        data: Data,
    },
    /// Delete a payment service
    Delete {
        /// The payment service's id
        id: Uuid,
    },
}

/// Carries out one of them.
pub(crate) async fn run(connection: &Connection, action: Action) -> Result<ExitCode, Failure> {
    let format = connection.format();
    match action {
        Action::Session { id, data, repeat } => {
            let body = data.read()?;
            let client = connection.client()?;
            // The definition says what is private, and only a terminal needs to know. Asked first: nothing may come between a session and its answer.
            let definition = match format {
                Format::Table => client.payment_services().get(id).await.ok().map(|service| service.payment_service_definition_id),
                Format::Json => None,
            };
            let request = Request::new(Method::POST, [ROUTE, &id.to_string(), "sessions"]).for_client_account().json(&body)?;
            let request = repeat.name(request);
            let answer = client.send(&request).await?;
            let private =
                |succeeded| definition.as_deref().map_or(Private::Unknown, |definition| Private::of_definition(definition, succeeded));
            return Ok(code_of_session(session::show(&answer, format, private)?));
        }
        Action::List { page, method, deleted } => {
            let request =
                Request::new(Method::GET, [ROUTE]).for_client_account().query("method", method).query("deleted", deleted.then_some(true));
            let answer = connection.client()?.send(&page.apply(request)).await?;
            show_page(&answer, format)?;
        }
        Action::Get { id } => show(&send(&connection.client()?, Method::GET, id).await?, format)?,
        Action::Create { data } => {
            let request = Request::new(Method::POST, [ROUTE]).for_client_account().json(&data.read()?)?;
            show(&connection.client()?.send(&request).await?, format)?;
        }
        Action::Verify { data } => {
            let request = Request::new(Method::POST, [ROUTE, "verify"]).for_client_account().json(&data.read()?)?;
            let answer = connection.client()?.send(&request).await?;
            match format {
                Format::Json => print_answer(&answer)?,
                Format::Table => say("The payment service accepts the credentials.")?,
            }
        }
        Action::Delete { id } => {
            send(&connection.client()?, Method::DELETE, id).await?;
            if format == Format::Table {
                say("Deleted.")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn send(client: &Client, method: Method, id: Uuid) -> Result<Answer, Failure> {
    Ok(client.send(&Request::new(method, [ROUTE, &id.to_string()]).for_client_account()).await?)
}

fn show(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => print(&table(&answer.json()?))?,
    }
    Ok(())
}

fn table(service: &PaymentService) -> String {
    let fields: Vec<String> = service.fields.iter().map(|field| format!("{} = {}", field.key, field.value.expose())).collect();
    of_members([
        ("id", service.id.to_string()),
        ("display_name", service.display_name.clone()),
        ("definition", service.payment_service_definition_id.clone()),
        ("merchant_account", service.merchant_account_id.clone()),
        ("method", service.method.clone()),
        ("active", yes_no(service.active)),
        ("position", service.position.to_string()),
        ("status", or_empty(service.status.as_ref())),
        ("currencies", some_of(&service.accepted_currencies)),
        ("countries", some_of(&service.accepted_countries)),
        ("fields", fields.join("\n")),
        ("created_at", service.created_at.clone()),
        ("updated_at", service.updated_at.clone()),
    ])
}

fn show_page(answer: &Answer, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_answer(answer)?,
        Format::Table => {
            let page: Page<PaymentService> = answer.json()?;
            let rows = page.items.into_iter().map(|service| {
                let active = if service.is_deleted { "deleted".to_owned() } else { yes_no(service.active) };
                let id = service.id.to_string();
                vec![
                    id,
                    service.payment_service_definition_id,
                    service.display_name,
                    service.merchant_account_id,
                    active,
                    service.position.to_string(),
                ]
            });
            print(&of_rows(&["ID", "DEFINITION", "NAME", "ACCOUNT", "ACTIVE", "POSITION"], rows))?;
            super::sessions::say_more(page.next_cursor.as_deref())?;
        }
    }
    Ok(())
}
