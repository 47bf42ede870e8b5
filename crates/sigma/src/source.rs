//! Which log source an event comes from, and so which rules are meant for it.
//!
//! A rule names a product, a category and a service, or some of them. An event of Windows tells its source by its channel
//! and event id; Zeek by `_path`; CloudTrail by its fields; anything may say so itself in fields `product`, `category` and
//! `service`, and whoever reads the events may know it ([`Given`]). Where the source is told by the tables here, a rule
//! applies if all it names is so. Where only parts are known, a rule applies if it names one of them and nothing else. An event
//! of which nothing is known is held against every rule.

use hashbrown::HashMap;
use rsigma_parser::LogSource;

use crate::extract::View;
use crate::fields::known;

/// What whoever reads the events knows of where they come from.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Given {
    /// The product, such as `windows`.
    pub product: Option<String>,
    /// The category, such as `process_creation`.
    pub category: Option<String>,
    /// The service, such as `sysmon`.
    pub service: Option<String>,
}

/// A name by its number; [`OTHER`] for names that no rule has.
type Name = u16;
const OTHER: Name = Name::MAX;

/// Product, category and service by number.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Source {
    product: Option<Name>,
    category: Option<Name>,
    service: Option<Name>,
}

/// Most sources that one event is of at once.
const SOURCES_MAX: usize = 3;

/// A sort of event: for all events of one class the same rules apply.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Class {
    /// Whether what is not named is known not to be so.
    closed: bool,
    sources: [Source; SOURCES_MAX],
    length: u8,
}

impl Class {
    fn one(source: Source, closed: bool) -> Self {
        Self { closed, sources: [source, Source::default(), Source::default()], length: 1 }
    }

    fn push(&mut self, source: Source) {
        if let Some(place) = self.sources.get_mut(usize::from(self.length)) {
            *place = source;
            self.length += 1;
        }
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().take(usize::from(self.length))
    }

    /// Whether a rule of that source is meant for events of this class.
    pub(crate) fn admits(&self, rule: &Source) -> bool {
        let fits = |rule: Option<Name>, event: Option<Name>| match (rule, event) {
            (None, _) => true,
            (Some(rule), Some(event)) => rule == event,
            (Some(_), None) => !self.closed,
        };
        let shares = |rule: Option<Name>, event: Option<Name>| rule.is_some() && rule == event;
        self.length == 0
            || self.sources().any(|event| {
                let fits = fits(rule.product, event.product)
                    && fits(rule.category, event.category)
                    && fits(rule.service, event.service);
                let shares = shares(rule.product, event.product)
                    || shares(rule.category, event.category)
                    || shares(rule.service, event.service);
                fits && (self.closed || shares || *rule == Source::default())
            })
    }
}

/// Channels of Windows and the service that rules call them, lower case. From the documentation of Sigma's log sources
/// for Windows services.
const CHANNELS: [(&str, &str); 49] = [
    ("application", "application"),
    ("security", "security"),
    ("system", "system"),
    ("windows powershell", "powershell-classic"),
    ("microsoft-windows-powershell/operational", "powershell"),
    ("powershellcore/operational", "powershell"),
    ("microsoft-windows-sysmon/operational", "sysmon"),
    ("microsoft-windows-windows defender/operational", "windefend"),
    ("microsoft-windows-taskscheduler/operational", "taskscheduler"),
    ("microsoft-windows-wmi-activity/operational", "wmi"),
    ("dns server", "dns-server"),
    ("microsoft-windows-dns-server/audit", "dns-server-audit"),
    ("microsoft-windows-dns-server/analytical", "dns-server-analytic"),
    ("microsoft-windows-dns client events/operational", "dns-client"),
    ("microsoft-windows-dns-client/operational", "dns-client"),
    ("microsoft-windows-driverframeworks-usermode/operational", "driver-framework"),
    ("microsoft-windows-ntlm/operational", "ntlm"),
    ("dhcp-server/operational", "dhcp"),
    ("microsoft-windows-dhcp-server/operational", "dhcp"),
    ("msexchange management", "msexchange-management"),
    ("microsoft-windows-printservice/admin", "printservice-admin"),
    ("microsoft-windows-printservice/operational", "printservice-operational"),
    ("microsoft-windows-codeintegrity/operational", "codeintegrity-operational"),
    ("microsoft-windows-smbclient/security", "smbclient-security"),
    ("microsoft-windows-smbclient/connectivity", "smbclient-connectivity"),
    ("microsoft-windows-smbserver/connectivity", "smbserver-connectivity"),
    ("microsoft-windows-windows firewall with advanced security/firewall", "firewall-as"),
    ("microsoft-windows-bits-client/operational", "bits-client"),
    ("microsoft-windows-security-mitigations/kernel mode", "security-mitigations"),
    ("microsoft-windows-security-mitigations/user mode", "security-mitigations"),
    ("microsoft-windows-diagnosis-scripted/operational", "diagnosis-scripted"),
    ("microsoft-windows-shell-core/operational", "shell-core"),
    ("openssh/operational", "openssh"),
    ("microsoft-windows-ldap-client/debug", "ldap"),
    ("microsoft-servicebus-client", "microsoft-servicebus-client"),
    ("microsoft-windows-applocker/msi and script", "applocker"),
    ("microsoft-windows-applocker/exe and dll", "applocker"),
    ("microsoft-windows-applocker/packaged app-deployment", "applocker"),
    ("microsoft-windows-applocker/packaged app-execution", "applocker"),
    ("microsoft-windows-lsa/operational", "lsa-server"),
    ("microsoft-windows-capi2/operational", "capi2"),
    ("microsoft-windows-certificateservicesclient-lifecycle-system/operational", "certificateservicesclient-lifecycle-system"),
    ("microsoft-windows-terminalservices-localsessionmanager/operational", "terminalservices-localsessionmanager"),
    ("microsoft-windows-appxdeploymentserver/operational", "appxdeployment-server"),
    ("microsoft-windows-appxpackaging/operational", "appxpackaging-om"),
    ("microsoft-windows-appmodel-runtime/admin", "appmodel-runtime"),
    ("microsoft-windows-vhdmp-operational", "vhdmp"),
    ("microsoft-windows-hyper-v-worker-admin", "hyper-v-worker"),
    ("microsoft-windows-kernel-event tracing", "kernel-event-tracing"),
];

