//! Reads the words of a curl command: which request it makes.

use http::header::{ACCEPT, CONTENT_TYPE};
use url::form_urlencoded::byte_serialize;

use super::words::{Word, split};
use super::{Input, Mistake, Place};
use crate::config::keys::nearest;

/// The request that a command makes.
#[derive(Clone, Debug)]
pub(super) struct Curl {
    /// In upper case.
    pub(super) method: String,
    /// As it was written, with what `-G` adds.
    pub(super) url: Word,
    /// In the order of the command, those that options stand for included.
    pub(super) headers: Vec<Header>,
    /// User and password, `None` where there is no colon.
    pub(super) user: Option<(String, Option<String>)>,
    /// What is sent.
    pub(super) body: Option<Word>,
    /// What the reader of the new file should know.
    pub(super) notes: Vec<String>,
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// As it was written.
    pub(super) name: String,
    /// Trimmed.
    pub(super) value: String,
    /// Where it stands.
    pub(super) at: Place,
}

/// What an option means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nothing that a definition would say, with or without a value.
    Nothing,
    NothingOf,
    Url,
    Request,
    Header,
    /// `-d`: `@` names a file.
    Data,
    DataRaw,
    DataEncoded,
    Json,
    User,
    Bearer,
    Get,
    /// Certificates are not checked: said, and not taken over.
    Insecure,
    /// Can not become a definition, with the reason; the next word may be its value.
    Refused(&'static str),
}

use Meaning::{Bearer, Data, DataEncoded, DataRaw, Get, Insecure, Json, Nothing, NothingOf, Refused, Request, Url, User};

const MULTIPART: Meaning =
    Refused("multipart forms create no sessions: the body of a session is one JSON object, sent as JSON or as a plain form");
const SIGNED: Meaning = Refused("this signs the request; write the recipe in `[sign]` of a file from `definitions new`");
const HANDSHAKE: Meaning =
    Refused("this way of proving who asks is not part of the format; it knows Basic, Bearer, headers, signatures and client certificates");
const CERTIFICATE: Meaning =
    Refused("client certificates are fields, not files: begin without this option and add `[tls]` as docs/definition-format.md shows");
const COOKIE: Meaning = Refused("cookies prove a browser, not a merchant: leave the option out");
const FILE: Meaning = Refused("what is in that file can not be seen here: put the body between quotes");

/// The options that are known: long name, short one, meaning.
const OPTIONS: &[(&str, char, Meaning)] = &[
    ("url", '\0', Url),
    ("request", 'X', Request),
    ("header", 'H', Meaning::Header),
    ("data", 'd', Data),
    ("data-ascii", '\0', Data),
    ("data-binary", '\0', Data),
    ("data-raw", '\0', DataRaw),
    ("data-urlencode", '\0', DataEncoded),
    ("json", '\0', Json),
    ("user", 'u', User),
    ("oauth2-bearer", '\0', Bearer),
    ("get", 'G', Get),
    ("insecure", 'k', Insecure),
    ("basic", '\0', Nothing),
    ("compressed", '\0', Nothing),
    ("fail", 'f', Nothing),
    ("fail-with-body", '\0', Nothing),
    ("globoff", 'g', Nothing),
    ("http1.0", '0', Nothing),
    ("http1.1", '\0', Nothing),
    ("http2", '\0', Nothing),
    ("http3", '\0', Nothing),
    ("include", 'i', Nothing),
    ("ipv4", '4', Nothing),
    ("ipv6", '6', Nothing),
    ("location", 'L', Nothing),
    ("no-buffer", 'N', Nothing),
    ("no-progress-meter", '\0', Nothing),
    ("path-as-is", '\0', Nothing),
    ("progress-bar", '#', Nothing),
    ("show-error", 'S', Nothing),
    ("silent", 's', Nothing),
    ("tlsv1.2", '\0', Nothing),
    ("tlsv1.3", '\0', Nothing),
    ("verbose", 'v', Nothing),
    ("connect-timeout", '\0', NothingOf),
    ("dump-header", 'D', NothingOf),
    ("max-time", 'm', NothingOf),
    ("output", 'o', NothingOf),
    ("proxy", 'x', NothingOf),
    ("referer", 'e', NothingOf),
    ("retry", '\0', NothingOf),
    ("user-agent", 'A', NothingOf),
    ("write-out", 'w', NothingOf),
    ("aws-sigv4", '\0', SIGNED),
    ("cert", 'E', CERTIFICATE),
    ("key", '\0', CERTIFICATE),
    ("cacert", '\0', CERTIFICATE),
    ("config", 'K', Refused("what is in that file can not be seen here: write its options into the command")),
    ("cookie", 'b', COOKIE),
    ("cookie-jar", 'c', COOKIE),
    ("digest", '\0', HANDSHAKE),
    ("form", 'F', MULTIPART),
    ("form-string", '\0', MULTIPART),
    ("head", 'I', Refused("a HEAD request creates no session")),
    ("negotiate", '\0', HANDSHAKE),
    ("netrc", 'n', Refused("the credentials of that file can not be seen here: write `-u user:password` with placeholders")),
    ("next", ':', Refused("this makes two requests: paste the one that creates the session")),
    ("ntlm", '\0', HANDSHAKE),
    ("upload-file", 'T', FILE),
];

