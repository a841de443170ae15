//! Each kind of wrong file or wrong use: its exit code and its one line.

use crate::support::{Scratch, json_lines, pcap, spillway, stderr, udp};

#[test]
fn wrong_use_is_one_line_and_exit_code_2() {
    let scratch = Scratch::new("wrong-use");
    let good = scratch.file("good.pcap", &pcap(101, &[udp(b"x")]));
    let flows = scratch.file("flows.dat", &netflow5());
    let cases: [(&[&str], &str); 11] = [
        (&["versio"], "unrecognized subcommand 'versio'; a similar subcommand exists: 'version'"),
        (&["version", "--foo"], "unexpected argument '--foo' found"),
        (&["completions"], "the following required arguments were not provided: <SHELL>"),
        (&["man", "nope"], "no command `nope`"),
        (&["replay", &good, "--shards", "0"], "invalid value '0' for '--shards <N>'"),
        (&["replay", &good, "--protect", "192.0.2.1/24"], "invalid value '192.0.2.1/24' for '--protect"),
        (&["replay", &good, "--apply", "some"], "invalid value 'some' for '--apply <HOW>'"),
        (&["replay", &good, "--passed", &good], &format!("{good}: is also an input")),
        (&["replay", &flows, "--passed", "x"], "--passed and --dropped need packets"),
        (&["replay", &good, &flows], &format!("{flows}: packets and flow export in one call")),
        (&["replay", "-"], "-: a stream can be read only once"),
    ];
    for (args, expected) in cases {
        let output = spillway(args.iter().copied());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        let text = stderr(&output);
        assert!(text.starts_with(&format!("spillway: {expected}")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_bad_file_is_one_line_and_exit_code_1() {
    let scratch = Scratch::new("bad-files");
    let good = pcap(101, &[udp(b"one"), udp(b"two")]);
    let huge = [&pcap(1, &[])[..], &[0; 8], &0x7fff_ffffu32.to_le_bytes(), &[0; 64]].concat();
    let cases: [(&str, &[u8], &str); 12] = [
        ("empty.pcap", b"", "the file is empty; give a pcap or pcapng file"),
        ("text.pcap", b"192.0.2.1 is attacked\n", "not a capture but text; give a pcap"),
        ("short.pcap", b"\xd4\xc3\xb2\xa1\x02\x00", "cut short inside the file header, at offset 6"),
        ("noise.pcap", &[0x80, 0, 1, 2, 3, 4, 5], "not a capture: no pcap or pcapng header"),
        ("packed.pcap", &[0x1f, 0x8b, 8, 0], "compressed with gzip; unpack it first"),
        (
            "wifi.pcap",
            &pcap(127, &[vec![0; 40]]),
            "link type 127 (IEEE 802.11 with radiotap) cannot be read, at packet 1",
        ),
        ("odd.pcap", &pcap(60_000, &[vec![0; 40]]), "link type 60000 (unknown) cannot be read, at packet 1"),
        (
            "cut.pcap",
            &good[..good.len() - 3],
            "the file ends inside a record: 47 octets announced, 44 there, at packet 2, offset 71",
        ),
        ("huge.pcap", &huge, "a packet of 2147483647 octets, more than any, at packet 1, offset 24"),
        (
            "block.pcapng",
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1d\0\0\0",
            "a block that cannot be",
        ),
        ("empty.dat", b"", "the file is empty; a *.dat file holds one export datagram"),
        ("long.dat", &[0; 70_000], "longer than a datagram can be, at offset 65535"),
    ];
    for (name, bytes, expected) in cases {
        let file = scratch.file(name, bytes);
        for command in ["replay", "decode"] {
            let output = spillway([command, &file, "-o", "jsonl"]);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(text.starts_with(&format!("spillway: {file}: {expected}")), "{command}: {text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
    let missing = scratch.path("missing.pcap");
    let output = spillway(["replay", missing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("missing.pcap: no such file; check the name"));
}

#[test]
fn what_was_good_before_the_damage_is_reported() {
    let scratch = Scratch::new("before-damage");
    let good = pcap(101, &[udp(&netflow5()), udp(&netflow5()), udp(b"three")]);
    let cut = scratch.file("cut.pcap", &good[..good.len() - 1]);
    let output = spillway(["decode", &cut, "-o", "jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["flows"], 2);

    // The damaged file does not hide the next.
    let whole = scratch.file("whole.pcap", &good);
    let output = spillway(["decode", &cut, &whole, "-o", "jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json_lines(&output).last().unwrap()["flows"], 4);

    let packets = pcap(101, &[udp(b"one"), udp(b"two"), udp(b"three")]);
    let cut = scratch.file("packets.pcap", &packets[..packets.len() - 1]);
    let output = spillway(["replay", &cut, "-o", "jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json_lines(&output).last().unwrap()["packets"], 2);
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::{Command, Stdio};
    let scratch = Scratch::new("closed-pipe");
    let file = scratch.file("many.pcap", &pcap(101, &vec![udp(&netflow5()); 20_000]));
    let mut child = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["decode", &file, "-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "");
}

/// One flow, unsampled.
fn netflow5() -> Vec<u8> {
    let mut bytes = vec![0, 5, 0, 1, 0, 0, 0x10, 0, 0x65, 0x53, 0xf1, 0];
    bytes.resize(24, 0);
    bytes.extend([192, 0, 2, 1, 198, 51, 100, 7]);
    bytes.resize(24 + 16, 0);
    bytes.extend([0, 0, 0, 3, 0, 0, 0, 180]);
    bytes.resize(24 + 38, 0);
    bytes.push(17);
    bytes.resize(72, 0);
    bytes
}
