//! HTTP/1.1 with as little of its own as can be, so that what is measured is the server: one connection, kept open
//! where the server lets it, requests written whole, answers read by `Content-Length`, in chunks, or to the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::fault::Fault;

/// How long a server may take for an answer.
const ANSWER_SECONDS_MAX: u64 = 120;
/// Longest line of an answer's head, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// A connection to one server, with one set of credentials.
pub(crate) struct Wire {
    address: SocketAddr,
    authorization: String,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    /// For `address`; connects with the first request. `authorization` is the header's value.
    pub(crate) fn new(address: SocketAddr, authorization: &str) -> Self {
        Self { address, authorization: authorization.to_owned(), stream: None }
    }

    /// Asks, and reads the answer whole.
    ///
    /// # Errors
    /// `cli.bench.wire` when there is none, or it is no HTTP.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Answer, Fault> {
        let fresh = self.stream.is_none();
        match self.exchange(method, path, body) {
            // A server may close a kept connection at any time; a new one then gets its own try.
            Err(_) if !fresh && method == "GET" => {
                self.stream = None;
                self.exchange(method, path, body)
            }
            answer => answer,
        }
        .map_err(|error| {
            self.stream = None;
            let what = format!("{method} {path} at {} got no answer", self.address);
            Fault::environment("cli.bench.wire", what).because(error)
        })
    }

    fn exchange(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> std::io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
                BufReader::with_capacity(256 * 1024, stream)
            }
        };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nAccept: application/taxii+json;version=2.1\r\n",
            self.address, self.authorization
        )
        .into_bytes();
        if let Some(body) = body {
            let head = format!(
                "Content-Type: application/taxii+json;version=2.1\r\nContent-Length: {}\r\n",
                body.len()
            );
            request.extend_from_slice(head.as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.unwrap_or_default());
        stream.get_mut().write_all(&request)?;
        let (answer, keep) = read(&mut stream)?;
        if keep {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<(Answer, bool)> {
    let first = line(stream)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken(&first))?;
    let (mut length, mut chunked, mut keep) = (None, false, first.starts_with("HTTP/1.1"));
    loop {
        let header = line(stream)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(|| broken(&header))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.parse::<u64>().map_err(|_| broken(&header))?),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => keep = value.eq_ignore_ascii_case("keep-alive"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) if !chunked => {
            body.reserve_exact(usize::try_from(length).unwrap_or_default());
            if stream.by_ref().take(length).read_to_end(&mut body)? as u64 != length {
                return Err(broken("the body broke off"));
            }
        }
        _ if chunked => loop {
            let size = line(stream)?;
            let size = u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
                .map_err(|_| broken(&size))?;
            stream.by_ref().take(size).read_to_end(&mut body)?;
            line(stream)?;
            if size == 0 {
                break;
            }
        },
        _ => {
            keep = false;
            stream.read_to_end(&mut body)?;
        }
    }
    Ok((Answer { status, body }, keep))
}

fn line(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(broken("the connection was closed"));
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Serves these answers on one connection each, and gives back what was asked.
    fn serve(answers: &'static [&'static str]) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = thread::spawn(move || {
            answers
                .iter()
                .map(|answer| {
                    let (stream, _) = listener.accept().unwrap();
                    let mut stream = BufReader::new(stream);
                    let first = line(&mut stream).unwrap();
                    while !line(&mut stream).unwrap().is_empty() {}
                    stream.get_mut().write_all(answer.as_bytes()).unwrap();
                    first
                })
                .collect()
        });
        (address, asked)
    }

    #[test]
    fn answers_are_read_by_length_in_chunks_and_to_the_end() {
        let (address, asked) = serve(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n",
            "HTTP/1.0 404 Not Found\r\n\r\nabc",
        ]);
        let mut wire = Wire::new(address, "Bearer x");
        for status in [200, 202, 404] {
            let answer = wire.ask("GET", "/x", None).unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (status, b"abc".as_slice()));
        }
        assert_eq!(asked.join().unwrap(), ["GET /x HTTP/1.1"; 3]);
    }
}