/// Reads a pasted command.
pub(super) fn read(text: &str) -> Result<Curl, Mistake> {
    let split = split(text)?;
    let mut words = split.words.into_iter().peekable();
    // The prompt of whoever has copied a terminal.
    words.next_if(|word| word.text == "$" || word.text == "%");
    match words.next() {
        Some(word) if is_curl(&word.text) => {}
        Some(word) => return Err(wrong(word.at, format!("`{}` is no curl command: paste one that begins with `curl`", shown(&word.text)))),
        None => return Err(wrong(Place::START, "there is no command: paste one that begins with `curl`")),
    }
    let mut reading = Reading::default();
    if let Some(operator) = split.cut {
        reading.notes.push(format!("what follows `{operator}` in the command is no part of the call and was left out"));
    }
    while let Some(word) = words.next() {
        reading.word(word, &mut words)?;
    }
    reading.finish()
}

/// A command that is being read.
#[derive(Default)]
struct Reading {
    url: Option<Word>,
    method: Option<Word>,
    headers: Vec<Header>,
    user: Option<(String, Option<String>)>,
    /// The parts of the body, and where it begins.
    data: Vec<String>,
    data_at: Option<Place>,
    json: bool,
    get: Option<Place>,
    notes: Vec<String>,
}

// === impl Reading ===

