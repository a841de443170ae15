//! The decoders read what the emitters write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use wire::emit;
use wire::sflow::{Counter, Datagram, FlowRecord, Sample};

prop_compose! {
    fn record()(
        (src, dst) in any::<(u32, u32)>(), (input, output) in any::<(u16, u16)>(),
        (packets, octets) in any::<(u32, u32)>(), (first, last) in any::<(u32, u32)>(),
        (src_port, dst_port) in any::<(u16, u16)>(), (tcp_flags, protocol, tos) in any::<(u8, u8, u8)>(),
    ) -> emit::netflow5::Record {
        emit::netflow5::Record {
            src: Ipv4Addr::from_bits(src), dst: Ipv4Addr::from_bits(dst),
            input, output, packets, octets, first, last, src_port, dst_port, tcp_flags, protocol, tos,
        }
    }
}

proptest! {
    #[test]
    fn netflow_5_comes_back(
        records in proptest::collection::vec(record(), 1..=30),
        (uptime, secs, nanos, sequence) in any::<(u32, u32, u32, u32)>(), sampling in any::<u16>(),
    ) {
        let header = emit::netflow5::Header { uptime, secs, nanos, sequence, engine: (1, 2), sampling };
        let bytes = emit::netflow5::datagram(&header, &records);
        let read = wire::netflow5::Datagram::parse(&bytes).unwrap();
        let h = read.header;
        let said = (h.uptime, h.unix_secs, h.unix_nsecs, h.sequence, h.sampling);
        prop_assert_eq!(said, (uptime, secs, nanos, sequence, sampling));
        prop_assert_eq!((h.engine_type, h.engine_id), (1, 2));
        let back: Vec<emit::netflow5::Record> = read.records().map(|r| emit::netflow5::Record {
            src: r.src, dst: r.dst, input: r.input, output: r.output, packets: r.packets, octets: r.octets,
            first: r.first, last: r.last, src_port: r.src_port, dst_port: r.dst_port, tcp_flags: r.tcp_flags,
            protocol: r.protocol, tos: r.tos,
        }).collect();
        prop_assert_eq!(back, records);
    }

    #[test]
    fn sflow_comes_back(
        (v4, v6) in any::<(u32, u128)>(), is_v4 in any::<bool>(), expanded in any::<bool>(),
        (sequence, rate, pool, drops) in any::<(u32, u32, u32, u32)>(),
        (input, output, source) in (1u32..0xffff, 1u32..0xffff, 1u32..0xffff),
        header in proptest::collection::vec(any::<u8>(), 0..200), octets in any::<u64>(),
    ) {
        let agent = if is_v4 { IpAddr::V4(Ipv4Addr::from_bits(v4)) } else { IpAddr::V6(Ipv6Addr::from_bits(v6)) };
        let head = emit::sflow::Header { agent, sub_agent: 1, sequence, uptime: 3 };
        let mut datagram = emit::sflow::Datagram::new(&head);
        let frame_length = 999;
        let header = header.as_slice();
        let sample =
            emit::sflow::FlowSample { sequence, source, rate, pool, drops, input, output, frame_length, header };
        if expanded { datagram.flow_expanded(&sample) } else { datagram.flow(&sample) }
        let counters = emit::sflow::Counters {
            index: 7, speed: octets, in_octets: octets, in_packets: 5, out_octets: !octets, out_packets: 6,
        };
        datagram.counters(9, &counters);
        datagram.discard(&sample, 259);
        let bytes = datagram.finish();
        let mut read = Datagram::parse(&bytes).unwrap();
        prop_assert_eq!((read.header.agent, read.header.sequence, read.header.samples), (agent, sequence, 3));
        let Some(Ok(Sample::Flow(mut flow))) = read.next_sample() else { panic!("a flow sample first") };
        let said = (flow.sequence, flow.sampling_rate, flow.sample_pool, flow.drops);
        prop_assert_eq!(said, (sequence, rate, pool, drops));
        let said = (flow.source.index, flow.input.index(), flow.output.index());
        prop_assert_eq!(said, (source, Some(input), Some(output)));
        let (tag, body) = flow.records.next_record().unwrap().unwrap();
        let FlowRecord::Raw(raw) = FlowRecord::parse(tag, body).unwrap() else { panic!("a raw header") };
        prop_assert_eq!((raw.header, raw.frame_length, raw.stripped), (header, 999, 4));
        let Some(Ok(Sample::Counters(mut c))) = read.next_sample() else { panic!("a counter sample next") };
        let (tag, body) = c.records.next_record().unwrap().unwrap();
        let Counter::Generic(generic) = Counter::parse(tag, body).unwrap() else { panic!("if_counters") };
        let said = (generic.index, generic.speed, generic.in_octets, generic.out_octets);
        prop_assert_eq!(said, (7, octets, octets, !octets));
        prop_assert_eq!((generic.in_packets, generic.out_packets), (5, 6));
        let Some(Ok(Sample::Discard(discard))) = read.next_sample() else { panic!("a discard sample last") };
        prop_assert_eq!((discard.reason, discard.input, discard.drops), (259, input, drops));
        prop_assert_eq!(read.left(), 0);
    }
}
