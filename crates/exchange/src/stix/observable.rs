//! The tables of STIX cyber-observable objects (STIX 2.1 sections 3.2 and 6), one row a property.
//! Long because the tables are: nothing here but rows and the two rules no row can say.

use super::check::is_true;
use super::domain::MARKING_REFS;
use super::finding::{Code, Findings, Path};
use super::json::Fields;
use super::schema::{
    COUNT, Category, FLOAT, INTEGER, Kind, Property, Rule, Shape, TEXTS, Targets, Type, id_of, may, must,
};
use super::vocabulary as ov;

const COMMON: &[Property] = &[
    must("type", Kind::Own),
    may("spec_version", Kind::SpecVersion),
    must("id", Kind::Own),
    may("object_marking_refs", MARKING_REFS),
    may("granular_markings", Kind::GranularMarkings),
    may("defanged", Kind::Boolean),
    may("extensions", Kind::Extensions),
];

const ARTIFACT: Kind = id_of(&["artifact"]);
const EMAIL: Kind = id_of(&["email-addr"]);
const EMAILS: Kind = Kind::List(&EMAIL);
const FILE: Kind = id_of(&["file"]);
const HOST: Kind = id_of(&["ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"]);
const PORT: Kind = Kind::Integer(0, 65_535);
const PROCESS: Kind = id_of(&["process"]);
const TRAFFIC: Kind = id_of(&["network-traffic"]);
const USER: Kind = id_of(&["user-account"]);
const VALUE: Property = must("value", Kind::Text);
const CTIME: Property = may("ctime", Kind::Time);
const MTIME: Property = may("mtime", Kind::Time);
const ATIME: Property = may("atime", Kind::Time);

/// One row of [`TYPES`].
const fn observable(
    name: &'static str,
    own: &'static [Property],
    rules: &'static [Rule],
    identity: &'static [&'static str],
) -> Type {
    Type { name, category: Category::Observable, common: COMMON, own, rules, extensions: &[], identity }
}

const fn extended(base: Type, extensions: &'static [(&'static str, &'static Shape)]) -> Type {
    Type { extensions, ..base }
}