impl Reading {
    fn word(&mut self, word: Word, rest: &mut impl Iterator<Item = Word>) -> Result<(), Mistake> {
        if let Some(name) = word.text.strip_prefix("--") {
            let Some((_, _, meaning)) = OPTIONS.iter().find(|(long, _, _)| *long == name) else {
                return Err(unknown(&word, name));
            };
            return self.option(*meaning, &word, None, rest);
        }
        if word.text.starts_with(['–', '—', '−']) {
            return Err(wrong(word.at, format!("`{}` begins with a dash that is none: options begin with `-`", shown(&word.text))));
        }
        match word.text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            Some(letters) => self.letters(&word, letters, rest),
            None => self.url(word),
        }
    }

    /// `-sSL`, `-XPOST`: several options in one word, the last of which may have its value there too.
    fn letters(&mut self, word: &Word, letters: &str, rest: &mut impl Iterator<Item = Word>) -> Result<(), Mistake> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let Some((_, _, meaning)) = OPTIONS.iter().find(|(_, short, _)| *short == letter) else {
                return Err(wrong(word.at, format!("`-{letter}` is no option that is known here")));
            };
            let has_value = !matches!(meaning, Nothing | Get | Insecure | Refused(_));
            let attached = Some(letters.as_str().to_owned()).filter(|text| has_value && !text.is_empty());
            let ends = attached.is_some();
            self.option(*meaning, word, attached, rest)?;
            if ends {
                break;
            }
        }
        Ok(())
    }

    fn option(
        &mut self,
        meaning: Meaning,
        option: &Word,
        attached: Option<String>,
        rest: &mut impl Iterator<Item = Word>,
    ) -> Result<(), Mistake> {
        let mut value = || {
            let attached = attached.clone().map(|text| Word { text, at: option.at });
            attached.or_else(|| rest.next()).ok_or_else(|| wrong(option.at, format!("`{}` has no value behind it", shown(&option.text))))
        };
        match meaning {
            Nothing => {}
            NothingOf => drop(value()?),
            Url => self.url(value()?)?,
            Request => self.method = Some(value()?),
            Meaning::Header => self.header(value()?)?,
            Data => self.data(value()?)?,
            DataRaw => self.part(value()?),
            DataEncoded => self.encoded(value()?)?,
            Json => {
                self.json = true;
                self.data(value()?)?;
            }
            User => {
                let text = value()?.text;
                self.user = Some(match text.split_once(':') {
                    Some((user, password)) => (user.to_owned(), Some(password.to_owned())),
                    None => (text, None),
                });
            }
            Bearer => {
                let value = value()?;
                self.headers.push(Header { name: "Authorization".to_owned(), value: format!("Bearer {}", value.text), at: value.at });
            }
            Get => self.get = Some(option.at),
            Insecure => self.notes.push(format!(
                "`{}` was left out: the certificate of a payment service is always checked, since credentials go there",
                option.text
            )),
            Refused(reason) => return Err(wrong(option.at, format!("`{}`: {reason}", shown(&option.text)))),
        }
        Ok(())
    }

    fn url(&mut self, word: Word) -> Result<(), Mistake> {
        if self.url.is_some() {
            return Err(wrong(word.at, format!("`{}` is a second address: a value with spaces needs quotes around it", shown(&word.text))));
        }
        self.url = Some(word);
        Ok(())
    }

    fn header(&mut self, word: Word) -> Result<(), Mistake> {
        // `-H "Name;"` sends an empty header, `-H "Name:"` none.
        let Some((name, value)) = word.text.split_once(':') else {
            return Err(wrong(word.at, format!("`{}` is no header: one is written as `Name: value`", shown(&word.text))));
        };
        if http::HeaderName::from_bytes(name.trim().as_bytes()).is_err() {
            return Err(wrong(word.at, format!("`{}` is no name of a header", shown(name))));
        }
        if !value.trim().is_empty() {
            self.headers.push(Header { name: name.trim().to_owned(), value: value.trim().to_owned(), at: word.at });
        }
        Ok(())
    }

    fn data(&mut self, word: Word) -> Result<(), Mistake> {
        if let Some(file) = word.text.strip_prefix('@') {
            let message = format!("what is in `{}` can not be seen here: put the content between quotes", shown(file));
            return Err(wrong(word.at, message));
        }
        self.part(word);
        Ok(())
    }

    fn encoded(&mut self, word: Word) -> Result<(), Mistake> {
        let (name, content) = match word.text.split_once('=') {
            Some((name, content)) => (name, content),
            None => ("", word.text.as_str()),
        };
        if name.contains('@') || (!word.text.contains('=') && content.contains('@')) {
            return Err(wrong(word.at, "a file can not be seen here: put its content behind `name=`"));
        }
        let encoded: String = byte_serialize(content.as_bytes()).collect();
        let text = if name.is_empty() { encoded } else { format!("{name}={encoded}") };
        self.part(Word { text, at: word.at });
        Ok(())
    }

    fn part(&mut self, word: Word) {
        self.data_at.get_or_insert(word.at);
        self.data.push(word.text);
    }

    fn finish(mut self) -> Result<Curl, Mistake> {
        let mut url = self.url.ok_or_else(|| wrong(Place::START, "the command has no address"))?;
        let text = self.data.join(if self.json { "" } else { "&" });
        let mut body = self.data_at.map(|at| Word { text, at });
        if self.get.is_some()
            && let Some(query) = body.take()
        {
            let sign = if url.text.contains('?') { '&' } else { '?' };
            url.text = format!("{}{sign}{}", url.text, query.text);
        }
        let method = match &self.method {
            Some(method) => method.text.to_ascii_uppercase(),
            None if body.is_some() => "POST".to_owned(),
            None => "GET".to_owned(),
        };
        if !["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
            let at = self.method.map(|word| word.at).or(self.get).unwrap_or(url.at);
            let message = format!(
                "this is a {} request: a session carries the caller's body, so it is created with POST, PUT or PATCH",
                shown(&method)
            );
            return Err(wrong(at, message));
        }
        if self.json {
            for name in [CONTENT_TYPE, ACCEPT] {
                if !self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name.as_str())) {
                    self.headers.push(Header { name: name.to_string(), value: "application/json".to_owned(), at: url.at });
                }
            }
        }
        Ok(Curl { method, url, headers: self.headers, user: self.user, body, notes: self.notes })
    }
}

fn is_curl(word: &str) -> bool {
    let program = word.rsplit(['/', '\\']).next().unwrap_or_default();
    program == "curl" || program.eq_ignore_ascii_case("curl.exe")
}

fn unknown(word: &Word, name: &str) -> Mistake {
    let near = nearest(name, OPTIONS.iter().map(|(long, _, _)| *long)).map(|near| format!(": did you mean `--{near}`?"));
    let near = near.unwrap_or_else(|| "; leave it out if the call does not need it".to_owned());
    wrong(word.at, format!("`{}` is no option that is known here{near}", shown(&word.text)))
}

/// The beginning of a word: enough to find it, and not a whole credential in the wrong place.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 24;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

