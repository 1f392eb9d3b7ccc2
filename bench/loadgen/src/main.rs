//! HTTP/1.1 keep-alive load generator, standard library only.
//!
//! One blocking thread per connection. Every request carries the next token of the token file, so a
//! server that caches verified tokens is only helped when the file is shorter than the run
//! (the official SDKs mint a fresh token for every request).
//!
//!   loadgen --addr 127.0.0.1:8080 --path /payment-services/x/sessions --tokens tokens.txt
//!           --body body.json --conns 32 --secs 5 [--rate 500] [--warm 1] [--expect '"succeeded"'] [--header 'K: V']
//!
//! --rate 0 (default) is a closed loop. With --rate, request i is due at start + i/rate and its
//! latency counts from the moment it was due (no coordinated omission).
//! --vary TEXT: where TEXT stands in the body, every token sends another number of the same length instead.
//! Prints one JSON line. Exits 2 when more than 0.1 % of the requests failed.
use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

extern "C" {
    fn prctl(op: i32, a: u64, b: u64, c: u64, d: u64) -> i32;
}
const PR_SET_TIMERSLACK: i32 = 29;

struct Conf {
    addr: String,
    /// Head, and what of the body is the token's own.
    reqs: Vec<Vec<u8>>,
    /// The rest of the body. It may be a megabyte, so it is held once.
    rest: Vec<u8>,
    expect: Vec<u8>,
    rate: f64,
    warm: Duration,
    total: Duration,
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    hay.windows(needle.len()).position(|w| w == needle)
}

fn header_value<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    for line in head.split(|b| *b == b'\n') {
        if let Some(c) = line.iter().position(|b| *b == b':') {
            if line[..c].eq_ignore_ascii_case(name.as_bytes()) {
                return std::str::from_utf8(&line[c + 1..]).ok().map(str::trim);
            }
        }
    }
    None
}

/// Writes both with one call where the socket takes them: one segment on the wire, as if they stood together.
fn write_both(s: &mut TcpStream, a: &[u8], b: &[u8]) -> std::io::Result<()> {
    let n = s.write_vectored(&[IoSlice::new(a), IoSlice::new(b)])?;
    s.write_all(&a[n.min(a.len())..])?;
    s.write_all(&b[n.saturating_sub(a.len())..])
}

/// Reads one whole response into `buf`; returns (status, body start, body end).
fn read_response(s: &mut TcpStream, buf: &mut Vec<u8>) -> std::io::Result<(u16, usize, usize)> {
    buf.clear();
    let mut chunk = [0u8; 16384];
    let bad = |m: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, m.to_string());
    let head_end = loop {
        let n = s.read(&mut chunk)?;
        if n == 0 {
            return Err(bad("closed"));
        }
        buf.extend_from_slice(&chunk[..n]);
        if let Some(p) = find(buf, b"\r\n\r\n") {
            break p + 4;
        }
    };
    let status: u16 = std::str::from_utf8(&buf[9..12]).ok().and_then(|x| x.parse().ok()).ok_or_else(|| bad("status"))?;
    let head = buf[..head_end].to_vec();
    if let Some(len) = header_value(&head, "content-length") {
        let len: usize = len.parse().map_err(|_| bad("length"))?;
        while buf.len() < head_end + len {
            let n = s.read(&mut chunk)?;
            if n == 0 {
                return Err(bad("closed in body"));
            }
            buf.extend_from_slice(&chunk[..n]);
        }
        return Ok((status, head_end, head_end + len));
    }
    if header_value(&head, "transfer-encoding").is_some() {
        while !buf.ends_with(b"0\r\n\r\n") {
            let n = s.read(&mut chunk)?;
            if n == 0 {
                return Err(bad("closed in chunks"));
            }
            buf.extend_from_slice(&chunk[..n]);
        }
        return Ok((status, head_end, buf.len()));
    }
    Ok((status, head_end, buf.len()))
}

