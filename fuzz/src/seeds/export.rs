//! Flow export, as [`super::sequence`]s.

use std::net::IpAddr;

use wire::emit::{Field, Writer, ipfix as ten, netflow5 as five, netflow9 as nine, sflow as s5};

use super::{packets, sequence};

/// NetFlow v5.
pub fn netflow5() -> Vec<Vec<u8>> {
    let record = five::Record {
        src: [192, 0, 2, 1].into(),
        dst: [198, 51, 100, 2].into(),
        input: 1,
        output: 2,
        packets: 3,
        octets: 180,
        first: 1000,
        last: 2000,
        src_port: 53,
        dst_port: 4000,
        tcp_flags: 0,
        protocol: 17,
        tos: 0,
    };
    let header =
        five::Header { uptime: 5000, secs: 1_700_000_000, sampling: 0x4064, ..five::Header::default() };
    [1, 3, 30].iter().map(|n| sequence(&[five::datagram(&header, &vec![record; *n])])).collect()
}

/// NetFlow v9: templates, options and data; data before its template.
pub fn netflow9() -> Vec<Vec<u8>> {
    let header = nine::Header { uptime: 5000, secs: 1_700_000_000, sequence: 1, source_id: 7 };
    let make = |build: &dyn Fn(&mut nine::Datagram)| {
        let mut datagram = nine::Datagram::new(&header);
        build(&mut datagram);
        datagram.finish()
    };
    let template = make(&|d| d.template(256, FIELDS));
    let options = make(&|d| {
        d.options_template(
            257,
            &[Field::new(1, 4)],
            &[Field::new(34, 4), Field::new(48, 1), Field::new(50, 4)],
        );
        d.data(257, 1, |w| {
            w.u32(7).u32(1000).u8(1).u32(100);
        });
    });
    let data = make(&|d| {
        d.data(256, 2, |w| {
            record(w);
            record(w);
        });
    });
    // much waits for a short template: decoding all of it at once would be the template's work
    let big = make(&|d| d.data(256, 35, |w| (0..35).for_each(|_| record(w))));
    let crowd = [vec![big; 60], vec![template.clone()], vec![data.clone()]].concat();
    vec![
        sequence(&[template.clone(), data.clone()]),
        sequence(&[options.clone(), template.clone(), data.clone()]),
        sequence(&[data.clone(), template, data]),
        sequence(&crowd),
    ]
}

/// IPFIX: the same, with variable lengths and enterprise fields.
pub fn ipfix() -> Vec<Vec<u8>> {
    let header = ten::Header { export_time: 1_700_000_000, sequence: 1, domain: 7 };
    let make = |build: &dyn Fn(&mut ten::Message)| {
        let mut message = ten::Message::new(&header);
        build(&mut message);
        message.finish()
    };
    let variable = [
        FIELDS,
        &[
            Field::new(82, 65_535),
            Field { id: 5, len: 65_535, enterprise: Some(9) },
            Field { id: 1, len: 8, enterprise: Some(29_305) },
            Field::new(315, 65_535),
        ],
    ]
    .concat();
    let template = make(&|m| {
        m.template(256, FIELDS);
        m.template(258, &variable);
    });
    let options = make(&|m| {
        m.options_template(
            257,
            &[Field::new(149, 4)],
            &[Field::new(305, 4), Field::new(306, 4), Field::new(304, 2)],
        );
        m.data(257, |w| {
            w.u32(7).u32(1).u32(999).u16(1);
        });
    });
    let frame = packets().first().and_then(|frame| frame.get(1..).map(<[u8]>::to_vec)).unwrap_or_default();
    let data = make(&|m| {
        m.data(256, record);
        m.data(258, |w| {
            record(w);
            ten::variable(w, b"xe-0/0/1");
            ten::variable(w, &[7; 300]);
            w.u64(12);
            ten::variable(w, &frame);
        });
    });
    vec![
        sequence(&[template.clone(), data.clone()]),
        sequence(&[options.clone(), template.clone(), data.clone()]),
        sequence(&[data.clone(), template, data]),
    ]
}

/// sFlow v5: each kind of sample.
pub fn sflow() -> Vec<Vec<u8>> {
    sflow_datagrams().into_iter().map(|datagram| sequence(&[datagram])).collect()
}

/// The same without the lengths in front.
pub fn sflow_datagrams() -> Vec<Vec<u8>> {
    let frames = packets();
    let frame = frames.first().and_then(|frame| frame.get(1..)).unwrap_or_default();
    let sample = s5::FlowSample {
        sequence: 1,
        source: 3,
        rate: 1000,
        pool: 5000,
        drops: 0,
        input: 1,
        output: 2,
        frame_length: 94,
        header: frame,
    };
    let agent: IpAddr = [192, 0, 2, 9].into();
    let make = |build: &dyn Fn(&mut s5::Datagram)| {
        let mut datagram = s5::Datagram::new(&s5::Header { agent, sub_agent: 0, sequence: 1, uptime: 1000 });
        build(&mut datagram);
        datagram.finish()
    };
    vec![
        make(&|d| d.flow(&sample)),
        make(&|d| d.flow_expanded(&sample)),
        make(&|d| d.counters(1, &s5::Counters::default())),
        make(&|d| d.discard(&sample, 3)),
        make(&|d| {
            for _ in 0..5 {
                d.flow(&sample);
            }
            d.counters(2, &s5::Counters::default());
        }),
    ]
}

/// A common record: addresses, ports, protocol, flags, interfaces, counters, times.
const FIELDS: &[Field] = &[
    Field::new(8, 4),
    Field::new(12, 4),
    Field::new(7, 2),
    Field::new(11, 2),
    Field::new(4, 1),
    Field::new(6, 1),
    Field::new(10, 2),
    Field::new(14, 2),
    Field::new(2, 4),
    Field::new(1, 4),
    Field::new(22, 4),
    Field::new(21, 4),
];

fn record(w: &mut Writer<'_>) {
    w.u32(0xc000_0201).u32(0xc633_6402).u16(53).u16(4000).u8(17).u8(0).u16(1).u16(2);
    w.u32(3).u32(180).u32(1000).u32(2000);
}
