//! The table against a plain map.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn all(table: &Table) -> BTreeMap<(Kind, Vec<u8>), BTreeSet<u32>> {
    let mut found: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for record in table.all() {
        let key = (record.value.kind, record.value.bytes.to_vec());
        assert!(found.insert(key, record.indicators().collect()).is_none(), "a value has two records");
    }
    found
}

proptest! {
    /// Everything listed is found under its hash, with all its indicators and no others.
    #[test]
    fn the_table_is_a_map(
        entries in proptest::collection::vec((proptest::sample::select(Kind::ALL.to_vec()), proptest::collection::vec(b'a'..b'd', 5..8), 0u32..5), 0..400),
        key in any::<u64>(),
    ) {
        let mut wanted: BTreeMap<(Kind, Vec<u8>), BTreeSet<u32>> = BTreeMap::new();
        let mut builder = TableBuilder::new(key);
        for (kind, bytes, id) in &entries {
            let mut bytes = bytes.clone();
            match kind {
                Kind::Cidr4 => { bytes.truncate(4); bytes.push(u8::try_from(*id).unwrap() + 20); }
                Kind::Cidr6 => { bytes.resize(16, 0); bytes.push(u8::try_from(*id).unwrap() + 40); }
                _ => {}
            }
            builder.add(ValueRef { kind: *kind, bytes: &bytes }, *id).unwrap();
            wanted.entry((*kind, bytes)).or_default().insert(*id);
        }
        let table = builder.finish().unwrap();
        prop_assert_eq!(all(&table), wanted.clone());
        prop_assert_eq!(table.values, wanted.len());
        prop_assert_eq!(table.entries, wanted.values().map(BTreeSet::len).sum::<usize>());
        for ((kind, bytes), ids) in &wanted {
            let hash = hash_of(key, *kind, bytes);
            prop_assert!(table.may_hold(hash) && table.tagged(hash));
            let found: Vec<BTreeSet<u32>> = table.records(hash)
                .filter(|record| record.value == ValueRef { kind: *kind, bytes })
                .map(|record| record.indicators().collect())
                .collect();
            prop_assert_eq!(found, vec![ids.clone()]);
        }
    }
}

#[test]
fn the_filter_keeps_strangers_out() {
    let mut builder = TableBuilder::new(11);
    for number in 0u32..50_000 {
        builder.add(ValueRef { kind: Kind::Ipv4, bytes: &number.to_be_bytes() }, number).unwrap();
    }
    let table = builder.finish().unwrap();
    let passed =
        (1u32 << 31..(1 << 31) + 200_000).filter(|number| table.may_hold(hash::of_ipv4(11, *number))).count();
    // 16 bits a key and 4 bits within a word: about 0.5%.
    assert!(passed < 1_300, "{passed} of 200,000 strangers passed");
    assert!(table.heap_bytes() < 50_000 * 16, "{} bytes", table.heap_bytes());
}

#[test]
fn every_suffix_of_a_name_is_marked() {
    let mut builder = TableBuilder::new(2);
    builder.add(ValueRef { kind: Kind::Domain, bytes: b"a.b.evil.example" }, 1).unwrap();
    let table = builder.finish().unwrap();
    for suffix in ["example", "evil.example", "b.evil.example", "a.b.evil.example"] {
        assert!(table.may_hold(hash::of_text(2, Class::Domain, suffix.as_bytes())), "{suffix}");
    }
    assert!(!table.single_label);
}

#[test]
fn labels_are_cut_at_dots() {
    assert_eq!(last_labels(b"a.b.c", 2), b"b.c");
    assert_eq!(last_labels(b"a.b.c", 1), b"c");
    assert_eq!(last_labels(b"c", 2), b"c");
    assert_eq!(longer(b"a.b.c", b"c"), Some(&b"b.c"[..]));
    assert_eq!(longer(b"a.b.c", b"b.c"), Some(&b"a.b.c"[..]));
    assert_eq!(longer(b"a.b.c", b"a.b.c"), None);
}