/// Categories of Sysmon's events, by event id. From Sysmon's documentation and that of Sigma's log sources for Sysmon.
const SYSMON: [(i64, &[&str]); 30] = [
    (1, &["process_creation"]),
    (2, &["file_change"]),
    (3, &["network_connection"]),
    (4, &["sysmon_status"]),
    (5, &["process_termination"]),
    (6, &["driver_load"]),
    (7, &["image_load"]),
    (8, &["create_remote_thread"]),
    (9, &["raw_access_thread"]),
    (10, &["process_access"]),
    (11, &["file_event"]),
    (12, &["registry_event"]),
    (13, &["registry_set", "registry_event"]),
    (14, &["registry_rename", "registry_event"]),
    (15, &["create_stream_hash"]),
    (16, &["sysmon_status"]),
    (17, &["pipe_created"]),
    (18, &["pipe_created"]),
    (19, &["wmi_event"]),
    (20, &["wmi_event"]),
    (21, &["wmi_event"]),
    (22, &["dns_query"]),
    (23, &["file_delete"]),
    (24, &["clipboard_capture"]),
    (25, &["process_tampering"]),
    (26, &["file_delete"]),
    (27, &["file_block_executable"]),
    (28, &["file_block_shredding"]),
    (29, &["file_executable_detected"]),
    (255, &["sysmon_error"]),
];

/// The channel, in lower case, of a service of Windows.
pub(crate) fn channel_of(service: &str) -> Option<&'static str> {
    CHANNELS.iter().find(|(_, name)| *name == service).map(|(channel, _)| *channel)
}

/// The names of products, categories and services that rules have, numbered.
#[derive(Debug)]
pub(crate) struct Names {
    numbers: HashMap<Box<str>, Name>,
    /// The service of each channel.
    channels: HashMap<&'static str, &'static str>,
}

impl Default for Names {
    fn default() -> Self {
        Self { numbers: HashMap::new(), channels: CHANNELS.into_iter().collect() }
    }
}

impl Names {
    /// The source a rule is for; its names get numbers.
    pub(crate) fn of_rule(&mut self, rule: &LogSource) -> Source {
        let mut number = |name: &Option<String>| {
            let name = name.as_deref()?.to_lowercase();
            // One more name than numbers is not told apart from others; no set of rules comes near.
            let next = Name::try_from(self.numbers.len()).unwrap_or(OTHER);
            Some(*self.numbers.entry(name.into()).or_insert(next))
        };
        Source {
            product: number(&rule.product),
            category: number(&rule.category),
            service: number(&rule.service),
        }
    }

