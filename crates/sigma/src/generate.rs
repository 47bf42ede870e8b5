//! Makes events of Windows to measure and test with: everyday ones, ones made to match a rule, and ones that nearly do.
//!
//! Everyday events are Sysmon's and Windows' own, in the shares a workstation has, with paths, command lines and hosts
//! put together from lists. The others are seeded from the rules: what a rule asks for is put into the fields it asks.

use rsigma_eval::{CompiledDetection, CompiledDetectionItem, CompiledMatcher, CompiledRule};
use rsigma_parser::{ConditionExpr, Quantifier};
use serde_json::{Map, Value, json};

use crate::rules::Rules;
use crate::source::channel_of;

/// What sort of events to make.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Of a thousand events, so many are made to match some rule.
    pub matching_per_mille: u32,
    /// Of a thousand events, so many have what a rule asks for in all fields but one.
    pub near_per_mille: u32,
    /// Whether those are made from rules for Windows alone, whose events tell by themselves where they come from.
    pub windows: bool,
}

/// Makes events, the same ones for the same seed.
#[derive(Debug)]
pub struct Generator<'r> {
    rules: &'r Rules,
    mix: Mix,
    state: u64,
    seconds: u64,
}

impl<'r> Generator<'r> {
    /// A generator over the rules' literals.
    pub fn new(rules: &'r Rules, mix: Mix, seed: u64) -> Self {
        Self { rules, mix, state: seed, seconds: 0 }
    }

