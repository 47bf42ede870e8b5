//! One event spelled in each format.

use std::fmt::Write as _;

use super::{AGENTS, About, Facts, Generator};

/// Year, month, day, hour, minute, second, microsecond of a time (proleptic Gregorian; Hinnant, "chrono-compatible
/// low-level date algorithms").
fn civil(microseconds: i64) -> (i64, i64, i64, i64, i64, i64, i64) {
    let (seconds, micro) = (microseconds.div_euclid(1_000_000), microseconds.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1, second / 3600, second / 60 % 60, second % 60, micro)
}

fn stamp(microseconds: i64, zone: &str) -> String {
    let (year, month, day, hour, minute, second, micro) = civil(microseconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}{zone}")
}

/// The inside of a JSON string; non-ASCII stays, as most writers leave it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out
}

/// The same with everything beyond ASCII as `\u` escapes, as some writers do.
fn escaped_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut units = [0u16; 2];
    for character in escaped(text).chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

impl Generator {
    fn accent(&mut self, facts: &Facts) -> String {
        if self.dice.one_in(2) { escaped(&facts.accent) } else { escaped_ascii(&facts.accent) }
    }

    pub(super) fn suricata(&mut self, out: &mut String, facts: &Facts) {
        let time = stamp(facts.time, "+0000");
        let kind = match facts.about {
            About::Flow | About::Note => "flow",
            About::Dns => "dns",
            About::Http => "http",
            About::Tls => "tls",
            About::File => "fileinfo",
            About::Mail => "smtp",
        };
        let (source, target) = (&facts.source, &facts.target);
        let (source_port, target_port) = (facts.source_port, facts.target_port);
        let protocol = if facts.about == About::Dns { "UDP" } else { "TCP" };
        let flow = self.dice.below(1 << 51);
        let community = self.dice.next();
        let _ = write!(out, r#"{{"timestamp":"{time}","flow_id":{flow},"#);
        // Key order varies between versions and outputs.
        if self.dice.below(4) > 0 {
            let _ = write!(
                out,
                r#""in_iface":"eth{}","event_type":"{kind}","vlan":[{}],"src_ip":"{source}","src_port":{source_port},"dest_ip":"{target}","dest_port":{target_port},"proto":"{protocol}","pkt_src":"wire/pcap","community_id":"1:{community:016x}AAbb=","#,
                self.dice.below(2),
                self.dice.below(8) * 10 + 1,
            );
        } else {
            let _ = write!(
                out,
                r#""event_type":"{kind}","dest_ip":"{target}","dest_port":{target_port},"src_ip":"{source}","src_port":{source_port},"proto":"{protocol}","host":"sensor-{}","#,
                self.dice.below(20),
            );
        }
        if !facts.accent.is_empty() {
            let accent = self.accent(facts);
            let _ = write!(out, r#""metadata":{{"site":["{accent} \"{}\""]}},"#, self.dice.below(100));
        }
        self.suricata_body(out, facts, &time);
        out.push('}');
    }

    fn suricata_body(&mut self, out: &mut String, facts: &Facts, time: &str) {
        let (host, path) = (&facts.host, escaped(&facts.path));
        let dice = &mut self.dice;
        let _ = match facts.about {
            About::Flow | About::Note => write!(
                out,
                r#""app_proto":"{}","flow":{{"pkts_toserver":{},"pkts_toclient":{},"bytes_toserver":{},"bytes_toclient":{},"start":"{time}","end":"{time}","age":{},"state":"{}","reason":"timeout","alerted":false}},"tcp":{{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","ts_max_regions":1,"tc_max_regions":1}}"#,
                dice.pick(&["tls", "http", "dns", "failed", "ssh"]),
                dice.below(400),
                dice.below(600),
                dice.below(100_000),
                dice.below(3_000_000),
                dice.below(300),
                dice.pick(&["closed", "established", "new"]),
            ),
            About::Dns if dice.one_in(2) => write!(
                out,
                r#""dns":{{"version":2,"type":"query","id":{},"rrname":"{host}","rrtype":"{}","tx_id":0,"opcode":0}}"#,
                dice.below(65536),
                dice.pick(&["A", "AAAA", "HTTPS"]),
            ),
            About::Dns => {
                let addresses: Vec<String> = (0..1 + dice.below(3))
                    .map(|_| {
                        format!(
                            "{}.{}.{}.{}",
                            11 + dice.below(89),
                            dice.below(256),
                            dice.below(256),
                            1 + dice.below(254)
                        )
                    })
                    .collect();
                let answers: Vec<String> = addresses
                    .iter()
                    .map(|address| {
                        format!(
                            r#"{{"rrname":"{host}","rrtype":"A","ttl":{},"rdata":"{address}"}}"#,
                            dice.below(3600)
                        )
                    })
                    .collect();
                write!(
                    out,
                    r#""dns":{{"version":2,"type":"answer","id":{},"flags":"8180","qr":true,"rd":true,"ra":true,"opcode":0,"rrname":"{host}","rrtype":"A","rcode":"NOERROR","answers":[{}],"grouped":{{"A":["{}"]}}}}"#,
                    dice.below(65536),
                    answers.join(","),
                    addresses.join("\",\""),
                )
            }
            About::Http => write!(
                out,
                r#""tx_id":0,"http":{{"hostname":"{host}","url":"{path}","http_user_agent":"{}","http_content_type":"text/html","http_method":"GET","protocol":"HTTP/1.1","status":{},"length":{}}}"#,
                dice.pick(&AGENTS),
                dice.pick(&["200", "304", "404", "302"]),
                dice.below(100_000),
            ),
            About::Tls => write!(
                out,
                r#""tls":{{"subject":"CN={host}","issuerdn":"C=US, O=Example Trust, CN=R{}","serial":"{:032x}","fingerprint":"{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}","sni":"{host}","version":"TLS 1.3","notbefore":"2026-03-01T00:00:00","notafter":"2026-05-30T00:00:00","ja3":{{"hash":"{}","string":"771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-13-18-51-45-43-27-17513-21,29-23-24,0"}},"ja4":"{}","ja3s":{{"hash":"{:032x}","string":"771,49199,65281-0-11-35-16"}}}}"#,
                dice.below(9),
                dice.next(),
                dice.below(256),
                dice.below(256),
                dice.below(256),
                dice.below(256),
                dice.below(256),
                dice.below(256),
                dice.below(256),
                dice.below(256),
                facts.ja3,
                facts.ja4,
                dice.next(),
            ),
            About::File => write!(
                out,
                r#""http":{{"hostname":"{host}","url":"{path}","http_user_agent":"{}","http_content_type":"application/octet-stream","http_method":"GET","protocol":"HTTP/1.1","status":200,"length":{}}},"app_proto":"http","fileinfo":{{"filename":"/dl/{}","magic":"PE32 executable (GUI) Intel 80386, for MS Windows","gaps":false,"state":"CLOSED","md5":"{}","sha1":"{}","sha256":"{}","stored":false,"size":{},"tx_id":0}}"#,
                dice.pick(&AGENTS),
                dice.below(1_000_000),
                escaped(&facts.file),
                facts.digests[0],
                facts.digests[1],
                facts.digests[2],
                dice.below(1_000_000),
            ),
            About::Mail => write!(
                out,
                r#""tx_id":1,"smtp":{{"helo":"{host}","mail_from":"<{}>","rcpt_to":["<{}>"]}},"email":{{"status":"PARSE_DONE","from":"{}","to":["{}"]}}"#,
                facts.sender, facts.receiver, facts.sender, facts.receiver,
            ),
        };
    }

    pub(super) fn zeek(&mut self, out: &mut String, facts: &Facts) {
        let dice = &mut self.dice;
        let (seconds, micro) = (facts.time.div_euclid(1_000_000), facts.time.rem_euclid(1_000_000));
        let _ = write!(
            out,
            r#"{{"ts":{seconds}.{micro:06},"uid":"C{:x}","id.orig_h":"{}","id.orig_p":{},"id.resp_h":"{}","id.resp_p":{},"#,
            dice.next(),
            facts.source,
            facts.source_port,
            facts.target,
            facts.target_port,
        );
        let (host, path) = (&facts.host, escaped(&facts.path));
        let _ = match facts.about {
            About::Flow | About::Note => write!(
                out,
                r#""proto":"tcp","service":"ssl","duration":{}.{},"orig_bytes":{},"resp_bytes":{},"conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":{},"resp_pkts":{}"#,
                dice.below(100),
                dice.below(1000),
                dice.below(10_000),
                dice.below(1_000_000),
                dice.below(100),
                dice.below(1000),
            ),
            About::Dns => write!(
                out,
                r#""proto":"udp","trans_id":{},"query":"{host}","qclass":1,"qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,"RD":true,"RA":true,"Z":0,"answers":["cname.{host}","{}.{}.{}.{}"],"TTLs":[60.0,60.0],"rejected":false"#,
                dice.below(65536),
                11 + dice.below(89),
                dice.below(256),
                dice.below(256),
                1 + dice.below(254),
            ),
            About::Http => write!(
                out,
                r#""trans_depth":1,"method":"GET","host":"{host}","uri":"{path}","version":"1.1","user_agent":"{}","request_body_len":0,"response_body_len":{},"status_code":200,"status_msg":"OK","tags":[]"#,
                dice.pick(&AGENTS),
                dice.below(100_000),
            ),
            About::Tls => write!(
                out,
                r#""version":"TLSv13","cipher":"TLS_AES_128_GCM_SHA256","curve":"x25519","server_name":"{host}","resumed":false,"established":true,"ja3":"{}","ja4":"{}""#,
                facts.ja3, facts.ja4,
            ),
            About::File => write!(
                out,
                r#""fuid":"F{:x}","source":"HTTP","depth":0,"analyzers":["MD5","SHA1","SHA256"],"mime_type":"application/x-dosexec","filename":"{}","duration":0.1,"is_orig":false,"seen_bytes":{},"md5":"{}","sha1":"{}","sha256":"{}""#,
                dice.next(),
                escaped(&facts.file),
                dice.below(100_000),
                facts.digests[0],
                facts.digests[1],
                facts.digests[2],
            ),
            About::Mail => write!(
                out,
                r#""trans_depth":1,"helo":"{host}","mailfrom":"{}","rcptto":["{}"],"from":"<{}>","to":["{}"],"subject":"{}","path":["{}"]"#,
                facts.sender,
                facts.receiver,
                facts.sender,
                facts.receiver,
                escaped(&facts.accent),
                facts.source,
            ),
        };
        out.push('}');
    }

    pub(super) fn ecs(&mut self, out: &mut String, facts: &Facts) {
        let accent = self.accent(facts);
        let dice = &mut self.dice;
        let time = stamp(facts.time, "Z");
        let (host, path) = (&facts.host, escaped(&facts.path));
        let _ = write!(
            out,
            r#"{{"@timestamp":"{time}","ecs":{{"version":"8.11.0"}},"agent":{{"type":"packetbeat","name":"{accent}","version":"8.14.1"}},"event":{{"kind":"event","dataset":"network.flow","duration":{}}},"source":{{"ip":"{}","port":{},"bytes":{}}},"destination":{{"ip":"{}","port":{},"geo":{{"country_iso_code":"LU","location":{{"lat":49.6,"lon":6.1}}}}}},"network":{{"transport":"tcp","type":"ipv4"}},"#,
            dice.below(1_000_000_000),
            facts.source,
            facts.source_port,
            dice.below(100_000),
            facts.target,
            facts.target_port,
        );
        let _ = match facts.about {
            About::Flow => {
                write!(out, r#""host":{{"name":"host-{}","ip":["{}"]}}"#, dice.below(500), facts.source)
            }
            About::Note => write!(out, r#""log":{{"level":"notice"}},"message":"{}""#, escaped(&facts.note)),
            About::Dns => write!(
                out,
                r#""dns":{{"question":{{"name":"{host}","type":"A"}},"answers":[{{"name":"{host}","type":"A","ttl":60,"data":"{}.{}.{}.{}"}}]}}"#,
                11 + dice.below(89),
                dice.below(256),
                dice.below(256),
                1 + dice.below(254),
            ),
            About::Http => write!(
                out,
                r#""url":{{"domain":"{host}","full":"{}://{host}{path}","path":"{path}","scheme":"http"}},"http":{{"request":{{"method":"GET"}}}},"user_agent":{{"original":"{}"}}"#,
                if facts.https { "https" } else { "http" },
                dice.pick(&AGENTS),
            ),
            About::Tls => write!(
                out,
                r#""tls":{{"version":"1.3","client":{{"server_name":"{host}","ja3":"{}","ja4":"{}"}}}}"#,
                facts.ja3, facts.ja4,
            ),
            About::File => write!(
                out,
                r#""file":{{"name":"{0}","path":"C:\\Users\\{accent}\\Downloads\\{0}","hash":{{"md5":"{1}","sha1":"{2}","sha256":"{3}","sha512":"{4}"}}}}"#,
                escaped(&facts.file),
                facts.digests[0],
                facts.digests[1],
                facts.digests[2],
                facts.digests[3],
            ),
            About::Mail => write!(
                out,
                r#""email":{{"from":{{"address":["{}"]}},"to":{{"address":["{}"]}},"subject":"{accent}"}}"#,
                facts.sender, facts.receiver,
            ),
        };
        out.push('}');
    }

    pub(super) fn sysmon(&mut self, out: &mut String, facts: &Facts) {
        let dice = &mut self.dice;
        let (year, month, day, hour, minute, second, micro) = civil(facts.time);
        let time =
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03}", micro / 1000);
        let file = escaped(&facts.file);
        let user = if facts.accent.is_empty() { "svc" } else { &facts.accent };
        let image = format!(r"C:\\Users\\{}\\AppData\\Local\\Temp\\{file}", escaped(user));
        let guid = format!("{{{:08x}-0000-0000-0000-{:012x}}}", dice.below(1 << 32), dice.below(1 << 48));
        let id = match facts.about {
            About::Flow => 3,
            About::Dns | About::Tls | About::Mail => 22,
            About::File => 1,
            About::Http | About::Note => 4688,
        };
        let _ = write!(
            out,
            r##"{{"Event":{{"System":{{"Provider":{{"#text":null}},"EventID":{id},"Computer":"ws-{}.member.example","Channel":"Microsoft-Windows-Sysmon/Operational"}},"EventData":{{"UtcTime":"{time}","ProcessGuid":"{guid}","ProcessId":{},"##,
            dice.below(500),
            dice.below(30_000),
        );
        let _ = match id {
            3 => write!(
                out,
                r#""Image":"C:\\Windows\\System32\\svchost.exe","Protocol":"tcp","Initiated":true,"SourceIp":"{}","SourcePort":{},"DestinationIp":"{}","DestinationHostname":"-","DestinationPort":{}"#,
                facts.source, facts.source_port, facts.target, facts.target_port,
            ),
            22 => write!(
                out,
                r#""QueryName":"{}","QueryStatus":"0","QueryResults":"type:  5 cname.{};::ffff:{}.{}.{}.{};","Image":"C:\\Program Files\\Browser\\browser.exe""#,
                facts.host,
                facts.host,
                11 + dice.below(89),
                dice.below(256),
                dice.below(256),
                1 + dice.below(254),
            ),
            1 => write!(
                out,
                r#""Image":"{image}","CommandLine":"\"{image}\" -s","Hashes":"MD5={},SHA1={},SHA256={},SHA512={},IMPHASH={:032x}","ParentImage":"C:\\Windows\\explorer.exe""#,
                facts.digests[0].to_uppercase(),
                facts.digests[1].to_uppercase(),
                facts.digests[2].to_uppercase(),
                facts.digests[3],
                dice.next(),
            ),
            _ => write!(
                out,
                r#""NewProcessName":"C:\\Windows\\System32\\cmd.exe","CommandLine":"cmd /c curl {}://{}{} & rem {}""#,
                if facts.https { "https" } else { "http" },
                facts.host,
                escaped(&facts.path),
                escaped(&facts.note),
            ),
        };
        out.push_str("}}}");
    }

    pub(super) fn text(&mut self, out: &mut String, facts: &Facts) {
        let dice = &mut self.dice;
        let (year, month, day, hour, minute, second, micro) = civil(facts.time);
        let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z");
        let (source, target, host) = (&facts.source, &facts.target, &facts.host);
        let bracketed = if target.contains(':') { format!("[{target}]") } else { target.clone() };
        let _ = match facts.about {
            About::Flow => write!(
                out,
                "{time} fw-{} kernel: ACCEPT IN=eth0 OUT=eth1 SRC={source} DST={target} LEN={} TOS=0x00 TTL=63 PROTO=TCP SPT={} DPT={} conn={bracketed}:{}",
                dice.below(9),
                dice.below(1500),
                facts.source_port,
                facts.target_port,
                facts.target_port,
            ),
            About::Dns => write!(
                out,
                "{time} dns-1 named[812]: client @0x7f{:x} {source}#{} ({host}): query: {host} IN A +E(0)K (10.0.0.53)",
                dice.below(1 << 40),
                facts.source_port
            ),
            About::Http => write!(
                out,
                "{source} - - [{day:02}/Jan/{year}:{hour:02}:{minute:02}:{second:02} +0000] \"GET {}://{host}{} HTTP/1.1\" 200 {} \"-\" \"{}\"",
                if facts.https { "https" } else { "http" },
                facts.path.replace('"', "%22"),
                dice.below(100_000),
                dice.pick(&AGENTS),
            ),
            About::Tls => write!(
                out,
                "{time} proxy squid[99]: {} {source} TCP_TUNNEL/200 {} CONNECT {host}:443 - HIER_DIRECT/{target} ja3={} ja4={}",
                dice.below(1000),
                dice.below(10_000),
                facts.ja3,
                facts.ja4
            ),
            About::File => write!(
                out,
                "{time} av-{} scanner: file \"/home/{}/{}\" md5={} sha1={} sha256={} sha512={} verdict=clean",
                dice.below(9),
                facts.accent,
                facts.file,
                facts.digests[0],
                facts.digests[1],
                facts.digests[2],
                facts.digests[3],
            ),
            About::Mail => write!(
                out,
                "{time} mx postfix/qmgr[31]: {:X}: from=<{}>, to=<{}>, size={}, nrcpt=1 (queue active)",
                dice.below(1 << 40),
                facts.sender,
                facts.receiver,
                dice.below(100_000)
            ),
            About::Note => write!(
                out,
                "{time} host-{} app[{}]: {} {}",
                dice.below(500),
                dice.below(30_000),
                facts.note,
                facts.accent
            ),
        };
    }
}