pub(super) const TYPES: &[Type] = &[
    observable(
        "domain-name",
        &[VALUE, may("resolves_to_refs", Kind::List(&id_of(&["ipv4-addr", "ipv6-addr", "domain-name"])))],
        &[],
        &["value"],
    ),
    observable("ipv4-addr", ADDRESS_4, &[], &["value"]),
    observable("ipv6-addr", ADDRESS_6, &[], &["value"]),
    observable("url", &[must("value", Kind::Url)], &[], &["value"]),
    extended(
        observable(
            "file",
            &[
                may("hashes", Kind::Hashes),
                may("size", COUNT),
                may("name", Kind::Text),
                may("name_enc", Kind::Text),
                may("magic_number_hex", Kind::Hex),
                may("mime_type", Kind::Text),
                CTIME,
                MTIME,
                ATIME,
                may("parent_directory_ref", id_of(&["directory"])),
                may("contains_refs", Kind::List(&Kind::Id(Targets::Observable))),
                may("content_ref", ARTIFACT),
            ],
            &[Rule::AnyOf(&["hashes", "name"])],
            &["hashes", "name", "parent_directory_ref", "extensions"],
        ),
        &[
            ("archive-ext", &ARCHIVE),
            ("ntfs-ext", &NTFS),
            ("pdf-ext", &PDF),
            ("raster-image-ext", &RASTER_IMAGE),
            ("windows-pebinary-ext", &WINDOWS_PE),
        ],
    ),
    observable(
        "artifact",
        &[
            may("mime_type", Kind::Text),
            may("payload_bin", Kind::Base64),
            may("url", Kind::Url),
            may("hashes", Kind::Hashes),
            may("encryption_algorithm", Kind::Closed(ov::ENCRYPTION_ALGORITHM)),
            may("decryption_key", Kind::Text),
        ],
        &[
            Rule::OneOf(&["payload_bin", "url"]),
            Rule::Needs("url", "hashes"),
            Rule::Needs("decryption_key", "encryption_algorithm"),
        ],
        &["hashes", "payload_bin"],
    ),
    observable(
        "autonomous-system",
        &[must("number", COUNT), may("name", Kind::Text), may("rir", Kind::Text)],
        &[],
        &["number"],
    ),
    observable(
        "directory",
        &[
            must("path", Kind::Text),
            may("path_enc", Kind::Text),
            CTIME,
            MTIME,
            ATIME,
            may("contains_refs", Kind::List(&id_of(&["file", "directory"]))),
        ],
        &[],
        &["path"],
    ),
    observable(
        "email-addr",
        &[VALUE, may("display_name", Kind::Text), may("belongs_to_ref", USER)],
        &[],
        &["value"],
    ),
    observable(
        "email-message",
        &[
            must("is_multipart", Kind::Boolean),
            may("date", Kind::Time),
            may("content_type", Kind::Text),
            may("from_ref", EMAIL),
            may("sender_ref", EMAIL),
            may("to_refs", EMAILS),
            may("cc_refs", EMAILS),
            may("bcc_refs", EMAILS),
            may("message_id", Kind::Text),
            may("subject", Kind::Text),
            may("received_lines", TEXTS),
            may("additional_header_fields", Kind::Dictionary),
            may("body", Kind::Text),
            may("body_multipart", Kind::List(&Kind::Nested(&MIME_PART))),
            may("raw_email_ref", ARTIFACT),
        ],
        &[Rule::Own(body_fits_multipart)],
        &["from_ref", "subject", "body"],
    ),
    observable("mac-addr", &[must("value", Kind::MacAddress)], &[], &["value"]),
    observable("mutex", &[must("name", Kind::Text)], &[], &["name"]),
    extended(
        observable(
            "network-traffic",
            &[
                may("start", Kind::Time),
                may("end", Kind::Time),
                may("is_active", Kind::Boolean),
                may("src_ref", HOST),
                may("dst_ref", HOST),
                may("src_port", PORT),
                may("dst_port", PORT),
                must("protocols", TEXTS),
                may("src_byte_count", COUNT),
                may("dst_byte_count", COUNT),
                may("src_packets", COUNT),
                may("dst_packets", COUNT),
                may("ipfix", Kind::Dictionary),
                may("src_payload_ref", ARTIFACT),
                may("dst_payload_ref", ARTIFACT),
                may("encapsulates_refs", Kind::List(&TRAFFIC)),
                may("encapsulated_by_ref", TRAFFIC),
            ],
            &[
                Rule::AnyOf(&["src_ref", "dst_ref"]),
                Rule::NotBefore("end", "start"),
                Rule::Own(active_traffic_has_no_end),
            ],
            &["start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"],
        ),
        &[
            ("http-request-ext", &HTTP_REQUEST),
            ("icmp-ext", &ICMP),
            ("socket-ext", &SOCKET),
            ("tcp-ext", &TCP),
        ],
    ),
    extended(
        observable(
            "process",
            &[
                may("is_hidden", Kind::Boolean),
                may("pid", INTEGER),
                may("created_time", Kind::Time),
                may("cwd", Kind::Text),
                may("command_line", Kind::Text),
                may("environment_variables", Kind::Dictionary),
                may("opened_connection_refs", Kind::List(&TRAFFIC)),
                may("creator_user_ref", USER),
                may("image_ref", FILE),
                may("parent_ref", PROCESS),
                may("child_refs", Kind::List(&PROCESS)),
            ],
            &[Rule::AnyOf(&[
                "is_hidden",
                "pid",
                "created_time",
                "cwd",
                "command_line",
                "environment_variables",
                "opened_connection_refs",
                "creator_user_ref",
                "image_ref",
                "parent_ref",
                "child_refs",
                "extensions",
            ])],
            &[],
        ),
        &[("windows-process-ext", &WINDOWS_PROCESS), ("windows-service-ext", &WINDOWS_SERVICE)],
    ),
    observable(
        "software",
        &[
            must("name", Kind::Text),
            may("cpe", Kind::Text),
            may("swid", Kind::Text),
            may("languages", TEXTS),
            may("vendor", Kind::Text),
            may("version", Kind::Text),
        ],
        &[],
        &["name", "cpe", "swid", "vendor", "version"],
    ),
    extended(
        observable(
            "user-account",
            &[
                may("user_id", Kind::Text),
                may("credential", Kind::Text),
                may("account_login", Kind::Text),
                may("account_type", Kind::Open(ov::ACCOUNT_TYPE)),
                may("display_name", Kind::Text),
                may("is_service_account", Kind::Boolean),
                may("is_privileged", Kind::Boolean),
                may("can_escalate_privs", Kind::Boolean),
                may("is_disabled", Kind::Boolean),
                may("account_created", Kind::Time),
                may("account_expires", Kind::Time),
                may("credential_last_changed", Kind::Time),
                may("account_first_login", Kind::Time),
                may("account_last_login", Kind::Time),
            ],
            &[Rule::AnyOf(&[
                "user_id",
                "credential",
                "account_login",
                "account_type",
                "display_name",
                "is_service_account",
                "is_privileged",
                "can_escalate_privs",
                "is_disabled",
                "account_created",
                "account_expires",
                "credential_last_changed",
                "account_first_login",
                "account_last_login",
                "extensions",
            ])],
            &["account_type", "user_id", "account_login"],
        ),
        &[("unix-account-ext", &UNIX_ACCOUNT)],
    ),
    observable(
        "windows-registry-key",
        &[
            may("key", Kind::Text),
            may("values", Kind::List(&Kind::Nested(&REGISTRY_VALUE))),
            may("modified_time", Kind::Time),
            may("creator_user_ref", USER),
            may("number_of_subkeys", COUNT),
        ],
        &[Rule::AnyOf(&[
            "key",
            "values",
            "modified_time",
            "creator_user_ref",
            "number_of_subkeys",
            "extensions",
        ])],
        &["key", "values"],
    ),
    observable(
        "x509-certificate",
        &[
            may("is_self_signed", Kind::Boolean),
            may("hashes", Kind::Hashes),
            may("version", Kind::Text),
            may("serial_number", Kind::Text),
            may("signature_algorithm", Kind::Text),
            may("issuer", Kind::Text),
            may("validity_not_before", Kind::Time),
            may("validity_not_after", Kind::Time),
            may("subject", Kind::Text),
            may("subject_public_key_algorithm", Kind::Text),
            may("subject_public_key_modulus", Kind::Text),
            may("subject_public_key_exponent", INTEGER),
            may("x509_v3_extensions", Kind::Nested(&X509_V3)),
        ],
        &[Rule::AnyOf(&[
            "is_self_signed",
            "hashes",
            "version",
            "serial_number",
            "signature_algorithm",
            "issuer",
            "validity_not_before",
            "validity_not_after",
            "subject",
            "subject_public_key_algorithm",
            "subject_public_key_modulus",
            "subject_public_key_exponent",
            "x509_v3_extensions",
            "extensions",
        ])],
        &["hashes", "serial_number"],
    ),
];

