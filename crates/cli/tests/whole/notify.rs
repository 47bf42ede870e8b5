//! Kept searches: who keeps one is told of what is new, on each way, once, and never of more than they may read then.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_hub::notify::signature;
use shieldwall_hub::{Config, Mail};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::time::SystemClock;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::stix::bundle;
use crate::support::{Answer, Client, World, within};

/// A receiver of posts: what it answers, one after the other (200 after the last), and what came.
#[derive(Clone)]
struct Receiver {
    answers: Arc<Mutex<VecDeque<u16>>>,
    came: mpsc::Sender<(HeaderMap, String)>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    receiver.came.send((headers, body)).await.unwrap();
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

async fn receiver(answers: &[u16]) -> (SocketAddr, mpsc::Receiver<(HeaderMap, String)>) {
    let (came, coming) = mpsc::channel(64);
    let state = Receiver { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), came };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(receive).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, coming)
}

/// A mail server that takes everything (RFC 5321, as much of it as a client needs).
async fn mail_server() -> (SocketAddr, mpsc::Receiver<String>) {
    let (came, coming) = mpsc::channel(64);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let came = came.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                stream.write_all(b"220 sink\r\n").await.unwrap();
                let (mut line, mut mail, mut in_data) = (String::new(), String::new(), false);
                while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                    let answer = match line.trim_end() {
                        "." if in_data => {
                            in_data = false;
                            came.send(std::mem::take(&mut mail)).await.unwrap();
                            "250 taken\r\n"
                        }
                        _ if in_data => {
                            mail.push_str(&line);
                            ""
                        }
                        "DATA" => {
                            in_data = true;
                            "354 go on\r\n"
                        }
                        "QUIT" => "221 bye\r\n",
                        said => {
                            if said.starts_with("RCPT") || said.starts_with("MAIL") {
                                mail.push_str(&line);
                            }
                            "250 sink\r\n"
                        }
                    };
                    line.clear();
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, coming)
}

/// A hub that may post to this machine, and mails by this server.
async fn world(mail: Option<SocketAddr>) -> World {
    World::start_as(
        Arc::new(SystemClock),
        Box::new(move |config: &mut Config| {
            config.allow_fetch_from = vec!["http://127.0.0.0/8".parse().unwrap()];
            config.mail =
                mail.map(|at| Mail { server: format!("smtp://{at}"), from: "wall@wall.example".into() });
        }),
    )
    .await
}

async fn share(client: &Client, group: GroupId, name: &str, marking: Option<&str>) {
    let number = name.bytes().fold(7u64, |sum, byte| (sum * 31 + u64::from(byte)) % 0xffff_ffff);
    let mut object = json!({
        "type": "tool", "spec_version": "2.1", "id": format!("tool--{number:08x}-0000-4000-8000-000000000000"),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "name": name,
    });
    if let Some(marking) = marking {
        object["object_marking_refs"] = json!([marking]);
    }
    let path = format!("/api/v1/objects?group={group}");
    let report =
        client.post(&path, "application/json", bundle(&[object.to_string()])).await.expect(200).json();
    assert_eq!(report["accepted"], 1, "{report}");
}

