//! What `dev` prints when it is ready: the session that was created, and how to create the next one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use tollhouse_client::PaymentServiceSession;

use super::first_run::Shown;
use crate::cli::remote::pretty::indent;
use crate::compose::Running;

/// The whole text.
pub(super) fn text(running: &Running, key_file: &Path, shown: &Shown) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("the path of this program")?;
    Ok(render(&running.base, &program, key_file, shown))
}

fn render(base: &str, program: &Path, key_file: &Path, shown: &Shown) -> String {
    let key = quoted(&key_file.display().to_string());
    let mut parts = Vec::new();
    match shown {
        Shown::Session { definition, body, session, steps } => {
            parts.push(format!("One payment service session, created with {definition} over HTTP:\n\n{}", printed(session)));
            parts.extend(steps.as_ref().map(|steps| format!("Where its time went: {steps}")));
            parts.push(place(base, key_file));
            parts.push(format!("The same from the shell:\n\n{}", curl(base, program, &key, definition, body)));
        }
        Shown::None(why) => {
            parts.push(format!("No session was created: {why}"));
            parts.push(place(base, key_file));
        }
    }
    let path = json!(key_file.display().to_string());
    let url = json!(base);
    parts.push(format!(
        "TypeScript (npm install @gr4vy/sdk):\n\n  const gr4vy = new Gr4vy({{ serverURL: {url}, bearerAuth: withToken({{ privateKey: readFileSync({path}, \"utf8\") }}) }});"
    ));
    parts.push(format!(
        "Python (pip install gr4vy):\n\n  client = Gr4vy(server_url={url}, bearer_auth=auth.with_token(open({path}).read()))"
    ));
    format!("\n{}\n", parts.join("\n\n"))
}

fn place(base: &str, key_file: &Path) -> String {
    format!(
        "Base URL   {base}\nKey file   {}\nPayment services are simulated; nothing leaves this machine. Ctrl-C stops.",
        key_file.display()
    )
}

fn curl(base: &str, program: &Path, key: &str, definition: &str, body: &str) -> String {
    let program = quoted(&PathBuf::from(program).display().to_string());
    let body = body.replace('\'', r"'\''");
    format!(
        "  curl -sS '{base}/payment-service-definitions/{definition}/sessions' \\\n    -H \"Authorization: Bearer $({program} token --key-file {key})\" \\\n    -H 'Content-Type: application/json' \\\n    -d '{body}'"
    )
}

/// The session as JSON, its members in the API's order. The whole answer of a simulated payment service may be seen.
fn printed(session: &PaymentServiceSession) -> String {
    let member = |name: &str, value: serde_json::Value| format!("{}:{value}", json!(name));
    let members = [
        member("type", json!(session.r#type)),
        member("status", json!(session.status.as_ref().map(ToString::to_string))),
        member("code", json!(session.code)),
        member("status_code", json!(session.status_code)),
        format!("\"response_body\":{}", session.response_body.as_ref().map_or("null", |body| body.get())),
    ];
    let text = indent(&format!("{{{}}}", members.join(",")));
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// A word that the shell takes as it is.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_shell_survive_it() {
        for (word, expected) in [("/a/b.pem", "/a/b.pem"), ("/a b", "'/a b'"), ("/it's", r"'/it'\''s'"), ("", "''"), ("$HOME", "'$HOME'")] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn the_curl_line_is_whole() {
        let shown = curl("http://127.0.0.1:8080", Path::new("/bin/tollhouse"), "/d/private_key.pem", "north-card", r#"{"a":"it's"}"#);
        assert_eq!(
            shown,
            "  curl -sS 'http://127.0.0.1:8080/payment-service-definitions/north-card/sessions' \\\n    -H \"Authorization: Bearer $(/bin/tollhouse token --key-file /d/private_key.pem)\" \\\n    -H 'Content-Type: application/json' \\\n    -d '{\"a\":\"it'\\''s\"}'"
        );
    }
}
