//! Each kind of wrong file or wrong use: its exit code and its one line.

use crate::support::{spillway, stderr};

#[test]
fn wrong_use_is_one_line_and_exit_code_2() {
    let cases: [(&[&str], &str); 4] = [
        (&["vresion"], "unrecognized subcommand 'vresion'; a similar subcommand exists: 'version'"),
        (&["version", "--foo"], "unexpected argument '--foo' found"),
        (&["completions"], "the following required arguments were not provided: <SHELL>"),
        (&["man", "nope"], "no command `nope`"),
    ];
    for (args, expected) in cases {
        let output = spillway(args.iter().copied());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let text = stderr(&output);
        assert!(text.starts_with(&format!("spillway: {expected}")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
