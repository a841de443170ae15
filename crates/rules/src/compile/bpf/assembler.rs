//! eBPF instructions (RFC 9669), with labels instead of distances.

use alloc::vec::Vec;

/// Ends a program.
const EXIT: u8 = 0x95;

/// A register.
pub(super) type Register = u8;

/// A place in the program, bound once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(usize);

/// How many octets a load takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    One,
    Two,
    Four,
    Eight,
}

/// Comparisons, unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Test {
    const fn code(self) -> u8 {
        match self {
            Self::Equal => 0x10,
            Self::Above => 0x20,
            Self::AtLeast => 0x30,
            Self::NotEqual => 0x50,
            Self::Below => 0xa0,
            Self::AtMost => 0xb0,
        }
    }

    const fn inverse(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Above => Self::AtMost,
            Self::AtMost => Self::Above,
            Self::AtLeast => Self::Below,
            Self::Below => Self::AtLeast,
        }
    }
}

/// What a register is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    /// The low 32 bits of the register are compared.
    Number(u32),
    /// All 64 bits of both are compared.
    Register(Register),
    /// No pointer: 64 bits of 0, for the verifier knows a pointer only so.
    Null,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Plain(Instruction),
    Bind(Label),
    Goto(Label),
    Branch { test: Test, register: Register, with: Operand, to: Label },
}

/// One instruction as the kernel takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Operation code.
    pub code: u8,
    /// Destination register in the low, source register in the high four bits.
    pub registers: u8,
    /// Distance of a jump, or offset of a load.
    pub offset: i16,
    /// Immediate value.
    pub immediate: i32,
}

impl Instruction {
    /// The eight octets of this instruction on a little-endian machine (RFC 9669 §3).
    pub fn octets(self) -> [u8; 8] {
        let [o0, o1] = self.offset.to_le_bytes();
        let [i0, i1, i2, i3] = self.immediate.to_le_bytes();
        [self.code, self.registers, o0, o1, i0, i1, i2, i3]
    }
}

/// Why a program cannot be written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooFar;

/// A program under construction.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    items: Vec<Item>,
    labels: usize,
}

impl Assembler {
    /// A label to be bound later.
    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// Binds a label to this place.
    pub(super) fn bind(&mut self, label: Label) {
        self.items.push(Item::Bind(label));
    }

