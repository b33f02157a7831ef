//! Builds the index by labels, from the pages of labels that are written already.
//!
//! 1. Go through the labels of all series. Only what differs from the series before is looked at; for each name there is
//!    a collection of its values, and of the runs of series that have each.
//! 2. Whenever the collections take more than their budget, the largest is thrown away and its name put off.
//! 3. Write what was collected, then go through the labels again for the names that were put off.
//!
//! So memory is bounded by the budget and the largest single label.

use std::collections::BTreeMap;
use std::io;

use hashbrown::{HashMap, HashTable};
use model::{DiskRead, packed_pairs};

use super::file::{PageSink, PageTable, Section, load_page};
use super::labels::LabelsCursor;
use super::values::ValuesWriter;

/// Collections of all names together; the largest alone may take more.
pub(super) const BUDGET: usize = 16 << 20;

/// How often the budget is looked at, in series.
const BUDGET_CHECKED: u32 = 64;

/// No more room than this is reserved for one collection's values.
const RESERVED_MAX: usize = 64 << 20;

/// The end of a run behind which no series has the label.
const ABSENT: u32 = u32::MAX;

type State = foldhash::fast::RandomState;

/// The values of one label, in the order in which they came.
#[derive(Default)]
struct Collection {
    text: String,
    /// Where each value ends in the text.
    ends: Vec<u32>,
    numbers: HashTable<u32>,
    /// From which series on the label has which value.
    runs: Vec<(u32, u32)>,
}

impl Collection {
    /// With room, so that nothing is moved while it grows; what is not needed is never touched.
    fn with_capacity(values: usize, bytes: usize) -> Self {
        let values = values.min(RESERVED_MAX / 8);
        Self {
            text: String::with_capacity(bytes.min(RESERVED_MAX)),
            ends: Vec::with_capacity(values),
            numbers: HashTable::new(),
            runs: Vec::with_capacity(values),
        }
    }

    fn value(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[number] as usize]
    }

    /// From a series on the label has a value.
    fn begin(&mut self, state: &State, ordinal: u32, value: &str) -> io::Result<()> {
        use std::hash::BuildHasher as _;
        if let Some((number, _)) = self.runs.last()
            && *number != ABSENT
            && self.value(*number) == value
        {
            return Ok(());
        }
        let hash = state.hash_one(value);
        let known = self
            .numbers
            .find(hash, |number| self.value(*number) == value);
        let number =
            match known {
                Some(number) => *number,
                None => {
                    let number = self.ends.len() as u32;
                    self.text.push_str(value);
                    let end = u32::try_from(self.text.len());
                    self.ends.push(end.map_err(|_| {
                        io::Error::other("the values of a label take more than 4 GiB")
                    })?);
                    let Self {
                        numbers,
                        ends,
                        text,
                        ..
                    } = self;
                    numbers.insert_unique(hash, number, |number| {
                        let number = *number as usize;
                        let start = number.checked_sub(1).map_or(0, |before| ends[before]);
                        state.hash_one(&text[start as usize..ends[number] as usize])
                    });
                    number
                }
            };
        self.runs.push((number, ordinal));
        Ok(())
    }

    /// From a series on the label is absent.
    fn end(&mut self, ordinal: u32) {
        self.runs.push((ABSENT, ordinal));
    }

    fn memory(&self) -> usize {
        // Reserved room takes no memory before it is used.
        self.text.len()
            + self.ends.len() * 4
            + self.numbers.capacity() * 5
            + self.runs.len() * 8
            + size_of::<Self>()
    }

    fn write(
        mut self,
        sink: &mut PageSink,
        values: &mut ValuesWriter,
        name: &str,
        series: u32,
    ) -> io::Result<()> {
        self.numbers = HashTable::new();
        self.runs.push((ABSENT, series));
        let end_of = |run: usize| self.runs[run + 1].1;
        let last = self.runs.len() - 1;
        let mut present: Vec<(u32, u32)> = Vec::new();
        for run in 0..last {
            if self.runs[run].0 != ABSENT {
                join(&mut present, self.runs[run].1, end_of(run));
            }
        }
        values.push(sink, name, "", &present)?;
        drop(present);

        let mut order: Vec<u32> = (0..self.ends.len() as u32).collect();
        order.sort_by(|left, right| self.value(*left).cmp(self.value(*right)));
        // The runs of each value, one value behind the other.
        let mut starts = vec![0u32; self.ends.len() + 1];
        for (number, _) in self.runs.iter().filter(|(number, _)| *number != ABSENT) {
            starts[*number as usize] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        let mut by_value = vec![0u32; sum as usize];
        for (run, (number, _)) in self.runs.iter().enumerate() {
            if *number != ABSENT {
                let place = &mut starts[*number as usize];
                by_value[*place as usize] = run as u32;
                *place += 1;
            }
        }
        let mut runs = Vec::new();
        for number in order {
            // Each start has moved to the start of the next.
            let start = (number as usize)
                .checked_sub(1)
                .map_or(0, |before| starts[before]);
            runs.clear();
            for run in &by_value[start as usize..starts[number as usize] as usize] {
                let run = *run as usize;
                join(&mut runs, self.runs[run].1, end_of(run));
            }
            values.push(sink, name, self.value(number), &runs)?;
        }
        Ok(())
    }
}

