//! What the door makes of objects: whatever was upgraded or cut reads again as accepted, keeps its id, and is not
//! changed a second time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::stix::{self, Taken};
use shieldwall_model::marking::Tlp;

fuzz_target!(|input: &[u8]| {
    let Ok(checked) = stix::read_bundle(input) else { return };
    for object in checked.accepted {
        let slice = object.slice(input).to_vec();
        let (id, outdated) = (object.id.clone(), object.outdated);
        let Ok(taken) = stix::upgrade(object, &slice) else { continue };
        assert_eq!(taken[0].object.id, id);
        assert!(outdated || (taken.len() == 1 && *taken[0].bytes == *slice));
        for Taken { object, bytes } in taken {
            let again = stix::read_one(&bytes).expect("what comes out is read again");
            let twice = stix::upgrade(again, &bytes).expect("and taken again");
            assert!(twice.len() == 1 && twice[0].bytes == bytes);
            for ceiling in Tlp::ALL {
                let Ok(Some(cut)) = stix::cut(&object, &bytes, ceiling) else { continue };
                let again = stix::read_one(&cut.taken.bytes).expect("what was cut is read again");
                assert!(again.parts_tlp.is_none_or(|tlp| tlp <= ceiling));
                assert_eq!((&again.id, again.tlp, again.revoked), (&object.id, object.tlp, object.revoked));
            }
        }
    }
});
