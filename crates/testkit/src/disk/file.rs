//! The content of a file: as processes read it, and as it is on the disk, page by page.

use std::collections::BTreeSet;

use super::ReadFault;

/// What is written to the disk as one. Within a page a loss of power leaves the first bytes new and the others old.
const PAGE: usize = 4096;

/// Bytes that so many bytes take on the disk.
pub(super) fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE as u64) * PAGE as u64
}

/// A file without its names.
#[derive(Default)]
pub(super) struct File {
    /// What processes read.
    content: Vec<u8>,
    /// What is left of it when power fails, at least.
    durable: Vec<u8>,
    /// Pages that were written since they were synced.
    dirty: BTreeSet<usize>,
    /// Pages that a failed sync has forgotten: they count as synced and are not on the disk.
    forgotten: BTreeSet<usize>,
    reserved: u64,
    /// How often the running process has it open.
    pub(super) handles: usize,
    pub(super) read_fault: Option<ReadFault>,
}

impl File {
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Bytes that it takes on the disk.
    pub(super) fn room(&self) -> u64 {
        pages(self.reserved.max(self.content.len() as u64))
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let first = self.content.len() / PAGE;
        self.content.extend_from_slice(bytes);
        for page in first..self.page_count() {
            self.dirty.insert(page);
            self.forgotten.remove(&page);
        }
    }

    pub(super) fn reserve(&mut self, length: u64) {
        self.reserved = self.reserved.max(length);
    }

    /// Cuts it or lengthens it with zeros, and makes that durable, as [`model::Disk::truncate`] does.
    pub(super) fn truncate(&mut self, length: usize) {
        self.content.resize(length, 0);
        self.durable.truncate(length);
        self.reserved = 0;
        let count = self.page_count();
        self.dirty.retain(|page| *page < count);
        self.forgotten.retain(|page| *page < count);
    }

    /// Makes everything durable that is still known not to be.
    pub(super) fn sync(&mut self) {
        self.durable.resize(self.content.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            self.write(page, PAGE);
        }
    }

    /// A sync that fails: each page is written or forgotten.
    pub(super) fn fail_to_sync(&mut self, random: &mut dyn FnMut() -> u64) {
        for page in std::mem::take(&mut self.dirty) {
            if random().is_multiple_of(2) {
                let end = self.content.len().min((page + 1) * PAGE);
                if self.durable.len() < end {
                    self.durable.resize(end, 0);
                }
                self.write(page, PAGE);
            } else {
                self.forgotten.insert(page);
            }
        }
    }

    /// Forgotten pages leave the memory of the system: what is read of them from now on is what is on the disk. Some
    /// were written before they were forgotten.
    pub(super) fn evict(&mut self, random: &mut dyn FnMut() -> u64) {
        for page in std::mem::take(&mut self.forgotten) {
            let end = self.content.len().min((page + 1) * PAGE);
            if self.durable.len() < end {
                self.durable.resize(end, 0);
            }
            if random().is_multiple_of(2) {
                self.write(page, PAGE);
            }
            let start = page * PAGE;
            self.content[start..end].copy_from_slice(&self.durable[start..end]);
        }
    }

    /// Power fails: of the dirty pages any are written, some in part; the length may be ahead of them or behind.
    pub(super) fn lose_power(&mut self, random: &mut dyn FnMut() -> u64) {
        let dirty = std::mem::take(&mut self.dirty);
        self.forgotten.clear();
        self.reserved = 0;
        if self.durable.len() < self.content.len() {
            let loose = (self.content.len() - self.durable.len()) as u64;
            let grown = match random() % 3 {
                0 => loose,
                _ => random() % (loose + 1),
            };
            self.durable.resize(self.durable.len() + grown as usize, 0);
        }
        // Mostly in order, as most systems do; but none promises it.
        let in_order = !random().is_multiple_of(3);
        let mut share = random() % 5;
        for page in dirty {
            if random() % 4 < share {
                self.write(page, PAGE);
            } else {
                let torn = random() as usize % PAGE;
                self.write(page, if random().is_multiple_of(2) { torn } else { 0 });
                if in_order {
                    share = 0;
                }
            }
        }
        self.content.clone_from(&self.durable);
    }

    pub(super) fn flip_bit(&mut self, bit: usize) {
        let (at, mask) = (bit / 8, 1 << (bit % 8));
        self.content[at] ^= mask;
        if let Some(byte) = self.durable.get_mut(at) {
            *byte ^= mask;
        }
    }

    /// Writes the first bytes of a page to the disk, as far as the file reaches there.
    fn write(&mut self, page: usize, length: usize) {
        let start = page * PAGE;
        let end = self.durable.len().min(start + length);
        let end = end.min(self.content.len());
        if start < end {
            self.durable[start..end].copy_from_slice(&self.content[start..end]);
        }
    }

    fn page_count(&self) -> usize {
        self.content.len().div_ceil(PAGE)
    }
}