    /// How much there is by now, about: what instructions there are if no jump goes far.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    fn plain(&mut self, code: u8, dst: Register, src: Register, offset: i16, immediate: i32) {
        let registers = dst | src << 4;
        self.items.push(Item::Plain(Instruction { code, registers, offset, immediate }));
    }

    /// `dst = *(from + offset)`.
    pub(super) fn load(&mut self, width: Width, dst: Register, from: Register, offset: i16) {
        let size = match width {
            Width::Four => 0x00,
            Width::Two => 0x08,
            Width::One => 0x10,
            Width::Eight => 0x18,
        };
        self.plain(0x61 | size, dst, from, offset, 0);
    }

    /// `*(u32 *)(to + offset) = value`.
    pub(super) fn store(&mut self, to: Register, offset: i16, value: u32) {
        self.plain(0x62, to, 0, offset, value.cast_signed());
    }

    /// `dst = src`.
    pub(super) fn copy(&mut self, dst: Register, src: Register) {
        self.plain(0xbf, dst, src, 0, 0);
    }

    /// `dst = value`, sign-extended.
    pub(super) fn set(&mut self, dst: Register, value: i32) {
        self.plain(0xb7, dst, 0, 0, value);
    }

    /// `dst = value`, of 64 bits.
    pub(super) fn set_wide(&mut self, dst: Register, value: u64) {
        self.wide(dst, 0, value);
    }

    /// `dst` = the map with this file descriptor.
    pub(super) fn set_map(&mut self, dst: Register, descriptor: i32) {
        self.plain(0x18, dst, 1, 0, descriptor);
        self.plain(0, 0, 0, 0, 0);
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn wide(&mut self, dst: Register, src: Register, value: u64) {
        self.plain(0x18, dst, src, 0, value as i32);
        self.plain(0, 0, 0, 0, (value >> 32) as i32);
    }

    /// `dst += value`.
    pub(super) fn add(&mut self, dst: Register, value: i32) {
        self.plain(0x07, dst, 0, 0, value);
    }

    /// `dst &= value` in 32 bits; the upper half becomes 0.
    pub(super) fn and(&mut self, dst: Register, value: u32) {
        self.plain(0x54, dst, 0, 0, value.cast_signed());
    }

    /// `dst >>= by` in 64 bits.
    pub(super) fn shift_right(&mut self, dst: Register, by: u8) {
        self.plain(0x77, dst, 0, 0, i32::from(by));
    }

    /// Calls a helper of the kernel.
    pub(super) fn call(&mut self, helper: i32) {
        self.plain(0x85, 0, 0, 0, helper);
    }

    /// Ends the program with what is in register 0.
    pub(super) fn exit(&mut self) {
        self.plain(EXIT, 0, 0, 0, 0);
    }

    /// Goes there.
    pub(super) fn goto(&mut self, to: Label) {
        self.items.push(Item::Goto(to));
    }

    /// Goes there when the test holds.
    pub(super) fn branch(&mut self, register: Register, test: Test, with: Operand, to: Label) {
        self.items.push(Item::Branch { test, register, with, to });
    }

    /// The program. Jumps that go farther than 16 bits say need `long_jumps` (`gotol`, Linux 6.6).
    pub(super) fn finish(mut self, long_jumps: bool) -> Result<Vec<Instruction>, TooFar> {
        self.keep_reachable();
        let mut far = alloc::vec![false; self.items.len()];
        let mut places = alloc::vec![0i64; self.labels];
        loop {
            let starts = self.places(&far, &mut places);
            let mut grown = false;
            for ((item, far), start) in self.items.iter().zip(&mut far).zip(&starts) {
                let (Item::Goto(to) | Item::Branch { to, .. }) = item else { continue };
                let distance = places.get(to.0).copied().unwrap_or(0) - (start + 1);
                if !*far && i16::try_from(distance).is_err() {
                    (*far, grown) = (true, true);
                }
            }
            if !grown {
                return if far.contains(&true) && !long_jumps {
                    Err(TooFar)
                } else {
                    Ok(self.write(&far, &starts, &places))
                };
            }
        }
    }

    /// Drops what can never run: the kernel refuses programs that hold such a thing.
    fn keep_reachable(&mut self) {
        let mut bound = alloc::vec![0; self.labels];
        for (place, item) in self.items.iter().enumerate() {
            if let Item::Bind(label) = item
                && let Some(bound) = bound.get_mut(label.0)
            {
                *bound = place;
            }
        }
        let mut reachable = alloc::vec![false; self.items.len()];
        let mut from = alloc::vec![0];
        while let Some(mut place) = from.pop() {
            while let (Some(item), Some(seen)) = (self.items.get(place), reachable.get_mut(place)) {
                if core::mem::replace(seen, true) {
                    break;
                }
                let goes_to = |label: &Label| bound.get(label.0).copied().unwrap_or(usize::MAX);
                match item {
                    Item::Goto(to) => place = goes_to(to),
                    Item::Plain(instruction) if instruction.code == EXIT => break,
                    Item::Branch { to, .. } => {
                        from.push(goes_to(to));
                        place += 1;
                    }
                    Item::Plain(_) | Item::Bind(_) => place += 1,
                }
            }
        }
        let mut reachable = reachable.into_iter();
        self.items.retain(|_| reachable.next().unwrap_or(false));
    }

    /// Where each item begins; binds the labels.
    fn places(&self, far: &[bool], places: &mut [i64]) -> Vec<i64> {
        let mut at = 0;
        let mut starts = Vec::with_capacity(self.items.len());
        for (item, far) in self.items.iter().zip(far) {
            starts.push(at);
            match item {
                Item::Bind(label) => {
                    if let Some(place) = places.get_mut(label.0) {
                        *place = at;
                    }
                }
                Item::Branch { .. } if *far => at += 2,
                _ => at += 1,
            }
        }
        starts
    }

    fn write(&self, far: &[bool], starts: &[i64], places: &[i64]) -> Vec<Instruction> {
        let mut out = Vec::with_capacity(self.items.len());
        for ((item, far), start) in self.items.iter().zip(far).zip(starts) {
            let distance = |to: &Label, from: i64| places.get(to.0).copied().unwrap_or(0) - (from + 1);
            match item {
                Item::Bind(_) => {}
                Item::Plain(instruction) => out.push(*instruction),
                Item::Goto(to) => out.push(goto(distance(to, *start), *far)),
                Item::Branch { test, register, with, to } if *far => {
                    out.push(branch(test.inverse(), *register, *with, 1));
                    out.push(goto(distance(to, *start + 1), true));
                }
                Item::Branch { test, register, with, to } => {
                    out.push(branch(*test, *register, *with, distance(to, *start)));
                }
            }
        }
        out
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has looked")]
const fn goto(distance: i64, far: bool) -> Instruction {
    if far {
        Instruction { code: 0x06, registers: 0, offset: 0, immediate: distance as i32 }
    } else {
        Instruction { code: 0x05, registers: 0, offset: distance as i16, immediate: 0 }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has looked")]
const fn branch(test: Test, register: Register, with: Operand, distance: i64) -> Instruction {
    let offset = distance as i16;
    match with {
        Operand::Number(number) => Instruction {
            code: test.code() | 0x06,
            registers: register,
            offset,
            immediate: number.cast_signed(),
        },
        Operand::Null => Instruction { code: test.code() | 0x05, registers: register, offset, immediate: 0 },
        Operand::Register(other) => {
            Instruction { code: test.code() | 0x0d, registers: register | other << 4, offset, immediate: 0 }
        }
    }
}
