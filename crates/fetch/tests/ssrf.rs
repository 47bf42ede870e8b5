//! S8: whatever an address is spelled as, wherever a redirect points and however a name server lies, nothing blocked is
//! connected to. A listener on loopback counts; the control shows that it would have heard.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shieldwall_fetch::{Allowed, Credentials, FetchError, Fetcher, Policy, Request, Resolve, Resolving, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that counts connections, keeps what was asked, and answers each with the next answer, the last for ever.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, heard) = (Arc::clone(&connections), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let turn = count.fetch_add(1, Ordering::SeqCst);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        break;
                    }
                    head.push(byte[0]);
                }
                heard.lock().unwrap().push(String::from_utf8_lossy(&head).to_lowercase());
                let answer = &answers[turn.min(answers.len() - 1)];
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, connections, asked }
    }

    async fn plain() -> Self {
        Self::answering(vec![ok("hello")]).await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

/// A name server that gives each name's next list of addresses, the last for ever.
#[derive(Default)]
struct Names(HashMap<String, Vec<Vec<IpAddr>>>, Mutex<HashMap<String, usize>>);

impl Names {
    fn new(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let read = |turns: &[&[&str]]| -> Vec<Vec<IpAddr>> {
            turns.iter().map(|turn| turn.iter().map(|text| text.parse().unwrap()).collect()).collect()
        };
        let names = names.iter().map(|(name, turns)| ((*name).to_owned(), read(turns))).collect();
        Arc::new(Self(names, Mutex::default()))
    }

    fn asked(&self, name: &str) -> usize {
        self.1.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Resolve for Names {
    fn resolve(&self, host: &str) -> Resolving {
        let mut asked = self.1.lock().unwrap();
        let turn = asked.entry(host.to_owned()).or_default();
        let found =
            self.0.get(host.trim_end_matches('.')).map(|turns| turns[(*turn).min(turns.len() - 1)].clone());
        *turn += 1;
        Box::pin(std::future::ready(found.ok_or_else(|| std::io::Error::other("no such name"))))
    }
}

fn fetcher(allowed: &[&str], names: &Arc<Names>) -> Fetcher {
    let allowed = allowed.iter().map(|text| text.parse::<Allowed>().unwrap()).collect();
    Fetcher::new(Policy::new(allowed), Arc::clone(names) as Arc<dyn Resolve>)
}

async fn get(fetcher: &Fetcher, url: &str) -> Result<String, FetchError> {
    let answer = fetcher.fetch(Request::get(Fetcher::read_url(url)?, 1_000)).await?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// Spellings of hosts that lead, or may lead, where nothing may go.
const SPELLINGS: [&str; 66] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0x7f.1",
    "127.0.0.1.",
    "127.255.255.254",
    "127.0.0.2",
    "0",
    "0.0.0.0",
    "0x0",
    "00000000",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[::ffff:169.254.169.254]",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.0.1",
    "10.0.0.1",
    "012.0.0.1",
    "0xa.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "3232235521",
    "0xc0a80001",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "localhost",
];

#[tokio::test]
async fn no_spelling_of_a_blocked_address_is_connected_to() {
    let server = Server::plain().await;
    let names = Names::new(&[("localhost", &[&["127.0.0.1"]])]);
    // Plain HTTP and this port are allowed for a public network, so that only the address is in the way.
    let port = server.port;
    let fetcher = fetcher(&["http://1.0.0.0/8", "http://localhost"], &names);
    let mut refused = 0;
    for host in SPELLINGS {
        for scheme in ["http", "https"] {
            let error = get(&fetcher, &format!("{scheme}://{host}:{port}/")).await.expect_err(host);
            assert!(matches!(error.code(), "fetch.blocked" | "fetch.url" | "fetch.name"), "{host}: {error}");
            refused += 1;
        }
    }
    assert_eq!((server.connections(), refused), (0, 2 * SPELLINGS.len()));
    println!("{refused} addresses of {} spellings: 0 connections", SPELLINGS.len());
}

#[tokio::test]
async fn the_control_is_heard() {
    let server = Server::plain().await;
    let fetcher = fetcher(&["http://127.0.0.0/8"], &Names::new(&[]));
    assert_eq!(get(&fetcher, &format!("http://127.0.0.1:{}/", server.port)).await.unwrap(), "hello");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn other_schemes_userinfo_and_ports_are_refused() {
    let fetcher = fetcher(&[], &Names::new(&[("a.example", &[&["93.184.215.14"]])]));
    for (url, code) in [
        ("file:///etc/passwd", "fetch.url"),
        ("ftp://a.example/", "fetch.url"),
        ("gopher://a.example/", "fetch.url"),
        ("https://user:secret@a.example/", "fetch.url"),
        ("https://127.0.0.1@a.example/", "fetch.url"),
        ("https://", "fetch.url"),
        ("http://a.example/", "fetch.blocked"),
        ("https://a.example:22/", "fetch.blocked"),
        ("https://a.example:8443/", "fetch.blocked"),
        ("https://nowhere.example/", "fetch.name"),
    ] {
        let error = get(&fetcher, url).await.expect_err(url);
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_checked_as_the_first_address_was() {
    let inner = Server::plain().await;
    for to in [
        format!("http://[::1]:{}/", inner.port),
        format!("http://2130706434:{}/", inner.port),
        format!("http://127.0.0.2:{}/", inner.port),
        format!("http://inner.example:{}/", inner.port),
        format!("//127.0.0.2:{}/", inner.port),
        "file:///etc/passwd".to_owned(),
        format!("http://a:b@127.0.0.1:{}/", inner.port),
    ] {
        let outer = Server::answering(vec![redirect(&to)]).await;
        let names = Names::new(&[("inner.example", &[&["127.0.0.2"]])]);
        let fetcher = fetcher(&[&format!("http://127.0.0.1:{}", outer.port)], &names);
        let error = get(&fetcher, &format!("http://127.0.0.1:{}/", outer.port)).await.expect_err(&to);
        assert!(matches!(error.code(), "fetch.blocked" | "fetch.url"), "{to}: {error}");
        assert_eq!((outer.connections(), inner.connections()), (1, 0), "{to}");
    }
}

#[tokio::test]
async fn redirects_end_and_credentials_stay_at_home() {
    let names = Names::new(&[]);
    let fetcher = fetcher(&["http://127.0.0.0/8"], &names);
    let round = Server::answering(vec![redirect("/again")]).await;
    let error = get(&fetcher, &format!("http://127.0.0.1:{}/", round.port)).await.unwrap_err();
    assert_eq!((error.code(), round.connections()), ("fetch.redirects", 4));

    let other = Server::plain().await;
    let first =
        Server::answering(vec![redirect("/step"), redirect(&format!("http://127.0.0.1:{}/", other.port))])
            .await;
    let mut request = Request::get(Url::parse(&format!("http://127.0.0.1:{}/", first.port)).unwrap(), 100);
    request.credentials = Credentials::Bearer("swt_secret".into());
    fetcher.fetch(request.clone()).await.unwrap();
    assert!(first.asked.lock().unwrap().iter().all(|head| head.contains("swt_secret")));
    assert!(!other.asked.lock().unwrap()[0].contains("authorization"), "another origin is told nothing");
    assert!(!format!("{request:?}").contains("secret"));

    request.body = Some("x".into());
    let moved = Server::answering(vec![redirect("/elsewhere")]).await;
    request.url = Url::parse(&format!("http://127.0.0.1:{}/", moved.port)).unwrap();
    assert_eq!(fetcher.fetch(request).await.unwrap_err().code(), "fetch.redirects");
    assert_eq!(moved.connections(), 1, "a body is sent once");
}

#[tokio::test]
async fn a_name_that_answers_differently_the_second_time_is_asked_once() {
    let server = Server::plain().await;
    let names = Names::new(&[
        // Allowed at first, this machine ever after.
        ("rebind.example", &[&["127.0.0.9"], &["127.0.0.1"]]),
        // One bad address among good ones.
        ("mixed.example", &[&["93.184.215.14", "127.0.0.1"]]),
    ]);
    let fetcher = fetcher(&["http://127.0.0.9", "http://mixed.example"], &names);
    let url = format!("http://rebind.example:{}/", server.port);
    // Nobody listens on 127.0.0.9; what matters is where the connection went.
    assert_eq!(get(&fetcher, &url).await.unwrap_err().code(), "fetch.broken");
    assert_eq!((server.connections(), names.asked("rebind.example")), (0, 1));
    assert_eq!(get(&fetcher, &url).await.unwrap_err().code(), "fetch.blocked", "asked and checked anew");
    let mixed = get(&fetcher, &format!("http://mixed.example:{}/", server.port)).await.unwrap_err();
    assert_eq!((mixed.code(), server.connections()), ("fetch.blocked", 0));
}

#[tokio::test]
async fn bytes_and_time_are_capped() {
    let fetcher = fetcher(&["http://127.0.0.0/8"], &Names::new(&[]));
    let large = Server::answering(vec![ok(&"x".repeat(1_001))]).await;
    assert_eq!(
        get(&fetcher, &format!("http://127.0.0.1:{}/", large.port)).await.unwrap_err().code(),
        "fetch.size"
    );
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut request = Request::get(Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap(), 100);
    request.seconds_max = 1;
    assert_eq!(fetcher.fetch(request).await.unwrap_err().code(), "fetch.time");
}

#[tokio::test]
async fn what_is_unpacked_counts() {
    // `zeros.gz` unpacks to 100,000 bytes.
    let fetcher = fetcher(&["http://127.0.0.0/8"], &Names::new(&[]));
    let packed = include_bytes!("zeros.gz");
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    answer.extend_from_slice(packed);
    let server = Server::answering(vec![answer]).await;
    assert!(packed.len() < 1_000);
    let error = get(&fetcher, &format!("http://127.0.0.1:{}/", server.port)).await.unwrap_err();
    assert_eq!(error.code(), "fetch.size");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    let proxy = Server::plain().await;
    // Set for this test's process alone; the others fetch without a proxy whether it is set or not.
    let variables = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"];
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_control_is_heard"])
        .envs(variables.map(|name| (name, format!("http://127.0.0.1:{}", proxy.port))))
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    assert_eq!(proxy.connections(), 0);
}