fn told(body: &Json) -> Vec<&str> {
    body["objects"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_signed_made_again_until_it_is_taken_and_holds_what_its_keeper_may_read() {
    let (address, mut coming) = receiver(&[500]).await;
    let world = world(None).await;
    let desk = world.group("Baltic desk", "RED", "shown", &["LU", "EE"]).await;
    let theirs = world.group("Iberian desk", "AMBER", "shown", &["ES", "PT"]).await;
    let (luxembourg, estonia) =
        (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let spain = world.token("ES", Role::Analyst).await;
    share(&estonia, desk.id, "old wrench", None).await;
    let new =
        json!({"name": "wrenches", "query": "wrench type:tool", "webhook": format!("http://{address}/hook")});
    let kept = luxembourg.post_json("/api/v1/searches", &new).await.expect(200).json();
    let secret = kept["secret"].as_str().expect("a secret").to_owned();
    let listed = luxembourg.get("/api/v1/searches").await.expect(200);
    assert!(!listed.text().contains(&secret) && listed.json()["searches"][0]["name"] == "wrenches");
    assert_eq!(
        estonia.get_json("/api/v1/searches").await["searches"],
        json!([]),
        "everybody keeps their own"
    );
    let red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1";
    share(&spain, theirs.id, "hidden wrench", None).await;
    share(&estonia, desk.id, "red wrench", Some(red)).await;
    share(&estonia, desk.id, "hammer", None).await;
    share(&estonia, desk.id, "new wrench", None).await;

    // The first answer is 500: what came with it comes again.
    let (mut seen, mut withheld, mut posts) = (Vec::new(), 0, 0);
    while !seen.contains(&"new wrench".to_owned()) || withheld < 1 || posts < 2 {
        let (headers, body) = within("a post", coming.recv()).await.expect("the receiver is there");
        let signed = headers["x-shieldwall-signature"].to_str().unwrap();
        let seconds = signed.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap();
        assert_eq!(signed, signature(&secret, seconds.parse().unwrap(), body.as_bytes()));
        assert_eq!(headers["content-type"], "application/json");
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(body["search"]["query"], "wrench type:tool");
        posts += 1;
        if posts > 1 {
            seen.extend(told(&body).into_iter().map(str::to_owned));
            withheld += body["withheld"].as_u64().unwrap();
        }
    }
    assert_eq!((seen, withheld), (vec!["new wrench".to_owned()], 1), "once, and nothing else");
    let log = loop {
        let searches = luxembourg.get_json("/api/v1/searches").await;
        let log = searches["searches"][0]["log"].as_array().unwrap().clone();
        if log.iter().any(|one| one["outcome"] == "delivered") {
            break log;
        }
        tokio::task::yield_now().await;
    };
    let failed = log.iter().find(|one| one["outcome"] == "failed").expect("the first attempt is in the log");
    assert_eq!((&failed["attempt"], &failed["error"]), (&json!(1), &json!("it answered 500")));

    // A keeper who may no longer read is told nothing more, and a search let go of tells nothing either.
    let id = kept["id"].as_str().unwrap();
    Answer::to(estonia.change(Method::DELETE, &format!("/api/v1/searches/{id}"))).await.expect(404);
    Answer::to(luxembourg.change(Method::DELETE, &format!("/api/v1/searches/{id}"))).await.expect(204);
    assert_eq!(luxembourg.get_json("/api/v1/searches").await["searches"], json!([]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_who_may_no_longer_read_is_told_no_more() {
    let (address, mut coming) = receiver(&[]).await;
    let world = world(None).await;
    let (luxembourg, estonia) =
        (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    for client in [&luxembourg, &estonia] {
        let new = json!({"name": "wrenches", "query": "wrench", "webhook": format!("http://{address}/{}", client.secret().len())});
        client.post_json("/api/v1/searches", &new).await.expect(200);
    }
    let tokens = world.operator().get_json("/api/v1/tokens").await;
    let of_luxembourg =
        tokens["tokens"].as_array().unwrap().iter().find(|token| token["label"] == "LU analyst");
    let id = of_luxembourg.unwrap()["id"].as_str().unwrap().to_owned();
    Answer::to(world.operator().change(Method::DELETE, &format!("/api/v1/tokens/{id}"))).await.expect(204);
    // Both searches are looked at in one round, Luxembourg's first or Estonia's; two rounds told, one keeper.
    let spain = world.token("ES", Role::Analyst).await;
    for name in ["first wrench", "second wrench"] {
        share(&spain, GroupId::ALLIANCE, name, None).await;
        let (_, body) = within("a post", coming.recv()).await.expect("the receiver is there");
        assert_eq!(
            told(&serde_json::from_str(&body).unwrap()),
            [name],
            "told once, to whoever may still read"
        );
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_and_the_mail_tell_of_it_too() {
    let (mail, mut coming) = mail_server().await;
    let world = world(Some(mail)).await;
    let (luxembourg, estonia) =
        (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let mut stream = luxembourg.events(None).await;
    let mut other = estonia.events(None).await;
    let new = json!({"name": "wrenches", "query": "wrench", "stream": true, "email": "duty@lu.example"});
    luxembourg.post_json("/api/v1/searches", &new).await.expect(200);
    share(&estonia, GroupId::ALLIANCE, "new wrench", None).await;
    let event = within("the stream to tell", stream.named("search")).await;
    assert_eq!((told(&event.data), event.id), (vec!["new wrench"], None));
    let mail = within("a mail", coming.recv()).await.expect("the mail server is there");
    assert!(
        mail.contains("RCPT TO:<duty@lu.example>") && mail.contains("From: <wall@wall.example>"),
        "{mail}"
    );
    assert!(!mail.contains("wrench"), "words stand in base64, and names not at all: {mail}");
    // Another's stream tells of the object, as ever, and not of the search.
    share(&estonia, GroupId::ALLIANCE, "last hammer", None).await;
    loop {
        let event = within("the other stream", other.next()).await.expect("an event");
        assert_ne!(event.name, "search");
        if event.data["name"] == "last hammer" {
            break;
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_says_why_and_the_page_does_the_same_as_the_api() {
    let world = World::start().await;
    let luxembourg = world.token("LU", Role::Analyst).await;
    for (new, status, code) in [
        (json!({"name": "", "query": "x"}), 422, "search.name"),
        (json!({"name": "x", "query": " "}), 422, "search.empty"),
        (json!({"name": "x", "query": "tlp:purple"}), 400, "search.value"),
        (json!({"name": "x", "query": "owner:Atlantis"}), 400, "search.owner"),
        (json!({"name": "x", "query": "x", "webhook": "ftp://a.example/"}), 422, "search.webhook.address"),
        (json!({"name": "x", "query": "x", "email": "a@b.example"}), 422, "search.email.off"),
    ] {
        assert_eq!(luxembourg.post_json("/api/v1/searches", &new).await.expect(status).code(), code, "{new}");
    }
    let person = world.session("LU", Role::Analyst).await;
    let fields =
        [("name", "mine"), ("query", "type:tool"), ("stream", "yes"), ("webhook", "https://a.example/h")];
    let made = person.post_form("/intelligence/saved", &fields).await.expect(200).text();
    assert!(made.contains("sws_") && made.contains("mine"), "the secret is shown: {made}");
    let page = person.get("/intelligence/saved?query=label%3Ax").await.expect(200).text();
    assert!(
        !page.contains("sws_") && page.contains("label:x") && page.contains("https://a.example/h"),
        "{page}"
    );
    let id = page.split("/intelligence/saved/").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    person.post_form(&format!("/intelligence/saved/{id}/remove"), &[]).await.expect(303);
    assert!(!person.get("/intelligence/saved").await.expect(200).text().contains("https://a.example/h"));
    let refused = person.post_form("/intelligence/saved", &[("name", "x"), ("query", "tlp:purple")]).await;
    assert!(refused.expect(400).text().contains("at character 5"));
    world.end().await;
}
