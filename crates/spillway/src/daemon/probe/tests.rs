//! A server that answers, one that fails, one that is silent; a program that hangs with a child of its own.

use std::net::TcpListener;

use super::*;

/// Serves one request with this answer; `None`: it accepts and says nothing.
fn server(on: &str, answer: Option<&'static str>) -> (Url, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind((on, 0)).unwrap();
    let url = Url::parse(&format!("http://{}/health", listener.local_addr().unwrap())).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 1024];
        let count = stream.read(&mut asked).unwrap();
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
            // Until the other side has given up.
            None => while stream.read(&mut asked).is_ok_and(|count| count > 0) {},
        }
        String::from_utf8_lossy(asked.get(..count).unwrap()).into_owned()
    });
    (url, thread)
}

#[test]
fn a_status_below_400_is_a_good_answer_in_both_families() {
    let patient = Duration::from_secs(30);
    for on in ["127.0.0.1", "::1"] {
        let (url, thread) = server(on, Some("HTTP/1.1 204 No Content\r\n\r\n"));
        assert_eq!(fetch(&url, patient), Ok(()));
        let asked = thread.join().unwrap();
        assert!(asked.starts_with("GET /health HTTP/1.1\r\nHost: ") && asked.contains(&url.host), "{asked}");
        let (url, thread) = server(on, Some("HTTP/1.0 503 Busy\r\n\r\n"));
        assert_eq!(fetch(&url, patient), Err("the server answered with status 503".to_owned()));
        thread.join().unwrap();
    }
    let (url, thread) = server("127.0.0.1", Some("SSH-2.0-x\r\n"));
    assert_eq!(fetch(&url, patient), Err("what answers does not speak HTTP".to_owned()));
    thread.join().unwrap();
}

#[test]
fn a_silent_or_missing_server_is_a_failure_with_its_reason() {
    let (url, thread) = server("127.0.0.1", None);
    assert_eq!(fetch(&url, Duration::from_millis(200)), Err("no answer within 200 ms".to_owned()));
    thread.join().unwrap();
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let gone = Url::parse(&format!("http://{free}/")).unwrap();
    assert!(fetch(&gone, Duration::from_secs(30)).unwrap_err().contains("refused"));
}

/// The process whose number is in the file was killed, which it notices when it runs next.
fn is_killed(mark: &Path) {
    let child = std::fs::read_to_string(mark).unwrap();
    // A zombie at most, until init takes it.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    let is_over = |state: &str| state.is_empty() || state.contains(") Z ") || state.contains(") X ");
    let begun = Instant::now();
    while !is_over(&state()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", state());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_program_ends_with_0_or_says_why_not_and_one_that_hangs_is_killed_with_its_children() {
    let life = Life::default();
    let shell = |script: &str, timeout| {
        run(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()], timeout, &life)
    };
    let patient = Duration::from_secs(30);
    assert_eq!(shell("exit 0", patient), Ok(()));
    let said = shell("echo no such name >&2; yes | head -c 200000 >&2; exit 9", patient).unwrap_err();
    assert_eq!(said, "/bin/sh ended with exit status: 9: no such name");
    let folder = std::env::temp_dir().join(format!("spillway-probe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mark = folder.join("pid");
    let hangs = format!("sleep 1000 & echo $! > {}; wait", mark.display());
    assert_eq!(
        shell(&hangs, Duration::from_millis(700)),
        Err("/bin/sh took longer than 700 ms and was killed".to_owned())
    );
    is_killed(&mark);
    assert!(run(Path::new("/nowhere"), &[], patient, &life).unwrap_err().contains("cannot be started"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn each_answer_is_remembered_with_its_time_and_no_more_is_asked_once_it_is_dropped() {
    let asked = Examination {
        address: "198.51.100.7".parse().unwrap(),
        url: None,
        command: Some(("/bin/sh".into(), vec!["-c".to_owned(), "exit 1".to_owned()])),
        every: base::Span::from_millis(20),
        timeout: base::Span::from_secs(10),
    };
    let probe = Probe::start(&asked).unwrap();
    let all = || probe.between(Timestamp::ZERO, Timestamp::from_secs(u64::MAX / 1_000_000_000), 9);
    let begun = Instant::now();
    while all().1 < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", all());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(all().0, 0);
    assert_eq!(probe.between(Timestamp::ZERO, Timestamp::from_secs(1), 9), (0, 0));
    assert!(probe.last_failure().unwrap().contains("exit status: 1"));
    let answers = Arc::clone(&probe.answers);
    drop(probe);
    while Arc::strong_count(&answers) > 1 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it asks on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_program_that_is_asked_when_it_is_dropped_is_killed_before_the_process_can_end() {
    let folder = std::env::temp_dir().join(format!("spillway-probe-end-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mark = folder.join("pid");
    let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", mark.display());
    let asked = Examination {
        address: "2001:db8::7".parse().unwrap(),
        url: None,
        command: Some(("/bin/sh".into(), vec!["-c".to_owned(), script])),
        every: base::Span::from_millis(20),
        timeout: base::Span::from_secs(1000),
    };
    let probe = Probe::start(&asked).unwrap();
    let begun = Instant::now();
    while !mark.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not asked");
        std::thread::sleep(Duration::from_millis(10));
    }
    // What the thread sees or does no longer matters.
    let life = Arc::clone(&probe.life);
    drop(probe);
    assert!(life.program().is_none());
    is_killed(&mark);
    let again = life.start(&mut Command::new("/bin/true")).unwrap();
    assert!(again.is_none() && life.program().is_none());
    std::fs::remove_dir_all(&folder).unwrap();
}
