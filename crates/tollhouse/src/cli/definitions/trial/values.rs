//! The values of a payment service's fields, given by whoever tests a definition against a server.

use std::path::Path;

use connectors::catalogue::Connector;
use connectors::credentials::{Environment, FieldRules, MODE, Mode, check};

use crate::cli::exit::UsageError;
use crate::cli::simulated;

/// The beginning of the variables that hold values.
const VARIABLE: &str = "TOLLHOUSE_TEST_";

/// What becomes of required fields that nobody has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Made up: the server is a stand-in.
    MadeUp,
    /// Refused: they are credentials for a real service.
    Refused,
}

/// Keys and values from `--set` and from variables, checked as the values of a payment service in the sandbox are.
pub(super) fn gather(
    connector: &Connector,
    given: &[String],
    variable: impl Fn(&str) -> Option<String>,
    missing: Missing,
) -> Result<Vec<(String, String)>, UsageError> {
    let mut values = given.iter().map(|text| pair(text)).collect::<Result<Vec<_>, _>>()?;
    if values.iter().any(|(key, _)| key == MODE) {
        return Err(UsageError("--set: `mode` is `sandbox` here; live services are not tested".to_owned()));
    }
    for field in connector.provider.fields.iter().filter(|field| field.key != MODE) {
        let is_given = values.iter().any(|(key, _)| *key == field.key);
        let found = variable(&format!("{VARIABLE}{}", field.key.to_ascii_uppercase())).filter(|value| !is_given && !value.is_empty());
        values.extend(found.map(|value| (field.key.clone(), value)));
    }
    if missing == Missing::MadeUp {
        let made_up = simulated::fields(connector).unwrap_or_default();
        let absent = made_up.into_iter().filter(|(key, _)| key != MODE && !values.iter().any(|(given, _)| given == key));
        let absent: Vec<(String, String)> = absent.collect();
        values.extend(absent);
    }
    values.push((MODE.to_owned(), Mode::Sandbox.as_str().to_owned()));
    let rules = FieldRules { environment: Some(Environment::Sandbox), simulators: false };
    let problems: Vec<String> = check(connector, &values, &rules).into_iter().map(|problem| problem.message).collect();
    if problems.is_empty() {
        return Ok(values);
    }
    let hint = format!("give values with `--set KEY=VALUE`, `--set KEY=@FILE` or, secrets best, in variables such as {VARIABLE}API_KEY");
    Err(UsageError(format!("{}\n{hint}", problems.join("\n"))))
}

fn pair(text: &str) -> Result<(String, String), UsageError> {
    let Some((key, value)) = text.split_once('=') else {
        // What was written may be a secret in the wrong place, so it does not come back.
        return Err(UsageError("--set: a value is given as KEY=VALUE or KEY=@FILE".to_owned()));
    };
    let value = match value.strip_prefix('@') {
        // A file ends in a line feed that belongs to nobody's key.
        Some(file) => read(Path::new(file))?.trim_end_matches(['\r', '\n']).to_owned(),
        None => value.to_owned(),
    };
    Ok((key.to_owned(), value))
}

fn read(file: &Path) -> Result<String, UsageError> {
    std::fs::read_to_string(file).map_err(|error| UsageError(format!("--set: {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connectors::catalogue::Catalogue;

    fn of(given: &[&str], variables: &[(&str, &str)], missing: Missing) -> Result<Vec<(String, String)>, String> {
        let (catalogue, _) = Catalogue::load(&[], true).unwrap();
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        gather(catalogue.get("adyen-card").unwrap(), &given, variable, missing).map_err(|error| error.0)
    }

    #[test]
    fn values_come_from_options_files_and_variables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "from-a-file\n").unwrap();
        let check = |given: &[&str], variables: &[(&str, &str)], key: &str| {
            let values = of(given, variables, Missing::Refused).unwrap();
            assert_eq!(values.iter().find(|(known, _)| known == "api_key").unwrap().1, key, "{given:?}");
            assert!(values.contains(&("mode".to_owned(), "sandbox".to_owned())));
        };
        check(&["api_key=k=1", "merchant_account=M"], &[], "k=1");
        check(&[&format!("api_key=@{}", file.display()), "merchant_account=M"], &[], "from-a-file");
        check(&["merchant_account=M"], &[("TOLLHOUSE_TEST_API_KEY", "from-a-variable")], "from-a-variable");
        check(&["api_key=wins", "merchant_account=M"], &[("TOLLHOUSE_TEST_API_KEY", "v")], "wins");
        assert!(of(&[], &[], Missing::MadeUp).unwrap().iter().any(|(key, _)| key == "api_key"));
    }

    #[test]
    fn what_is_no_value_is_refused_without_showing_it() {
        let check = |given: &[&str], expected: &str| {
            let message = of(given, &[], Missing::Refused).unwrap_err();
            assert!(message.contains(expected) && !message.contains("canary"), "{given:?}: {message}");
        };
        check(&["merchant_account=M"], "`api_key` is required");
        check(&["merchant_account=M"], "TOLLHOUSE_TEST_");
        check(&["api_kye=canary", "merchant_account=M", "api_key=k"], "did you mean `api_key`?");
        check(&["canary"], "KEY=VALUE");
        check(&["mode=live"], "`mode` is `sandbox` here");
        check(&["api_key=@/nowhere/at-all"], "/nowhere/at-all");
        check(&["api_key=canary", "api_key=k", "merchant_account=M"], "more than once");
    }
}
