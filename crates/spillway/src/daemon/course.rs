//! How attacks ran: what was counted to each of their vectors, step by step.

use std::collections::BTreeMap;

use api::VectorCourse;
use base::{Span, Timestamp};
use detect::class::Class;
use engine::report::Part;

/// Attacks of which it is kept; the one that was heard of the longest ago goes first.
const COURSES_MAX: usize = 256;
/// Steps of one attack; when they are full, each two become one.
const STEPS_MAX: usize = 240;
/// Steps that the time before an attack was found has at most.
const BEFORE_MAX: u64 = 60;

/// All that are kept, by the attack's id.
#[derive(Debug, Default)]
pub(super) struct Courses(BTreeMap<String, Course>);

#[derive(Debug)]
struct Course {
    begin: Timestamp,
    /// Seconds.
    step: u64,
    /// Steps that are over.
    whole: usize,
    heard: Timestamp,
    lines: BTreeMap<Class, Line>,
}

#[derive(Debug, Default)]
struct Line {
    name: String,
    had: Amount,
    steps: Vec<Amount>,
}

/// Packets and octets.
type Amount = (u64, u64);

impl Courses {
    /// Takes in what each attack that goes on has by a tick that ended `until`: its id, its beginning, and its parts.
    pub(super) fn tick<'a>(
        &mut self,
        until: Timestamp,
        attacks: impl Iterator<Item = (&'a str, Timestamp, Vec<Part>)>,
    ) {
        for (id, started, parts) in attacks {
            if !self.0.contains_key(id) {
                if self.0.len() >= COURSES_MAX {
                    let oldest = self.0.iter().min_by_key(|(id, course)| (course.heard, *id));
                    let oldest = oldest.map(|(id, _)| id.clone()).unwrap_or_default();
                    self.0.remove(&oldest);
                }
                self.0.insert(id.to_owned(), Course::new(started, until));
            }
            if let Some(course) = self.0.get_mut(id) {
                course.tick(until, parts);
            }
        }
    }

    /// How one of them ran; `None`: it is not kept, or too young.
    pub(super) fn show(&self, id: &str) -> Option<api::Course> {
        let course = self.0.get(id).filter(|course| course.whole > 0)?;
        let mut vectors: BTreeMap<&str, VectorCourse> = BTreeMap::new();
        for line in course.lines.values() {
            let fresh = || VectorCourse {
                name: line.name.clone(),
                packets: vec![0; course.whole],
                bytes: vec![0; course.whole],
            };
            let vector = vectors.entry(&line.name).or_insert_with(fresh);
            let sums = vector.packets.iter_mut().zip(&mut vector.bytes);
            for ((packets, bytes), step) in sums.zip(&line.steps) {
                *packets = packets.saturating_add(step.0);
                *bytes = bytes.saturating_add(step.1);
            }
        }
        let mut vectors: Vec<VectorCourse> = vectors.into_values().collect();
        let total =
            |vector: &VectorCourse| vector.packets.iter().fold(0u64, |sum, step| sum.saturating_add(*step));
        vectors.sort_by_key(|vector| std::cmp::Reverse(total(vector)));
        Some(api::Course { from: course.begin.to_string(), step_seconds: course.step, vectors })
    }
}

impl Course {
    fn new(started: Timestamp, now: Timestamp) -> Self {
        let step = now.since(started).secs().div_ceil(BEFORE_MAX).max(1);
        Self { begin: started, step, whole: 0, heard: now, lines: BTreeMap::new() }
    }

    fn tick(&mut self, until: Timestamp, parts: Vec<Part>) {
        // a tick that ends with a step belongs to it
        let place = |course: &Self, at: Timestamp| {
            let nanos = at.since(course.begin).nanos().saturating_sub(1);
            usize::try_from(nanos / Span::from_secs(course.step).nanos().max(1)).unwrap_or(usize::MAX)
        };
        while place(self, until) >= STEPS_MAX {
            self.halve();
        }
        let (first, at) = (self.over(self.heard), place(self, until));
        for part in parts {
            let found_now = !self.lines.contains_key(&part.class);
            let line = self.lines.entry(part.class).or_default();
            line.name = part.name;
            let more = (part.packets.saturating_sub(line.had.0), part.bytes.saturating_sub(line.had.1));
            line.had = (part.packets, part.bytes);
            if line.steps.len() <= at {
                line.steps.resize(at + 1, (0, 0));
            }
            // what came before it was found came at some time until then
            let from = if found_now { 0 } else { first.min(at) };
            let over = line.steps.get_mut(from..=at).unwrap_or_default();
            spread(over, more);
        }
        self.heard = until;
        self.whole = self.over(until);
    }