const MAC_ADDRESSES: Property = may("resolves_to_refs", Kind::List(&id_of(&["mac-addr"])));
const SYSTEMS: Property = may("belongs_to_refs", Kind::List(&id_of(&["autonomous-system"])));
const ADDRESS_4: &[Property] = &[must("value", Kind::Ipv4), MAC_ADDRESSES, SYSTEMS];
const ADDRESS_6: &[Property] = &[must("value", Kind::Ipv6), MAC_ADDRESSES, SYSTEMS];

const MIME_PART: Shape = Shape {
    own: &[
        may("body", Kind::Text),
        may("body_raw_ref", id_of(&["artifact", "file"])),
        may("content_type", Kind::Text),
        may("content_disposition", Kind::Text),
    ],
    rules: &[Rule::OneOf(&["body", "body_raw_ref"])],
};

const REGISTRY_VALUE: Shape = Shape {
    own: &[
        may("name", Kind::Text),
        may("data", Kind::Text),
        may("data_type", Kind::Closed(ov::WINDOWS_REGISTRY)),
    ],
    rules: &[Rule::AnyOf(&["name", "data", "data_type"])],
};

const X509_V3: Shape = Shape {
    own: &[
        may("basic_constraints", Kind::Text),
        may("name_constraints", Kind::Text),
        may("policy_constraints", Kind::Text),
        may("key_usage", Kind::Text),
        may("extended_key_usage", Kind::Text),
        may("subject_key_identifier", Kind::Text),
        may("authority_key_identifier", Kind::Text),
        may("subject_alternative_name", Kind::Text),
        may("issuer_alternative_name", Kind::Text),
        may("subject_directory_attributes", Kind::Text),
        may("crl_distribution_points", Kind::Text),
        may("inhibit_any_policy", Kind::Text),
        may("private_key_usage_period_not_before", Kind::Time),
        may("private_key_usage_period_not_after", Kind::Time),
        may("certificate_policies", Kind::Text),
        may("policy_mappings", Kind::Text),
    ],
    rules: &[],
};

