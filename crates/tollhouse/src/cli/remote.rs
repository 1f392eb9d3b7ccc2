//! Commands that ask a running server: sessions, payment services, the catalogue, records, merchant accounts.
//!
//! Data goes to standard output, words to standard error: a table on a terminal, the server's own JSON otherwise. The exit code is 1 when a session failed or the call did, 2 when the command line is wrong.

mod connection;
mod data;
mod definitions;
mod failure;
mod merchant_accounts;
pub(super) mod output;
mod payment_services;
pub(super) mod pretty;
pub(super) mod session;
mod sessions;
pub(super) mod table;

use std::process::ExitCode;

use clap::Subcommand;

use self::connection::Connection;

/// The commands that are calls of the API.
#[derive(Debug, Subcommand)]
pub(crate) enum RemoteCommand {
    /// Configured payment services, and sessions with them
    PaymentServices {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        action: payment_services::Action,
    },
    /// The catalogue of payment services, and sessions by definition
    PaymentServiceDefinitions {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        action: definitions::Action,
    },
    /// The records of past sessions
    Sessions {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        action: sessions::Action,
    },
    /// Merchant accounts
    MerchantAccounts {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        action: merchant_accounts::Action,
    },
}

/// Carries out a command. An error is left for what no exit code of ours names, such as a full disk behind standard output.
pub(crate) async fn run(command: RemoteCommand) -> anyhow::Result<ExitCode> {
    let done = match command {
        RemoteCommand::PaymentServices { connection, action } => payment_services::run(&connection, action).await,
        RemoteCommand::PaymentServiceDefinitions { connection, action } => definitions::run(&connection, action).await,
        RemoteCommand::Sessions { connection, action } => sessions::run(&connection, action).await,
        RemoteCommand::MerchantAccounts { connection, action } => merchant_accounts::run(&connection, action).await,
    };
    match done {
        Ok(code) => Ok(code),
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests;
