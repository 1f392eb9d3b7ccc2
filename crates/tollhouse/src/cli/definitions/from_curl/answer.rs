//! Reads the answer that a documentation shows: a JSON body, with or without the status line and headers that `curl -i` prints.

use http::{HeaderName, StatusCode};

use super::tree::Tree;
use super::{Input, Mistake, Place};

/// A documented success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `None` where only the body was given.
    pub(super) status: Option<u16>,
    /// In order.
    pub(super) headers: Vec<HeaderName>,
    /// The service's object.
    pub(super) body: Tree,
}

/// Reads an answer.
pub(super) fn read(text: &str) -> Result<Answer, Mistake> {
    let text = text.trim_start_matches('\u{feff}');
    let mut status = None;
    let mut headers = Vec::new();
    let mut offset = 0;
    let mut line = 1;
    // More than one head: an interim answer or a redirect comes before the one that counts.
    while let Some(head) = text.get(offset..).filter(|rest| rest.trim_start().starts_with("HTTP/")) {
        let blanks = head.len() - head.trim_start().len();
        line += head.get(..blanks).unwrap_or_default().matches('\n').count();
        offset += blanks;
        headers.clear();
        let mut lines = text.get(offset..).unwrap_or_default().split_inclusive('\n');
        let first = lines.next().unwrap_or_default();
        status = Some(status_of(first).ok_or_else(|| wrong(line, "this is no status line; one is written as `HTTP/1.1 201 Created`"))?);
        offset += first.len();
        line += 1;
        for header in lines {
            offset += header.len();
            line += 1;
            if header.trim().is_empty() {
                break;
            }
            let name = header.split_once(':').and_then(|(name, _)| HeaderName::from_bytes(name.trim().as_bytes()).ok());
            headers.push(name.ok_or_else(|| wrong(line - 1, "this is no header; an empty line stands between headers and body"))?);
        }
    }
    if let Some(refusal) = status.filter(|status| !(200..300).contains(status)) {
        return Err(wrong(1, format!("the answer has status {refusal}: take one of a success, refusals are written by hand")));
    }
    let body = text.get(offset..).unwrap_or_default();
    if body.trim().is_empty() {
        let message = "the answer has no body: `answer = { build = … }` makes one of headers, which is written by hand";
        return Err(wrong(line, message));
    }
    let body = Tree::object(body).map_err(|why| {
        let hint = if body.trim_start().starts_with('{') {
            ""
        } else {
            "; what is no JSON object is taken in with `answer = { text_as = … }`, which is written by hand"
        };
        wrong(line, format!("the body of the answer that begins here can not be taken over: {why}{hint}"))
    })?;
    Ok(Answer { status, headers, body })
}

fn status_of(line: &str) -> Option<u16> {
    let status = line.split_whitespace().nth(1)?;
    StatusCode::from_bytes(status.as_bytes()).ok().map(|status| status.as_u16())
}

fn wrong(line: usize, message: impl Into<String>) -> Mistake {
    Mistake { input: Input::Answer, at: Place { line, column: 1 }, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_headers_and_body_are_read() {
        let check = |text: &str, status: Option<u16>, headers: &[&str]| {
            let answer = read(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
            assert_eq!(answer.status, status, "{text}");
            assert_eq!(answer.headers.iter().map(HeaderName::as_str).collect::<Vec<_>>(), headers, "{text}");
            assert_eq!(answer.body.written(), r#"{"id":"1"}"#, "{text}");
        };
        check("{\"id\":\"1\"}", None, &[]);
        check("\u{feff}\n { \"id\": \"1\" }\n", None, &[]);
        check("HTTP/1.1 201 Created\r\nX-Request-Id: 7\r\n\r\n{\"id\":\"1\"}", Some(201), &["x-request-id"]);
        check("HTTP/2 200\n\n{\"id\":\"1\"}", Some(200), &[]);
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nC:\r\n\r\n{\"id\":\"1\"}", Some(200), &["a", "c"]);
    }

    #[test]
    fn what_is_no_documented_success_is_refused() {
        let check = |text: &str, line: usize, expected: &str| {
            let mistake = read(text).unwrap_err();
            assert_eq!((mistake.input, mistake.at.line), (Input::Answer, line), "{text}: {mistake:?}");
            assert!(mistake.message.contains(expected), "{text}: {mistake:?}");
        };
        check("", 1, "no body");
        check("HTTP/1.1 204 No Content\r\nLocation: /1\r\n\r\n", 4, "build");
        check("HTTP/1.1 422 Unprocessable\r\n\r\n{}", 1, "status 422");
        check("HTTP/1.1\n\n{}", 1, "no status line");
        check("HTTP/1.1 200 OK\n{\"id\":\n", 2, "no header");
        check("HTTP/1.1 200 OK\n\n[1]", 3, "text_as");
        check("{\"id\": ...}", 1, "its line 1, column 8");
    }
}
