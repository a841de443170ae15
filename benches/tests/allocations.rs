//! Zero allocations per record.

use benches::{FORMATS, allocations, datagrams};

#[test]
fn decoding_a_record_allocates_nothing() {
    for (name, format) in FORMATS {
        let (allocations, records) = allocations(&datagrams(format, 20_000));
        assert!(records > 8_000, "{name}: {records} records");
        assert_eq!(allocations, 0, "{name}: {allocations} allocations for {records} records");
    }
}