const ARCHIVE: Shape = Shape {
    own: &[must("contains_refs", Kind::List(&id_of(&["file", "directory"]))), may("comment", Kind::Text)],
    rules: &[],
};

const ALTERNATE_STREAM: Shape =
    Shape { own: &[must("name", Kind::Text), may("hashes", Kind::Hashes), may("size", COUNT)], rules: &[] };

const NTFS: Shape = Shape {
    own: &[
        may("sid", Kind::Text),
        may("alternate_data_streams", Kind::List(&Kind::Nested(&ALTERNATE_STREAM))),
    ],
    rules: &[Rule::AnyOf(&["sid", "alternate_data_streams"])],
};

const PDF: Shape = Shape {
    own: &[
        may("version", Kind::Text),
        may("is_optimized", Kind::Boolean),
        may("document_info_dict", Kind::Dictionary),
        may("pdfid0", Kind::Text),
        may("pdfid1", Kind::Text),
    ],
    rules: &[Rule::AnyOf(&["version", "is_optimized", "document_info_dict", "pdfid0", "pdfid1"])],
};

const RASTER_IMAGE: Shape = Shape {
    own: &[
        may("image_height", INTEGER),
        may("image_width", INTEGER),
        may("bits_per_pixel", INTEGER),
        may("exif_tags", Kind::Dictionary),
    ],
    rules: &[Rule::AnyOf(&["image_height", "image_width", "bits_per_pixel", "exif_tags"])],
};

const PE_SECTION: Shape = Shape {
    own: &[must("name", Kind::Text), may("size", COUNT), may("entropy", FLOAT), may("hashes", Kind::Hashes)],
    rules: &[],
};

const PE_OPTIONAL_HEADER: Shape = Shape {
    own: &[
        may("magic_hex", Kind::Hex),
        may("major_linker_version", INTEGER),
        may("minor_linker_version", INTEGER),
        may("size_of_code", COUNT),
        may("size_of_initialized_data", COUNT),
        may("size_of_uninitialized_data", COUNT),
        may("address_of_entry_point", INTEGER),
        may("base_of_code", INTEGER),
        may("base_of_data", INTEGER),
        may("image_base", INTEGER),
        may("section_alignment", INTEGER),
        may("file_alignment", INTEGER),
        may("major_os_version", INTEGER),
        may("minor_os_version", INTEGER),
        may("major_image_version", INTEGER),
        may("minor_image_version", INTEGER),
        may("major_subsystem_version", INTEGER),
        may("minor_subsystem_version", INTEGER),
        may("win32_version_value_hex", Kind::Hex),
        may("size_of_image", COUNT),
        may("size_of_headers", COUNT),
        may("checksum_hex", Kind::Hex),
        may("subsystem_hex", Kind::Hex),
        may("dll_characteristics_hex", Kind::Hex),
        may("size_of_stack_reserve", COUNT),
        may("size_of_stack_commit", COUNT),
        may("size_of_heap_reserve", COUNT),
        may("size_of_heap_commit", COUNT),
        may("loader_flags_hex", Kind::Hex),
        may("number_of_rva_and_sizes", INTEGER),
        may("hashes", Kind::Hashes),
    ],
    rules: &[],
};