    /// Steps that are over at a time.
    fn over(&self, at: Timestamp) -> usize {
        let nanos = at.since(self.begin).nanos();
        usize::try_from(nanos / Span::from_secs(self.step).nanos().max(1)).unwrap_or(0)
    }

    fn halve(&mut self) {
        self.step = self.step.saturating_mul(2);
        for line in self.lines.values_mut() {
            let sum = |pair: &[Amount]| {
                pair.iter()
                    .fold((0u64, 0u64), |sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
            };
            line.steps = line.steps.chunks(2).map(sum).collect();
        }
    }
}

/// Adds an amount evenly; what cannot be shared out goes to the last.
fn spread(over: &mut [Amount], amount: Amount) {
    let count = u64::try_from(over.len()).unwrap_or(u64::MAX).max(1);
    let each = (amount.0 / count, amount.1 / count);
    for step in &mut *over {
        *step = (step.0.saturating_add(each.0), step.1.saturating_add(each.1));
    }
    if let Some(last) = over.last_mut() {
        *last = (last.0.saturating_add(amount.0 % count), last.1.saturating_add(amount.1 % count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(quarters: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000).plus(Span::from_millis(250 * quarters))
    }

    fn part(class: u8, name: &str, packets: u64) -> Part {
        Part { class: Class(class), name: name.to_owned(), packets, bytes: packets * 100 }
    }

    fn one(courses: &mut Courses, quarter: u64, parts: Vec<Part>) {
        courses.tick(at(quarter), [("a", at(0), parts)].into_iter());
    }

    #[test]
    fn each_vector_has_its_steps_and_what_came_before_it_was_found_is_spread() {
        let mut courses = Courses::default();
        one(&mut courses, 8, vec![part(1, "udp-flood", 2_000)]);
        for quarter in 9..=16 {
            let late =
                if quarter >= 13 { vec![part(2, "tcp-syn-flood", 300 * (quarter - 12))] } else { vec![] };
            one(&mut courses, quarter, [vec![part(1, "udp-flood", 250 * quarter)], late].concat());
        }
        let told = courses.show("a").unwrap();
        assert_eq!((told.step_seconds, told.from), (1, at(0).to_string()));
        let of = |at: usize| (told.vectors[at].name.as_str(), told.vectors[at].packets.clone());
        assert_eq!(of(0), ("udp-flood", vec![1_000; 4]));
        assert_eq!(of(1), ("tcp-syn-flood", vec![75, 75, 75, 975]));
        assert_eq!(told.vectors[1].bytes, [7_500, 7_500, 7_500, 97_500]);
        assert_eq!(courses.show("b"), None);
    }

    #[test]
    fn what_gets_another_name_is_one_line_and_what_is_called_the_same_too() {
        let mut courses = Courses::default();
        one(&mut courses, 4, vec![part(1, "udp-flood", 100)]);
        one(
            &mut courses,
            8,
            vec![part(1, "udp-amplification-dns", 300), part(2, "udp-amplification-dns", 40)],
        );
        let told = courses.show("a").unwrap();
        assert_eq!(told.vectors.len(), 1);
        assert_eq!(told.vectors[0].packets, [120, 220]);
    }

    #[test]
    fn long_attacks_have_longer_steps_and_many_attacks_a_bound_and_nothing_is_lost() {
        let mut courses = Courses::default();
        for quarter in 1..=40_000u64 {
            one(&mut courses, quarter, vec![part(1, "udp-flood", 10 * quarter)]);
        }
        let told = courses.show("a").unwrap();
        let steps = &told.vectors[0].packets;
        assert!(steps.len() <= STEPS_MAX, "{}", steps.len());
        assert!(steps.iter().all(|step| *step == 40 * told.step_seconds));
        assert_eq!(told.step_seconds, 64);
        for number in 0..1_000u64 {
            let id = number.to_string();
            courses.tick(at(50_000 + number), [(id.as_str(), at(50_000), vec![])].into_iter());
        }
        assert_eq!(courses.0.len(), COURSES_MAX);
        assert_eq!(courses.show("a"), None);
    }
}
