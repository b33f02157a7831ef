//! Any pages, behind right checksums and tables that name them, are read as a block.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// Sections that have pages, and the number of the one for tables.
const SECTIONS: usize = 7;
const TABLE: u8 = 7;

/// The content stands as it is.
const PLAIN: u8 = 0x80;

fuzz_target!(|bytes: &[u8]| {
    let _ = tsdb::inspect_block(&block(bytes));
});

/// A block: numbers of series and columns, then pages, each its section, its length, how many things begin in it, and
/// its content. What stands behind the last section of a page are keys of the table of values.
fn block(bytes: &[u8]) -> Vec<u8> {
    let (heads, mut rest) = bytes.split_at(bytes.len().min(4));
    let head = |at: usize| u64::from(heads.get(at).copied().unwrap_or(0));
    let (series, columns, first, last) = (head(0), head(1), head(2), head(3));
    let mut file = header();
    let mut tables: [Vec<(u64, u64, u64)>; SECTIONS] = Default::default();
    let mut keys = Vec::new();
    while let Some(([kind, length, items], behind)) = rest.split_first_chunk::<3>() {
        let section = kind % 8;
        let (content, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        if section == TABLE {
            keys.extend_from_slice(content);
            continue;
        }
        let offset = file.len() as u64;
        let length = push_page(&mut file, section, content);
        tables[usize::from(section)].push((offset, length, u64::from(*items)));
    }
    let mut footer = header();
    for timestamp in [first, last] {
        put_varint(&mut footer, timestamp);
    }
    for number in [series, head(1), 0] {
        put_varint(&mut footer, number);
    }
    for (section, pages) in tables.iter().enumerate() {
        let mut table = Vec::new();
        put_varint(&mut table, pages.len() as u64);
        let mut end = 0;
        for (offset, length, _) in pages {
            put_varint(&mut table, (offset - end) << 1);
            put_varint(&mut table, *length);
            end = offset + length;
        }
        if (2..=4).contains(&section) {
            put_varint(&mut table, if section == 2 { columns } else { series });
            for (index, (_, _, items)) in pages.iter().enumerate() {
                put_varint(&mut table, if index == 0 { 0 } else { *items });
            }
        }
        if section == 5 {
            table.extend_from_slice(&keys);
        }
        let offset = file.len() as u64;
        let length = push_page(&mut file, TABLE, &table);
        put_varint(&mut footer, offset);
        put_varint(&mut footer, length);
    }
    let offset = file.len() as u64;
    let length = footer.len() as u32;
    footer.extend_from_slice(&offset.to_le_bytes());
    footer.extend_from_slice(&length.to_le_bytes());
    footer.extend_from_slice(&crc32fast::hash(&footer).to_le_bytes());
    footer.extend_from_slice(b"cmpblock");
    file.extend_from_slice(&footer);
    file
}

fn header() -> Vec<u8> {
    let mut bytes = b"cmpblock\x01\0\0\0".to_vec();
    bytes.resize(48, 0);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn push_page(file: &mut Vec<u8>, section: u8, content: &[u8]) -> u64 {
    let offset = file.len() as u64;
    let mut page = vec![section | PLAIN];
    page.extend_from_slice(&(content.len() as u32).to_le_bytes());
    page.extend_from_slice(content);
    let checked = [&offset.to_le_bytes(), &page[..]].concat();
    file.extend_from_slice(&crc32fast::hash(&checked).to_le_bytes());
    file.extend_from_slice(&page);
    file.len() as u64 - offset
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