    /// The names of a class's sources, for people; a name that no rule has is left out.
    pub(crate) fn describe(&self, class: Class) -> Vec<Given> {
        let name = |number: Option<Name>| {
            let (name, _) = self.numbers.iter().find(|(_, of)| Some(**of) == number)?;
            Some(name.to_string())
        };
        let one = |source: &Source| Given {
            product: name(source.product),
            category: name(source.category),
            service: name(source.service),
        };
        class.sources().map(one).collect()
    }

    fn get(&self, name: &str) -> Option<Name> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let folded = name.trim().to_lowercase();
        match folded.is_empty() {
            true => None,
            false => Some(self.numbers.get(folded.as_str()).copied().unwrap_or(OTHER)),
        }
    }

    /// The class of an event.
    pub(crate) fn class_of(&self, event: &View<'_>, given: &Given) -> Class {
        let told = |field, given: &Option<String>| match event.text(field) {
            Some(name) => self.get(&name),
            None => given.as_deref().and_then(|name| self.get(name)),
        };
        let said = Source {
            product: told(known::PRODUCT, &given.product),
            category: told(known::CATEGORY, &given.category),
            service: told(known::SERVICE, &given.service),
        };
        if said.category.is_some() || said.service.is_some() {
            return Class::one(said, false);
        }
        if let Some(class) = self.windows(event).or_else(|| self.other(event)) {
            return class;
        }
        if said.product.is_some() { Class::one(said, false) } else { Class::default() }
    }

    /// Events of Windows, and of Sysmon on Linux.
    fn windows(&self, event: &View<'_>) -> Option<Class> {
        let id = event.get(known::EVENT_ID)?.as_i64()?;
        let mut folded = event.text(known::CHANNEL).map(|channel| channel.to_lowercase()).unwrap_or_default();
        let provider = event.text(known::PROVIDER).or_else(|| event.text(known::SOURCE_NAME));
        let provider = provider.map(|provider| provider.to_lowercase()).unwrap_or_default();
        if folded.is_empty() && provider.is_empty() {
            // Flat exports of Sysmon often leave out where they come from.
            let of_sysmon = event.get(known::UTC_TIME).or_else(|| event.get(known::PROCESS_GUID)).is_some();
            of_sysmon.then_some(())?;
            folded.push_str("microsoft-windows-sysmon/operational");
        }
        let of_sysmon = folded.contains("sysmon") || folded.is_empty() && provider.contains("sysmon");
        let on_linux = provider == "linux-sysmon";
        let product = self.get(if on_linux { "linux" } else { "windows" });
        let service = match of_sysmon {
            true => self.get("sysmon"),
            false => {
                self.channels.get(folded.as_str()).and_then(|service| self.get(service))
            }
        };
        let source = |category: Option<&str>| Source {
            product,
            category: category.and_then(|category| self.get(category)),
            service,
        };
        let categories = match of_sysmon {
            true => SYSMON.iter().find(|(number, _)| *number == id).map_or(&[][..], |(_, categories)| categories),
            false => categories_of(&folded, id),
        };
        let mut class = Class { closed: true, ..Class::default() };
        for category in categories {
            class.push(source(Some(category)));
        }
        if of_sysmon && id == 12 {
            // One event id for keys that come and go.
            let kind = event.text(known::EVENT_TYPE).map(|kind| kind.to_lowercase()).unwrap_or_default();
            class.push(source(Some(if kind.contains("delete") { "registry_delete" } else { "registry_add" })));
        }
        if class.length == 0 {
            class.push(source(None));
        }
        Some(class)
    }

    /// Events of other products that cannot be mistaken.
    fn other(&self, event: &View<'_>) -> Option<Class> {
        if let Some(path) = event.text(known::ZEEK_PATH) {
            let source = Source { product: self.get("zeek"), category: None, service: self.get(&path) };
            return Some(Class::one(source, true));
        }
        let cloud = event.text(known::CLOUD_SOURCE)?;
        if event.get(known::CLOUD_VERSION).is_some() && cloud.ends_with(".amazonaws.com") {
            let source = Source { product: self.get("aws"), category: None, service: self.get("cloudtrail") };
            return Some(Class::one(source, true));
        }
        None
    }
}

/// Categories of events of Windows' own channels: PowerShell's and the audit of new processes.
fn categories_of(channel: &str, id: i64) -> &'static [&'static str] {
    match (channel, id) {
        ("security", 4688) => &["process_creation"],
        ("microsoft-windows-powershell/operational" | "powershellcore/operational", 4103) => &["ps_module"],
        ("microsoft-windows-powershell/operational" | "powershellcore/operational", 4104) => &["ps_script"],
        ("windows powershell", 400) => &["ps_classic_start"],
        ("windows powershell", 600) => &["ps_classic_provider_start"],
        _ => &[],
    }
}