fn main() {
    let mut a = std::collections::HashMap::<String, String>::new();
    let mut headers = String::new();
    let v: Vec<String> = std::env::args().skip(1).collect();
    for p in v.chunks(2) {
        if p.len() == 2 && p[0] == "--header" {
            headers.push_str(&p[1]);
            headers.push_str("\r\n");
        } else if p.len() == 2 {
            a.insert(p[0].trim_start_matches('-').into(), p[1].clone());
        }
    }
    let get = |k: &str, d: &str| a.get(k).cloned().unwrap_or_else(|| d.into());
    let num = |k: &str, d: &str| -> f64 { get(k, d).parse().unwrap_or_else(|_| panic!("--{k} is not a number")) };
    let addr = get("addr", "127.0.0.1:8080");
    let path = get("path", "/");
    let body = std::fs::read(get("body", "/dev/null")).expect("--body");
    let tokens = std::fs::read_to_string(get("tokens", "/dev/null")).expect("--tokens");
    let mut toks: Vec<&str> = tokens.lines().filter(|l| !l.is_empty()).collect();
    if toks.is_empty() {
        toks.push("none");
    }
    let vary = get("vary", "");
    let varied = if vary.is_empty() { None } else { Some(find(&body, vary.as_bytes()).expect("--vary is not in the body")) };
    let own = varied.map_or(0, |at| at + vary.len());
    let reqs = toks
        .iter()
        .enumerate()
        .map(|(i, t)| {
            let mut r = format!(
                "POST {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {t}\r\n{headers}Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .into_bytes();
            r.extend_from_slice(&body[..own]);
            if varied.is_some() {
                // Scrambled, since references of different merchants do not come in order either.
                let number = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let digits = format!("{number:020}").repeat(vary.len() / 20 + 1);
                let end = r.len();
                r[end - vary.len()..].copy_from_slice(&digits.as_bytes()[digits.len() - vary.len()..]);
            }
            r
        })
        .collect();
    let conns = num("conns", "32") as usize;
    let conf = Arc::new(Conf {
        addr,
        reqs,
        rest: body[own..].to_vec(),
        expect: get("expect", "").into_bytes(),
        rate: num("rate", "0"),
        warm: Duration::from_secs_f64(num("warm", "1")),
        total: Duration::from_secs_f64(num("warm", "1") + num("secs", "5")),
    });
    let next = Arc::new(AtomicU64::new(num("skip", "0") as u64));
    let slot = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let gate = Arc::new(Barrier::new(conns + 1));
    let mut hs = vec![];
    for _ in 0..conns {
        let (conf, next, slot, stop, gate) = (conf.clone(), next.clone(), slot.clone(), stop.clone(), gate.clone());
        let h = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
            unsafe { prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) };
            let mut lat: Vec<u32> = Vec::with_capacity(1 << 16);
            let (mut errs, mut non2xx, mut wrong) = (0u64, 0u64, 0u64);
            let mut first_bad = String::new();
            let dial = || {
                let s = TcpStream::connect(&conf.addr)?;
                s.set_nodelay(true)?;
                s.set_read_timeout(Some(Duration::from_secs(10)))?;
                Ok::<_, std::io::Error>(s)
            };
            let mut s = dial().ok();
            let mut buf = Vec::with_capacity(32768);
            gate.wait();
            let t0 = Instant::now();
            while !stop.load(Relaxed) {
                let due = if conf.rate > 0.0 {
                    let i = slot.fetch_add(1, Relaxed);
                    let due = t0 + Duration::from_secs_f64(i as f64 / conf.rate);
                    let now = Instant::now();
                    if due > now {
                        std::thread::sleep(due - now);
                    }
                    due
                } else {
                    Instant::now()
                };
                if due - t0 >= conf.total {
                    break;
                }
                if s.is_none() {
                    s = dial().ok();
                }
                let measured = due - t0 >= conf.warm;
                let r = &conf.reqs[next.fetch_add(1, Relaxed) as usize % conf.reqs.len()];
                let out = match s.as_mut() {
                    Some(c) => write_both(c, r, &conf.rest).and_then(|_| read_response(c, &mut buf)),
                    None => Err(std::io::Error::other("no connection")),
                };
                match out {
                    Ok((st, b, e)) => {
                        let ok2 = (200..300).contains(&st);
                        let okb = find(&buf[b..e], &conf.expect).is_some();
                        if measured {
                            lat.push(due.elapsed().as_micros().min(u32::MAX as u128) as u32);
                            non2xx += !ok2 as u64;
                            wrong += (ok2 && !okb) as u64;
                        }
                        if (!ok2 || !okb) && first_bad.is_empty() {
                            first_bad = String::from_utf8_lossy(&buf[..e.min(400)]).into_owned();
                        }
                    }
                    Err(e) => {
                        errs += measured as u64;
                        if first_bad.is_empty() {
                            first_bad = e.to_string();
                        }
                        s = None;
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            (lat, errs, non2xx, wrong, first_bad)
        });
        hs.push(h.expect("thread"));
    }
    gate.wait();
    std::thread::sleep(conf.total);
    stop.store(true, Relaxed);
    let mut lat = vec![];
    let (mut errs, mut non2xx, mut wrong) = (0, 0, 0);
    let mut bad = String::new();
    for h in hs {
        let r = h.join().expect("join");
        lat.extend(r.0);
        errs += r.1;
        non2xx += r.2;
        wrong += r.3;
        if bad.is_empty() {
            bad = r.4;
        }
    }
    lat.sort_unstable();
    let q = |p: f64| lat.get(((lat.len() as f64 * p) as usize).min(lat.len().saturating_sub(1))).copied().unwrap_or(0);
    let secs = (conf.total - conf.warm).as_secs_f64();
    println!(
        "{{\"count\":{},\"rps\":{:.1},\"p50\":{},\"p90\":{},\"p99\":{},\"p999\":{},\"max\":{},\"errors\":{errs},\"non2xx\":{non2xx},\"wrong\":{wrong}}}",
        lat.len(), lat.len() as f64 / secs, q(0.5), q(0.9), q(0.99), q(0.999), lat.last().copied().unwrap_or(0)
    );
    let failed = errs + non2xx + wrong;
    if lat.is_empty() || failed * 1000 > lat.len() as u64 {
        eprintln!("loadgen: {failed} of {} failed; first: {bad}", lat.len());
        std::process::exit(2);
    }
}
