//! `tollhouse merchant-accounts …`

use std::process::ExitCode;

use clap::Subcommand;
use tollhouse_client::{MerchantAccount, Method, Page, Request};

use super::connection::Connection;
use super::data::Data;
use super::failure::Failure;
use super::output::{Format, print, print_answer};
use super::sessions::{PageArgs, say_more};
use super::table::of_rows;

const ROUTE: &str = "merchant-accounts";

/// What can be done with merchant accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List merchant accounts
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only those whose id or name holds this text
        #[arg(long)]
        search: Option<String>,
    },
    /// Create a merchant account
    Create {
        #[command(flatten)]
        data: Data,
    },
}

/// Carries out one of them.
pub(crate) async fn run(connection: &Connection, action: Action) -> Result<ExitCode, Failure> {
    let request = match &action {
        Action::List { page, search } => page.apply(Request::new(Method::GET, [ROUTE]).query("search", search.as_ref())),
        Action::Create { data } => Request::new(Method::POST, [ROUTE]).json(&data.read()?)?,
    };
    let answer = connection.client()?.send(&request).await?;
    match (connection.format(), action) {
        (Format::Json, _) => print_answer(&answer)?,
        (Format::Table, Action::List { .. }) => {
            let page: Page<MerchantAccount> = answer.json()?;
            print(&table(page.items))?;
            say_more(page.next_cursor.as_deref())?;
        }
        (Format::Table, Action::Create { .. }) => print(&table([answer.json()?]))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(accounts: impl IntoIterator<Item = MerchantAccount>) -> String {
    let rows = accounts.into_iter().map(|account| vec![account.id, account.display_name, account.created_at]);
    of_rows(&["ID", "NAME", "CREATED"], rows)
}