/// Adds the run from `first` to before `end`.
fn join(runs: &mut Vec<(u32, u32)>, first: u32, end: u32) {
    match runs.last_mut() {
        Some((start, length)) if *start + *length == first => *length += end - first,
        _ => runs.push((first, end - first)),
    }
}

/// A name in one pass.
enum Name {
    Collected(Collection),
    /// Its collection was too large; a later pass sees to it. Until then it is counted what that will need at most.
    PutOff {
        values: usize,
        bytes: usize,
    },
    /// It was written by an earlier pass.
    Written,
}

/// Writes pages of values and postings for the labels in `table`, which are read from the file that is being written.
pub(super) fn write_index(
    sink: &mut PageSink,
    written: &dyn DiskRead,
    labels: &PageTable,
    budget: usize,
) -> io::Result<ValuesWriter> {
    let mut values = ValuesWriter::default();
    let mut pass = Pass::default();
    loop {
        pass.collect(written, labels, budget)?;
        let mut again = false;
        for (name, number) in &pass.numbers_by_name() {
            let slot = &mut pass.names[*number];
            match std::mem::replace(slot, Name::Written) {
                Name::Collected(collection) => {
                    collection.write(sink, &mut values, name, labels.items)?;
                }
                Name::PutOff {
                    values: most,
                    bytes,
                } => {
                    again = true;
                    *slot = Name::Collected(Collection::with_capacity(most, bytes));
                    values.flush(sink)?;
                }
                // Pages with other labels must not lie over this one's.
                Name::Written => values.flush(sink)?,
            }
        }
        values.flush(sink)?;
        if !again {
            values.stored.flush(sink)?;
            return Ok(values);
        }
    }
}

#[derive(Default)]
struct Pass {
    state: State,
    names: Vec<Name>,
    numbers: HashMap<Box<str>, usize, State>,
    /// The numbers of the names of the series before, in their order.
    before: Vec<usize>,
    now: Vec<usize>,
}

impl Pass {
    fn numbers_by_name(&self) -> BTreeMap<Box<str>, usize> {
        let numbers = self.numbers.iter();
        numbers
            .map(|(name, number)| (name.clone(), *number))
            .collect()
    }

    fn collect(
        &mut self,
        written: &dyn DiskRead,
        labels: &PageTable,
        budget: usize,
    ) -> io::Result<()> {
        let broken =
            || io::Error::new(io::ErrorKind::InvalidData, "labels just written are broken");
        let mut previous = String::new();
        self.before.clear();
        for (number, location) in labels.locations.iter().enumerate() {
            let raw = load_page(written, Section::Labels, *location)
                .map_err(|problem| io::Error::other(problem.to_string()))?;
            let mut cursor = LabelsCursor::new(&raw).ok_or_else(broken)?;
            for ordinal in labels.items_of(number) {
                cursor.advance().ok_or_else(broken)?;
                let packed = cursor.packed().ok_or_else(broken)?;
                self.series(ordinal, &previous, packed)?;
                previous.clear();
                previous.push_str(packed);
                if ordinal.is_multiple_of(BUDGET_CHECKED) {
                    self.put_off_largest(budget);
                }
            }
        }
        Ok(())
    }

    fn series(&mut self, ordinal: u32, previous: &str, packed: &str) -> io::Result<()> {
        let mut old = packed_pairs(previous);
        let mut at = 0;
        self.now.clear();
        let mut differs = false;
        for (name, value) in packed_pairs(packed) {
            if !differs {
                if old.next() == Some((name, value)) {
                    self.now.push(self.before[at]);
                    at += 1;
                    continue;
                }
                differs = true;
            }
            let number = match self.numbers.get(name) {
                Some(number) => *number,
                None => {
                    self.numbers.insert(name.into(), self.names.len());
                    self.names.push(Name::Collected(Collection::default()));
                    self.names.len() - 1
                }
            };
            self.now.push(number);
            match &mut self.names[number] {
                Name::Collected(collection) => collection.begin(&self.state, ordinal, value)?,
                Name::PutOff { values, bytes } => {
                    *values += 1;
                    *bytes += value.len();
                }
                Name::Written => {}
            }
        }
        for number in &self.before[at..] {
            if !self.now[at..].contains(number)
                && let Name::Collected(collection) = &mut self.names[*number]
            {
                collection.end(ordinal);
            }
        }
        std::mem::swap(&mut self.before, &mut self.now);
        Ok(())
    }

    fn put_off_largest(&mut self, budget: usize) {
        let memory = |name: &Name| match name {
            Name::Collected(collection) => collection.memory(),
            Name::PutOff { .. } | Name::Written => 0,
        };
        let sizes = || self.names.iter().map(memory);
        let collected = sizes().filter(|size| *size > 0).count();
        if collected > 1 && sizes().sum::<usize>() > budget {
            let largest = self.names.iter_mut().max_by_key(|name| memory(name));
            if let Some(slot) = largest
                && let Name::Collected(collection) = slot
            {
                let (values, bytes) = (collection.runs.len(), collection.text.len());
                *slot = Name::PutOff { values, bytes };
            }
        }
    }
}
