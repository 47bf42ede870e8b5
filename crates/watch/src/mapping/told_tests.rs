//! What is told of an event, by format.

use super::*;

fn told(mapping: &str, line: &str) -> Vec<(String, String)> {
    let mapping = Mappings::built_in().unwrap().get(mapping).unwrap();
    let mut all = Vec::new();
    Teller::default()
        .read(&mapping, line.as_bytes(), &mut |one| all.push((one.stix.to_owned(), one.text.to_owned())))
        .unwrap();
    all
}

fn holds(told: &[(String, String)], expected: &[(&str, &str)]) {
    for (stix, text) in expected {
        assert!(told.iter().any(|one| one.0 == *stix && one.1 == *text), "{stix} = {text} in {told:#?}");
    }
}

#[test]
fn a_connection_is_told_with_its_ports_and_protocols() {
    let all = told(
        "suricata",
        r#"{"timestamp":"t","src_ip":"192.0.2.1","src_port":51000,"dest_ip":"2001:db8::7","dest_port":80,"proto":"TCP","app_proto":"http",
        "http":{"hostname":"Evil.example","url":"/a?b","http_method":"GET"},"fileinfo":{"md5":"d41d8cd98f00b204e9800998ecf8427e","filename":"/x/a.exe"}}"#,
    );
    holds(
        &all,
        &[
            ("network-traffic:src_ref.value", "192.0.2.1"),
            ("ipv4-addr:value", "192.0.2.1"),
            ("network-traffic:src_port", "51000"),
            ("ipv6-addr:value", "2001:db8::7"),
            ("network-traffic:dst_port", "80"),
            ("network-traffic:protocols[*]", "TCP"),
            ("network-traffic:protocols[*]", "http"),
            ("domain-name:value", "Evil.example"),
            ("url:value", "http://evil.example/a?b"),
            ("file:hashes.MD5", "d41d8cd98f00b204e9800998ecf8427e"),
            ("file:name", "a.exe"),
            ("file:parent_directory_ref.path", "/x"),
        ],
    );
    assert!(!all.iter().any(|one| one == &("domain-name:value".to_owned(), "192.0.2.1".to_owned())));
}

#[test]
fn a_process_is_told_with_its_command_line_and_hashes() {
    let all = told(
        "sysmon",
        r#"{"Event":{"EventData":{"Image":"C:\\Windows\\cmd.exe","CommandLine":"cmd /c ping evil.example","User":"LAB\\ann",
        "Hashes":"SHA1=da39a3ee5e6b4b0d3255bfef95601890afd80709,IMPHASH=00000000000000000000000000000000","TargetObject":"HKLM\\Run\\x"}}}"#,
    );
    holds(
        &all,
        &[
            ("process:image_ref.name", "cmd.exe"),
            ("process:image_ref.parent_directory_ref.path", "C:\\Windows"),
            ("process:command_line", "cmd /c ping evil.example"),
            ("domain-name:value", "evil.example"),
            ("file:hashes.'SHA-1'", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("file:hashes.IMPHASH", "00000000000000000000000000000000"),
            ("windows-registry-key:key", "HKLM\\Run\\x"),
            ("user-account:account_login", "LAB\\ann"),
        ],
    );
}

#[test]
fn text_is_told_by_the_values_in_it() {
    let all = told("text", "mail from <a@evil.example> via 192.0.2.4 http://x.example/p.exe");
    holds(
        &all,
        &[
            ("email-addr:value", "a@evil.example"),
            ("domain-name:value", "evil.example"),
            ("ipv4-addr:value", "192.0.2.4"),
            ("url:value", "http://x.example/p.exe"),
        ],
    );
    let mapping = Mappings::built_in().unwrap().get("ecs").unwrap();
    assert_eq!(Teller::default().read(&mapping, b"no json", &mut |_| ()), Err(NotAnEvent));
}

#[test]
fn what_is_told_alone_is_not_scanned_for() {
    let text = "name='x'\nformat='json'\n[fields]\na='ip'\n[stix]\na='network-traffic:src_ref.value'\nlong_key='process:command_line'";
    let mapping = Mapping::parse("x", text).unwrap();
    assert_eq!(mapping.fields().len(), 1);
    assert_eq!(mapping.told().len(), 2);
    assert_eq!(mapping.keys().flags(u64::from_le_bytes(*b"long_key")), 0);
}

#[test]
fn a_path_that_is_none_of_stix_is_named() {
    for (stix, part) in [("'domain-name'", "domain-name"), ("7", "text"), ("['url:value', 'x y']", "x y")] {
        let text = format!("name='x'\nformat='json'\n[fields]\na='ip'\n[stix]\na={stix}");
        let error = Mapping::parse("my.toml", &text).unwrap_err();
        assert_eq!(error.code(), "watch.mapping.bad_stix", "{error}");
        assert!(error.to_string().contains("my.toml, line 6") && error.to_string().contains(part), "{error}");
    }
}