    /// The next event.
    pub fn event(&mut self) -> Value {
        self.seconds += 1;
        let share = (self.next() % 1_000) as u32;
        let Mix { matching_per_mille: matching, near_per_mille: near, windows } = self.mix;
        let rules = self.rules;
        let mut rule = self.pick(&rules.compiled);
        if windows {
            // Of a few, for there may be none.
            for _ in 0..64 {
                if rule.is_some_and(tells) {
                    break;
                }
                rule = self.pick(&rules.compiled);
            }
            rule = rule.filter(|rule| tells(rule));
        }
        let mut event = match rule.filter(|_| share < matching + near) {
            Some(rule) => self.of_rule(rule, share >= matching),
            None => self.everyday(),
        };
        let time = format!(
            "2026-01-{:02} {:02}:{:02}:{:02}.{:03}",
            1 + self.seconds / 86_400 % 28,
            self.seconds / 3_600 % 24,
            self.seconds / 60 % 60,
            self.seconds % 60,
            self.next() % 1_000
        );
        event.insert("UtcTime".into(), time.into());
        Value::Object(event)
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<'t, T>(&mut self, list: &'t [T]) -> Option<&'t T> {
        let count = (list.len() as u64).max(1);
        list.get((self.next() % count) as usize)
    }

    fn word(&mut self, list: &[&'static str]) -> &'static str {
        self.pick(list).copied().unwrap_or_default()
    }

    // --- everyday events ---------------------------------------------------------------------------------------

    fn everyday(&mut self) -> Map<String, Value> {
        match self.next() % 100 {
            0..15 => self.process(),
            15..33 => self.network(),
            33..48 => self.image_load(),
            48..63 => self.file(),
            63..80 => self.registry(),
            80..88 => self.dns(),
            88..92 => self.access(),
            92..98 => self.logon(),
            _ => self.script(),
        }
    }

    fn common(&mut self, id: u64, channel: &str, provider: &str) -> Map<String, Value> {
        let mut event = Map::new();
        let computer = format!("WS{:04}.corp.example", self.next() % 400);
        event.insert("EventID".into(), id.into());
        event.insert("Channel".into(), channel.into());
        event.insert("Provider_Name".into(), provider.into());
        event.insert("Computer".into(), computer.into());
        event.insert("EventRecordID".into(), (self.next() % 10_000_000).into());
        event.insert("Level".into(), 4.into());
        event
    }

    fn sysmon(&mut self, id: u64) -> Map<String, Value> {
        let mut event = self.common(id, SYSMON_CHANNEL, SYSMON_PROVIDER);
        let guid = format!("{{{:08X}-{:04X}-67B1-0A00-000000001E00}}", self.next() as u32, self.next() as u16);
        event.insert("RuleName".into(), "-".into());
        event.insert("ProcessGuid".into(), guid.into());
        event.insert("ProcessId".into(), (self.next() % 30_000).into());
        event.insert("Image".into(), self.word(&IMAGES).into());
        event.insert("User".into(), format!("CORP\\{}", self.word(&USERS)).into());
        event
    }

    fn process(&mut self) -> Map<String, Value> {
        let mut event = self.sysmon(1);
        let (image, parent, line) = self.pick(&PROCESSES).copied().unwrap_or_default();
        let name = image.rsplit('\\').next().unwrap_or_default();
        let line = line.replace('%', &format!("{:x}", self.next() as u32));
        let hash = format!("{:016X}{:016X}", self.next(), self.next());
        event.insert("Image".into(), image.into());
        event.insert("OriginalFileName".into(), name.into());
        event.insert("CommandLine".into(), format!("\"{image}\" {line}").into());
        event.insert("CurrentDirectory".into(), "C:\\Windows\\system32\\".into());
        event.insert("ParentImage".into(), parent.into());
        event.insert("ParentCommandLine".into(), format!("{parent} -k netsvcs").into());
        event.insert("Company".into(), "Microsoft Corporation".into());
        event.insert("Description".into(), "Host Process for Windows Services".into());
        event.insert("Product".into(), "Microsoft Windows Operating System".into());
        event.insert("FileVersion".into(), "10.0.19041.1 (WinBuild.160101.0800)".into());
        event.insert("IntegrityLevel".into(), self.word(&["Medium", "High", "System"]).into());
        event.insert("LogonId".into(), format!("0x{:x}", self.next() as u32).into());
        event.insert("Hashes".into(), format!("MD5={hash},SHA256={hash}{hash},IMPHASH={hash}").into());
        event
    }

    fn network(&mut self) -> Map<String, Value> {
        let mut event = self.sysmon(3);
        let port = [443, 80, 53].get((self.next() % 3) as usize).copied().unwrap_or(443);
        let (a, b) = (self.next() % 250, self.next() % 250);
        event.insert("Protocol".into(), "tcp".into());
        event.insert("Initiated".into(), "true".into());
        event.insert("SourceIp".into(), format!("10.1.{a}.{b}").into());
        event.insert("SourcePort".into(), (49_152 + self.next() % 16_000).into());
        event.insert("DestinationIp".into(), format!("203.0.113.{b}").into());
        event.insert("DestinationHostname".into(), self.word(&HOSTS).into());
        event.insert("DestinationPort".into(), port.into());
        event
    }

    fn image_load(&mut self) -> Map<String, Value> {
        let mut event = self.sysmon(7);
        event.insert("ImageLoaded".into(), self.word(&LIBRARIES).into());
        event.insert("Signed".into(), "true".into());
        event.insert("Signature".into(), "Microsoft Windows".into());
        event.insert("SignatureStatus".into(), "Valid".into());
        event.insert("Company".into(), "Microsoft Corporation".into());
        let hash = format!("{:016X}{:016X}", self.next(), self.next());
        event.insert("Hashes".into(), format!("MD5={hash},SHA256={hash}{hash}").into());
        event
    }

    fn file(&mut self) -> Map<String, Value> {
        let mut event = self.sysmon(11);
        let number = self.next() as u32;
        let path = self.word(&FILES).replace('%', &format!("{number:x}"));
        event.insert("TargetFilename".into(), path.into());
        event.insert("CreationUtcTime".into(), "2026-01-01 08:00:00.000".into());
        event
    }

    fn registry(&mut self) -> Map<String, Value> {
        let id = if self.next().is_multiple_of(8) { 12 } else { 13 };
        let mut event = self.sysmon(id);
        event.insert("EventType".into(), self.word(&["SetValue", "CreateKey", "DeleteValue"]).into());
        event.insert("TargetObject".into(), self.word(&KEYS).into());
        event.insert("Details".into(), self.word(&["DWORD (0x00000001)", "Binary Data", "C:\\Program Files"]).into());
        event
    }

    fn dns(&mut self) -> Map<String, Value> {
        let mut event = self.sysmon(22);
        event.insert("QueryName".into(), self.word(&HOSTS).into());
        event.insert("QueryStatus".into(), "0".into());
        event.insert("QueryResults".into(), "::ffff:203.0.113.7;".into());
        event
    }

    fn access(&mut self) -> Map<String, Value> {
        let mut event = self.sysmon(10);
        event.insert("SourceImage".into(), self.word(&IMAGES).into());
        event.insert("TargetImage".into(), self.word(&IMAGES).into());
        event.insert("GrantedAccess".into(), self.word(&["0x1000", "0x1400", "0x1fffff"]).into());
        let trace = "C:\\Windows\\SYSTEM32\\ntdll.dll+9d1e4|C:\\Windows\\System32\\KERNELBASE.dll+2c13e";
        event.insert("CallTrace".into(), trace.into());
        event
    }

    fn logon(&mut self) -> Map<String, Value> {
        let id = [4624, 4625, 4672, 5156].get((self.next() % 4) as usize).copied().unwrap_or(4624);
        let mut event = self.common(id, "Security", "Microsoft-Windows-Security-Auditing");
        event.insert("SubjectUserName".into(), self.word(&USERS).into());
        event.insert("TargetUserName".into(), self.word(&USERS).into());
        event.insert("LogonType".into(), (2 + self.next() % 9).into());
        event.insert("IpAddress".into(), format!("10.1.2.{}", self.next() % 250).into());
        event.insert("AuthenticationPackageName".into(), "Kerberos".into());
        event
    }

    fn script(&mut self) -> Map<String, Value> {
        let channel = "Microsoft-Windows-PowerShell/Operational";
        let mut event = self.common(4104, channel, "Microsoft-Windows-PowerShell");
        let mut text = String::new();
        for _ in 0..4 + self.next() % 12 {
            text.push_str(self.word(&SCRIPTS));
            text.push('\n');
        }
        event.insert("ScriptBlockText".into(), text.into());
        event.insert("MessageNumber".into(), 1.into());
        event
    }

    // --- events from rules -------------------------------------------------------------------------------------

    /// An event made to match a rule, as far as literals can; or, with `near`, one field short of that.
    fn of_rule(&mut self, rule: &CompiledRule, near: bool) -> Map<String, Value> {
        let mut event = match rule.logsource.category.as_deref().and_then(sysmon_id) {
            Some(id) if rule.logsource.product.as_deref() == Some("windows") => {
                // With the everyday fields of its kind, which the rule's then replace.
                match id {
                    1 => self.process(),
                    3 => self.network(),
                    7 => self.image_load(),
                    11 => self.file(),
                    12..=14 => self.registry(),
                    22 => self.dns(),
                    10 => self.access(),
                    id => self.sysmon(id),
                }
            }
            _ => self.named(rule),
        };
        let mut wanted = Vec::new();
        if let Some(condition) = rule.conditions.first() {
            self.satisfy(condition, rule, &mut wanted);
        }
        if near && !wanted.is_empty() {
            let dropped = (self.next() % wanted.len() as u64) as usize;
            let field = wanted.get(dropped).map(|(field, _)| field.clone());
            wanted.retain(|(name, _)| Some(name) != field.as_ref());
        }
        let mut parts: Vec<(String, Parts)> = Vec::new();
        for (field, matcher) in wanted {
            let place = parts.iter().position(|(name, _)| *name == field);
            let place = place.unwrap_or_else(|| {
                parts.push((field, Parts::default()));
                parts.len() - 1
            });
            if let Some((_, parts)) = parts.get_mut(place) {
                self.take(matcher, parts);
            }
        }
        for (field, parts) in parts {
            let value = parts.value(self.next());
            event.insert(field, value);
        }
        event
    }

    fn named(&mut self, rule: &CompiledRule) -> Map<String, Value> {
        let source = &rule.logsource;
        if let Some(channel) = source.service.as_deref().and_then(channel_of).filter(|_| tells(rule)) {
            return self.common(1, channel, "-");
        }
        let mut event = Map::new();
        for (name, value) in
            [("product", &source.product), ("category", &source.category), ("service", &source.service)]
        {
            if let Some(value) = value {
                event.insert(name.into(), value.clone().into());
            }
        }
        event.insert("host".into(), self.word(&HOSTS).into());
        event
    }

    fn satisfy<'t>(
        &mut self,
        condition: &ConditionExpr,
        rule: &'t CompiledRule,
        wanted: &mut Vec<(String, &'t CompiledMatcher)>,
    ) {
        match condition {
            ConditionExpr::Identifier(name) => {
                if let Some(detection) = rule.detections.get(name) {
                    self.satisfy_detection(detection, wanted);
                }
            }
            ConditionExpr::And(parts) => parts.iter().for_each(|part| self.satisfy(part, rule, wanted)),
            ConditionExpr::Or(parts) => {
                let chosen = (self.next() % (parts.len() as u64).max(1)) as usize;
                if let Some(part) = parts.get(chosen) {
                    self.satisfy(part, rule, wanted);
                }
            }
            ConditionExpr::Not(_) => {}
            ConditionExpr::Selector { quantifier, pattern } => {
                let mut named: Vec<_> =
                    rule.detections.iter().filter(|(name, _)| pattern.matches_detection_name(name)).collect();
                named.sort_unstable_by_key(|(name, _)| name.as_str());
                let chosen = (self.next() % (named.len() as u64).max(1)) as usize;
                for (index, (_, detection)) in named.into_iter().enumerate() {
                    if matches!(quantifier, Quantifier::All) || index == chosen {
                        self.satisfy_detection(detection, wanted);
                    }
                }
            }
        }
    }

    fn satisfy_detection<'t>(
        &mut self,
        detection: &'t CompiledDetection,
        wanted: &mut Vec<(String, &'t CompiledMatcher)>,
    ) {
        match detection {
            CompiledDetection::AllOf(items) => {
                for CompiledDetectionItem { field, matcher, .. } in items {
                    wanted.push((field.clone().unwrap_or_else(|| "message".into()), matcher));
                }
            }
            CompiledDetection::AnyOf(parts) => {
                let chosen = (self.next() % (parts.len() as u64).max(1)) as usize;
                if let Some(part) = parts.get(chosen) {
                    self.satisfy_detection(part, wanted);
                }
            }
            CompiledDetection::And(parts) => {
                parts.iter().for_each(|part| self.satisfy_detection(part, wanted));
            }
            CompiledDetection::Keywords(matcher) => wanted.push(("message".into(), matcher)),
            CompiledDetection::ArrayMatch { .. } | CompiledDetection::Conditional { .. } => {}
        }
    }

    fn take(&mut self, matcher: &CompiledMatcher, parts: &mut Parts) {
        match matcher {
            CompiledMatcher::Exact { value, .. } => parts.whole = Some(value.clone().into()),
            CompiledMatcher::Contains { value, .. } => parts.middle.push(value.clone()),
            CompiledMatcher::StartsWith { value, .. } => parts.start.clone_from(value),
            CompiledMatcher::EndsWith { value, .. } => parts.end.clone_from(value),
            CompiledMatcher::AhoCorasickSet { needles, .. } => {
                parts.middle.extend(self.pick(needles).cloned());
            }
            CompiledMatcher::Regex(regex) => {
                // Not a match as a rule, but what the expression requires.
                let words = crate::literal::needs_of(&CompiledMatcher::Regex(regex.clone()));
                parts.middle.extend(words.and_then(|needs| needs.literals.first().map(|word| word.text.to_string())));
            }
            CompiledMatcher::NumericEq(number) => parts.whole = Some(json!(*number as i64)),
            CompiledMatcher::NumericGt(number) => parts.whole = Some(json!(*number as i64 + 1)),
            CompiledMatcher::NumericLt(number) => parts.whole = Some(json!(*number as i64 - 1)),
            CompiledMatcher::NumericGte(number) | CompiledMatcher::NumericLte(number) => {
                parts.whole = Some(json!(*number as i64));
            }
            CompiledMatcher::BoolEq(truth) => parts.whole = Some(json!(truth)),
            CompiledMatcher::Cidr(network) => parts.whole = Some(network.addr().to_string().into()),
            CompiledMatcher::Null => parts.whole = Some(Value::Null),
            CompiledMatcher::AnyOf(children)
            | CompiledMatcher::CaseInsensitiveGroup { children, mode: rsigma_eval::matcher::GroupMode::Any } => {
                let chosen = (self.next() % (children.len() as u64).max(1)) as usize;
                if let Some(child) = children.get(chosen) {
                    self.take(child, parts);
                }
            }
            CompiledMatcher::AllOf(children) | CompiledMatcher::CaseInsensitiveGroup { children, .. } => {
                children.iter().for_each(|child| self.take(child, parts));
            }
            _ => parts.middle.push("x".into()),
        }
    }
}

/// What a field has to hold.
#[derive(Default)]
struct Parts {
    whole: Option<Value>,
    start: String,
    middle: Vec<String>,
    end: String,
}

impl Parts {
    fn value(self, random: u64) -> Value {
        if let Some(whole) = self.whole {
            return whole;
        }
        let Self { start, middle, end, .. } = self;
        let mut text = start;
        for part in middle {
            text.push_str(&part);
        }
        // In whatever case: rules do not mind.
        let text = if random.is_multiple_of(3) { text.to_uppercase() } else { text };
        Value::String(text + &end)
    }
}

/// Whether an event made from the rule says by itself where it comes from.
fn tells(rule: &CompiledRule) -> bool {
    let source = &rule.logsource;
    let by_service = || source.category.is_none() && source.service.as_deref().is_some_and(|name| channel_of(name).is_some());
    source.product.as_deref() == Some("windows")
        && (source.category.as_deref().is_some_and(|category| sysmon_id(category).is_some()) || by_service())
}

fn sysmon_id(category: &str) -> Option<u64> {
    Some(match category {
        "process_creation" => 1,
        "network_connection" => 3,
        "driver_load" => 6,
        "image_load" => 7,
        "create_remote_thread" => 8,
        "process_access" => 10,
        "file_event" => 11,
        "registry_event" => 12,
        "registry_set" => 13,
        "create_stream_hash" => 15,
        "pipe_created" => 17,
        "wmi_event" => 20,
        "dns_query" => 22,
        "file_delete" => 23,
        _ => return None,
    })
}

const SYSMON_CHANNEL: &str = "Microsoft-Windows-Sysmon/Operational";
const SYSMON_PROVIDER: &str = "Microsoft-Windows-Sysmon";
const USERS: [&str; 6] = ["alice", "bob", "SYSTEM", "svc-backup", "LOCAL SERVICE", "carol.admin"];
const IMAGES: [&str; 10] = [
    SVCHOST,
    EXPLORER,
    "C:\\Windows\\System32\\taskhostw.exe",
    "C:\\Windows\\System32\\RuntimeBroker.exe",
    "C:\\Windows\\System32\\SearchIndexer.exe",
    CHROME,
    "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
    "C:\\Users\\alice\\AppData\\Local\\Microsoft\\Teams\\current\\Teams.exe",
    "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MsMpEng.exe",
    "C:\\Program Files\\Agent\\agent.exe",
];
const SVCHOST: &str = "C:\\Windows\\System32\\svchost.exe";
const EXPLORER: &str = "C:\\Windows\\explorer.exe";
const SERVICES: &str = "C:\\Windows\\System32\\services.exe";
const CHROME: &str = "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe";
/// Programs, what starts them, and how.
const PROCESSES: [(&str, &str, &str); 9] = [
    (SVCHOST, SERVICES, "-k netsvcs -p -s Schedule"),
    (SVCHOST, SERVICES, "-k LocalServiceNetworkRestricted -p -s %"),
    (CHROME, CHROME, "--type=renderer --field-trial-handle=1718,% --lang=en-US --device-scale-factor=1"),
    (CHROME, CHROME, "--type=utility --utility-sub-type=network.mojom.NetworkService --enable-features=%"),
    ("C:\\Windows\\System32\\cmd.exe", EXPLORER, "/c \"C:\\Program Files\\Agent\\collect.cmd\" -run %"),
    (
        "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
        EXPLORER,
        "-NoProfile -File \"C:\\Program Files\\Agent\\inventory.ps1\" -Id %",
    ),
    (
        "C:\\Program Files\\Microsoft Office\\root\\Office16\\WINWORD.EXE",
        EXPLORER,
        "/n \"C:\\Users\\alice\\Documents\\report-%.docx\" /o",
    ),
    ("C:\\Windows\\System32\\RuntimeBroker.exe", SVCHOST, "-Embedding"),
    ("C:\\Windows\\System32\\SearchProtocolHost.exe", "C:\\Windows\\System32\\SearchIndexer.exe", "Global\\UsGthrFltPipeMssGthrPipe% 1"),
];
const LIBRARIES: [&str; 7] = [
    "C:\\Windows\\System32\\kernel32.dll",
    "C:\\Windows\\System32\\ntdll.dll",
    "C:\\Windows\\System32\\user32.dll",
    "C:\\Windows\\System32\\bcryptprimitives.dll",
    "C:\\Windows\\System32\\combase.dll",
    "C:\\Windows\\System32\\wininet.dll",
    "C:\\Program Files\\Google\\Chrome\\Application\\120.0\\chrome.dll",
];
const FILES: [&str; 6] = [
    "C:\\Users\\alice\\AppData\\Local\\Google\\Chrome\\User Data\\Default\\Cache\\f_%",
    "C:\\Windows\\Temp\\%.tmp",
    "C:\\Windows\\Prefetch\\SVCHOST.EXE-%.pf",
    "C:\\ProgramData\\Microsoft\\Windows\\WER\\ReportQueue\\%\\Report.wer",
    "C:\\Users\\alice\\Documents\\report-%.docx",
    "C:\\Windows\\SoftwareDistribution\\Download\\%\\package.cab",
];
const KEYS: [&str; 5] = [
    "HKLM\\System\\CurrentControlSet\\Services\\bam\\State\\UserSettings\\S-1-5-21",
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Diagnostics\\DiagTrack\\SettingsRequests",
    "HKU\\S-1-5-21\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\UserAssist\\Count",
    "HKLM\\System\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces\\DhcpIPAddress",
    "HKU\\S-1-5-21\\Software\\Microsoft\\Office\\16.0\\Common\\Roaming\\Identities",
];
const HOSTS: [&str; 8] = [
    "www.example.com",
    "update.vendor.example",
    "outlook.office.example",
    "cdn.images.example",
    "dc01.corp.example",
    "telemetry.os.example",
    "login.identity.example",
    "time.nist.example",
];
const SCRIPTS: [&str; 7] = [
    "function Get-Inventory { param([string]$ComputerName = $env:COMPUTERNAME) }",
    "$items = Get-ChildItem -Path $PSScriptRoot -Filter *.ps1 -Recurse",
    "foreach ($item in $items) { Write-Verbose \"Reading $($item.FullName)\" }",
    "if (-not (Test-Path -Path $target)) { New-Item -ItemType Directory -Path $target | Out-Null }",
    "Import-Module -Name ActiveDirectory -ErrorAction Stop",
    "return [PSCustomObject]@{ Name = $name; Version = $version; Date = Get-Date }",
    "Export-Csv -Path $out -NoTypeInformation -Encoding UTF8",
];
