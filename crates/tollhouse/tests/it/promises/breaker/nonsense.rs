//! Answers that are none: too long, packed, broken off, in another language.

use testkit::provider::Then;

use super::*;

const MIB: usize = 1024 * 1024;

/// The most that all of it may cost in memory.
const GROWTH_MAX_KIB: u64 = 32 * 1024;

const INVALID: &str = "INVALID_SERVICE_RESPONSE";
const NETWORK: &str = "SERVICE_NETWORK_ERROR";

/// The head of a gzip stream and of a block whose every two bits of zero mean 258 zeros: a mebibyte of them unpacks to a gibibyte.
const BOMB: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xec\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a";

fn raw(text: &str, then: Then) -> Reply {
    Reply::Raw(text.as_bytes().to_vec(), then)
}

fn filled(beginning: &str, piece: &str, bytes: usize) -> Vec<u8> {
    let mut all = beginning.as_bytes().to_vec();
    all.extend_from_slice(piece.repeat(bytes / piece.len()).as_bytes());
    all
}

fn bytes(body: &[u8]) -> Reply {
    Reply::Answer { status: 200, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body: body.to_vec() }
}

fn coded(coding: &str, body: Vec<u8>) -> Reply {
    Reply::Answer { status: 200, headers: vec![("content-encoding".to_owned(), coding.to_owned())], body }
}

/// What is answered, and what is said of it.
fn answers() -> Vec<(Reply, &'static str)> {
    let mut bomb = BOMB.to_vec();
    bomb.resize(MIB, 0);
    let head = "HTTP/1.1 200 OK\r\n";
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let mut answers = vec![
        // Too long.
        (Reply::Huge(100 * MIB), INVALID),
        (Reply::Huge(MIB + 1), INVALID),
        (Reply::Raw(filled(&format!("{head}\r\n"), " ", 4 * MIB), Then::Close), INVALID),
        (Reply::Raw(filled(&format!("{head}transfer-encoding: chunked\r\n\r\n400000\r\n"), " ", 4 * MIB), Then::Hang), INVALID),
        (Reply::Raw(filled(head, "x-filler: 0123456789abcdef\r\n", 10 * MIB), Then::Hang), NETWORK),
        (Reply::Raw(filled(&format!("{head}x-filler: "), "a", 10 * MIB), Then::Hang), NETWORK),
        (Reply::Raw(filled(head, "a: b\r\n", 101 * 6), Then::Hang), NETWORK),
        // Packed.
        (coded("gzip", bomb), INVALID),
        (coded("br", b"{}".to_vec()), INVALID),
        (coded("identity, gzip", b"{}".to_vec()), INVALID),
        // Another length than it says.
        (raw(&format!("{head}content-length: 100\r\n\r\n{{\"a\":1}}"), Then::Close), NETWORK),
        (raw(&format!("{head}content-length: 5\r\n\r\n{{\"a\":1}}"), Then::Close), INVALID),
        (raw(&format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\n{{}}"), Then::Close), NETWORK),
        (raw(&format!("{head}content-length: -2\r\n\r\n{{}}"), Then::Close), NETWORK),
        (raw(&format!("{head}content-length: 99999999999999999999\r\n\r\n{{}}"), Then::Close), NETWORK),
        (raw(&format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"), Then::Close), NETWORK),
        (raw(&format!("{head}transfer-encoding: chunked\r\n\r\n7\r\n{{\"a\":1}}\r\n"), Then::Close), NETWORK),
        // No HTTP.
        (raw("SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::Close), NETWORK),
        (raw("HTTP/1.1 abc OK\r\n\r\n", Then::Close), NETWORK),
    ];
    // No JSON object.
    let texts: [&[u8]; 15] = [
        b"{\"id\":",
        b"{\"id\":\"x",
        b"<!DOCTYPE html><html><body>Bad gateway</body></html>",
        b"{\"a\":\"\xff\xfe\"}",
        b"{} {}",
        b"{\"a\":1}{\"a\":2}",
        b"[{\"a\":1}]",
        b"\"text\"",
        b"12",
        b"null",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"{\"a\":NaN}",
        b"{'a':1}",
        b"\0\0\0\0",
    ];
    answers.extend(texts.map(|text| (bytes(text), INVALID)));
    answers.push((bytes(deep.as_bytes()), INVALID));
    answers
}

/// A line of the status of a process, in KiB.
fn memory_kib(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB"));
    value.unwrap_or_else(|| panic!("no {line} in {status}")).trim().parse().unwrap()
}

#[tokio::test]
async fn r14_nonsense_is_a_failed_session_and_costs_no_memory() {
    let promise = Promise::new("R14");
    let stage = Stage::new().await;
    let path = format!("/payment-services/{}/sessions", stage.well);
    let merchant = stage.server.merchant();
    let session = async || merchant.post_text(&path, "{}").await.expect(200);
    // Everything that is made once is made now.
    for _ in 0..20 {
        assert_eq!(session().await["status"], "succeeded");
    }
    let process = stage.server.process_id();
    let before = memory_kib(process, "VmRSS:");
    let answers = answers();
    let rounds = promise.count(1, 10);
    for (reply, code) in answers.iter().cycle().take(answers.len() * rounds) {
        let what = format!("{reply:.150?}");
        stage.provider.reply(reply.clone());
        let answer = session().await;
        // The caller of the test holds every answer against the document of the API.
        assert_eq!((&answer["status"], &answer["code"]), (&json!("failed"), &json!(code)), "{what}");
        assert_eq!(answer["response_body"], Value::Null, "{what}");
        assert_eq!(session().await["status"], "succeeded", "after {what}");
    }
    let grown = memory_kib(process, "VmRSS:").saturating_sub(before);
    let peak = memory_kib(process, "VmHWM:").saturating_sub(before);
    assert!(grown < GROWTH_MAX_KIB && peak < GROWTH_MAX_KIB, "{grown} KiB more, {peak} KiB at most");
    assert!(!stage.server.log().contains("panicked"), "{}", stage.server.log());
    promise.kept(answers.len() * rounds, &format!("{} answers, {grown} KiB more in the end, {peak} KiB at most", answers.len()));
    stage.server.end().await;
}