fn wrong(at: Place, message: impl Into<String>) -> Mistake {
    Mistake { input: Input::Command, at, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, address and body on one line.
    fn request(curl: &Curl) -> String {
        format!("{} {} {}", curl.method, curl.url.text, curl.body.as_ref().map_or("", |body| body.text.as_str())).trim_end().to_owned()
    }

    #[test]
    fn a_command_is_the_request_it_makes() {
        let check = |text: &str, expected: &str| {
            let curl = read(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
            assert_eq!(request(&curl), expected, "{text}");
        };
        check("curl https://a.example -d a=1", "POST https://a.example a=1");
        check("$ /usr/bin/curl -sSL -XPUT --url https://a.example -da=1 --data b=2", "PUT https://a.example a=1&b=2");
        check("curl -X POST https://a.example", "POST https://a.example");
        check("curl --json '{\"a\":' --json '1}' https://a.example", "POST https://a.example {\"a\":1}");
        check("curl --data-raw @a https://a.example", "POST https://a.example @a");
        check("curl --data-urlencode 'a=b c&d' --data-urlencode '=x y' https://a.example", "POST https://a.example a=b+c%26d&x+y");
        check("curl -G -X POST https://a.example?x=1 -d a=1 -d b=2", "POST https://a.example?x=1&a=1&b=2");
        check("curl --compressed -o out -w '%{http_code}' -m 5 https://a.example --data-binary '{}'", "POST https://a.example {}");
        check("curl --request patch https://a.example -d a=1 | jq", "PATCH https://a.example a=1");
    }

    #[test]
    fn headers_and_users_are_read() {
        let text = "curl https://a.example -u key: -H 'X-Api-Key:  k ' -HAccept:x -H 'Empty:' --oauth2-bearer t -d '{}'";
        let curl = read(text).unwrap();
        let headers: Vec<(&str, &str)> = curl.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        assert_eq!(headers, [("X-Api-Key", "k"), ("Accept", "x"), ("Authorization", "Bearer t")]);
        assert_eq!(curl.user, Some(("key".to_owned(), Some(String::new()))));
        assert_eq!(read("curl a -d 1 -u key").unwrap().user, Some(("key".to_owned(), None)));
        let json = read("curl a --json '{}' -H 'content-type: application/x+json'").unwrap();
        let names: Vec<&str> = json.headers.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["content-type", "accept"], "what is said counts");
    }

    #[test]
    fn doubtful_options_are_noted() {
        let check = |text: &str, expected: &str| {
            let notes = read(text).unwrap().notes;
            assert!(notes.iter().any(|note| note.contains(expected)), "{text}: {notes:?}");
        };
        check("curl -k https://a.example -d 1", "always checked");
        check("curl --insecure https://a.example -d 1", "`--insecure` was left out");
        check("curl https://a.example -d 1 | jq .id", "`|`");
    }

    #[test]
    fn what_can_not_become_a_definition_is_refused_with_its_place() {
        let check = |text: &str, line: usize, column: usize, expected: &str| {
            let mistake = read(text).unwrap_err();
            assert_eq!(mistake.at, Place { line, column }, "{text}: {mistake:?}");
            assert!(mistake.message.contains(expected), "{text}: {mistake:?}");
        };
        check("", 1, 1, "no command");
        check("\n  wget https://a.example", 2, 3, "`wget` is no curl command");
        check("curl -d 1", 1, 1, "no address");
        check("curl https://a.example", 1, 6, "GET request");
        check("curl https://a.example -X get -d 1", 1, 27, "GET request");
        check("curl https://a.example -G -d a=1", 1, 24, "GET request");
        check("curl https://a.example \\\n  -d @body.json", 2, 6, "`body.json` can not be seen");
        check("curl https://a.example --json @-", 1, 31, "can not be seen");
        check("curl https://a.example --data-urlencode a@b", 1, 41, "can not be seen");
        check("curl https://a.example -F a=1", 1, 24, "multipart");
        check("curl https://a.example --cert c.pem", 1, 24, "[tls]");
        check("curl https://a.example --aws-sigv4 x", 1, 24, "[sign]");
        check("curl https://a.example --digest -u a:b", 1, 24, "Basic, Bearer");
        check("curl https://a.example -T file", 1, 24, "can not be seen");
        check("curl https://a.example -b a=1", 1, 24, "cookies");
        check("curl https://a.example --heder a:b", 1, 24, "did you mean `--header`?");
        check("curl https://a.example --request=POST", 1, 24, "no option");
        check("curl https://a.example -sZ", 1, 24, "`-Z`");
        check("curl https://a.example -H", 1, 24, "no value");
        check("curl https://a.example -H nocolon", 1, 27, "`Name: value`");
        check("curl https://a.example -H 'a b: c'", 1, 27, "name of a header");
        check("curl https://a.example -d 1 and more", 1, 29, "second address");
        check("curl https://a.example –data 1", 1, 24, "begins with a dash");
    }
}