const WINDOWS_PE: Shape = Shape {
    own: &[
        must("pe_type", Kind::Open(ov::WINDOWS_PEBINARY)),
        may("imphash", Kind::Text),
        may("machine_hex", Kind::Hex),
        may("number_of_sections", COUNT),
        may("time_date_stamp", Kind::Time),
        may("pointer_to_symbol_table_hex", Kind::Hex),
        may("number_of_symbols", COUNT),
        may("size_of_optional_header", COUNT),
        may("characteristics_hex", Kind::Hex),
        may("file_header_hashes", Kind::Hashes),
        may("optional_header", Kind::Nested(&PE_OPTIONAL_HEADER)),
        may("sections", Kind::List(&Kind::Nested(&PE_SECTION))),
    ],
    rules: &[],
};

const HTTP_REQUEST: Shape = Shape {
    own: &[
        must("request_method", Kind::Text),
        must("request_value", Kind::Text),
        may("request_version", Kind::Text),
        may("request_header", Kind::Dictionary),
        may("message_body_length", INTEGER),
        may("message_body_data_ref", ARTIFACT),
    ],
    rules: &[],
};

const ICMP: Shape =
    Shape { own: &[must("icmp_type_hex", Kind::Hex), must("icmp_code_hex", Kind::Hex)], rules: &[] };

const SOCKET: Shape = Shape {
    own: &[
        must("address_family", Kind::Closed(ov::SOCKET_FAMILY)),
        may("is_blocking", Kind::Boolean),
        may("is_listening", Kind::Boolean),
        may("options", Kind::Dictionary),
        may("socket_type", Kind::Closed(ov::SOCKET_TYPE)),
        may("socket_descriptor", COUNT),
        may("socket_handle", INTEGER),
    ],
    rules: &[],
};

const TCP: Shape = Shape {
    own: &[may("src_flags_hex", Kind::Hex), may("dst_flags_hex", Kind::Hex)],
    rules: &[Rule::AnyOf(&["src_flags_hex", "dst_flags_hex"])],
};

const WINDOWS_PROCESS: Shape = Shape {
    own: &[
        may("aslr_enabled", Kind::Boolean),
        may("dep_enabled", Kind::Boolean),
        may("priority", Kind::Text),
        may("owner_sid", Kind::Text),
        may("window_title", Kind::Text),
        may("startup_info", Kind::Dictionary),
        may("integrity_level", Kind::Closed(ov::WINDOWS_INTEGRITY)),
    ],
    rules: &[Rule::AnyOf(&[
        "aslr_enabled",
        "dep_enabled",
        "priority",
        "owner_sid",
        "window_title",
        "startup_info",
        "integrity_level",
    ])],
};

const WINDOWS_SERVICE: Shape = Shape {
    own: &[
        may("service_name", Kind::Text),
        may("descriptions", TEXTS),
        may("display_name", Kind::Text),
        may("group_name", Kind::Text),
        may("start_type", Kind::Closed(ov::SERVICE_START)),
        may("service_dll_refs", Kind::List(&FILE)),
        may("service_type", Kind::Closed(ov::SERVICE_TYPE)),
        may("service_status", Kind::Closed(ov::SERVICE_STATUS)),
    ],
    rules: &[Rule::AnyOf(&[
        "service_name",
        "descriptions",
        "display_name",
        "group_name",
        "start_type",
        "service_dll_refs",
        "service_type",
        "service_status",
    ])],
};

const UNIX_ACCOUNT: Shape = Shape {
    own: &[may("gid", INTEGER), may("groups", TEXTS), may("home_dir", Kind::Text), may("shell", Kind::Text)],
    rules: &[Rule::AnyOf(&["gid", "groups", "home_dir", "shell"])],
};

/// Section 6.6: a body or parts, as `is_multipart` says.
fn body_fits_multipart(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    let (excluded, instead) = if is_true(fields.get("is_multipart")) {
        ("body", "body_multipart")
    } else {
        ("body_multipart", "body")
    };
    if fields.has(excluded) {
        let reason = format!("`{excluded}` does not go with this `is_multipart`: use `{instead}`");
        out.refuse(&path.key(excluded), Code::Forbidden, reason);
    }
}

/// Section 6.12: traffic that goes on has not ended.
fn active_traffic_has_no_end(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    if is_true(fields.get("is_active")) && fields.has("end") {
        out.refuse(
            &path.key("end"),
            Code::Forbidden,
            "active traffic has no `end`: set `is_active` to false",
        );
    }
}
