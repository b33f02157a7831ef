//! What every [`Disk`] must do while nothing is wrong with it, as a suite that its own tests run.

use std::io;
use std::path::Path;

use model::{Disk, DiskRead};

/// Checks a disk in an empty directory that exists.
///
/// It may be any directory that the disk can write to; the suite leaves files behind.
pub fn check_disk(disk: &dyn Disk, directory: &Path) {
    what_is_appended_is_read_at_once(disk, &new(disk, directory, "append"));
    a_directory_lists_its_entries_sorted(disk, &new(disk, directory, "list"));
    a_file_is_read_in_places_and_not_beyond_its_end(disk, &new(disk, directory, "places"));
    a_rename_replaces_in_one_step(disk, &new(disk, directory, "rename"));
    a_link_is_another_name_of_the_same_file(disk, &new(disk, directory, "link"));
    what_is_open_is_read_after_its_name_is_gone(disk, &new(disk, directory, "open"));
    a_file_is_cut_and_appended_to_from_there(disk, &new(disk, directory, "cut"));
    room_is_taken_without_a_change_of_the_length(disk, &new(disk, directory, "reserve"));
    two_handles_append_one_after_the_other(disk, &new(disk, directory, "handles"));
    what_is_not_there_is_not_found(disk, &new(disk, directory, "missing"));
    a_lock_has_one_holder_until_it_is_dropped(disk, &new(disk, directory, "lock"));
}

fn new(disk: &dyn Disk, parent: &Path, name: &str) -> std::path::PathBuf {
    let directory = parent.join("suite").join(name);
    for _ in 0..2 {
        let created = disk.create_directory(&directory);
        created.expect("a directory is created with its parents, and may exist");
    }
    directory
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    let mut file = disk.open_append(path).expect("a file is opened");
    file.append(bytes).expect("bytes are appended");
    file.sync().expect("the file is synced");
}

fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    match result {
        Ok(_) => panic!("it went well and should not"),
        Err(error) => error.kind(),
    }
}

fn what_is_appended_is_read_at_once(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("a");
    let mut file = disk.open_append(&path).expect("a file is created");
    assert_eq!(disk.read(&path).expect("it is read"), b"");
    for part in [&b"one "[..], b"", b"two"] {
        file.append(part).expect("bytes are appended");
    }
    assert_eq!(disk.read(&path).expect("it is read"), b"one two");
    assert_eq!(disk.length(&path).expect("it is measured"), 7);
    drop(file);
    write(disk, &path, b" three");
    assert_eq!(disk.read(&path).expect("it is read"), b"one two three");
    disk.sync_directory(directory).expect("it is synced");
}

fn a_directory_lists_its_entries_sorted(disk: &dyn Disk, directory: &Path) {
    for name in ["b", "a", "c"] {
        write(disk, &directory.join(name), b"x");
    }
    let inner = directory.join("bb");
    disk.create_directory(&inner).expect("it is created");
    write(disk, &inner.join("not this one"), b"x");
    let listed = disk.list(directory).expect("it is listed");
    assert_eq!(listed, ["a", "b", "bb", "c"]);
    disk.remove(&directory.join("b")).expect("it is removed");
    let listed = disk.list(directory).expect("it is listed");
    assert_eq!(listed, ["a", "bb", "c"]);
}

fn a_file_is_read_in_places_and_not_beyond_its_end(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("a");
    let bytes: Vec<u8> = (0..20_000u32).map(|at| (at % 251) as u8).collect();
    write(disk, &path, &bytes);
    let open = disk.open_read(&path).expect("it is opened");
    for (offset, length) in [(0, 1), (4_000, 9_000), (19_999, 1), (20_000, 0)] {
        let expected = &bytes[offset..offset + length];
        assert_eq!(
            at(&*open, offset as u64, length).expect("it is read"),
            expected
        );
    }
    for (offset, length) in [(19_999, 2), (20_000, 1), (1 << 40, 1)] {
        assert_eq!(
            kind(at(&*open, offset, length)),
            io::ErrorKind::UnexpectedEof
        );
    }
    write(disk, &path, b"more");
    assert_eq!(at(&*open, 20_000, 4).expect("it is read"), b"more");
}

fn at(open: &dyn DiskRead, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    open.read_at(offset, &mut buffer)?;
    Ok(buffer)
}

fn a_rename_replaces_in_one_step(disk: &dyn Disk, directory: &Path) {
    let (old, new) = (directory.join("new.tmp"), directory.join("new"));
    write(disk, &new, b"old content");
    let open = disk.open_read(&new).expect("it is opened");
    let mut file = disk.open_append(&old).expect("it is opened");
    file.append(b"new").expect("bytes are appended");
    disk.rename(&old, &new).expect("it is renamed");
    assert_eq!(disk.read(&new).expect("it is read"), b"new");
    assert_eq!(kind(disk.read(&old)), io::ErrorKind::NotFound);
    file.append(b" content")
        .expect("a handle stays with its file");
    assert_eq!(disk.read(&new).expect("it is read"), b"new content");
    let replaced = at(&*open, 0, 11).expect("what was replaced is open still");
    assert_eq!(replaced, b"old content");
    assert_eq!(disk.list(directory).expect("it is listed"), ["new"]);
}

fn a_link_is_another_name_of_the_same_file(disk: &dyn Disk, directory: &Path) {
    let (first, second) = (directory.join("first"), directory.join("second"));
    write(disk, &first, b"x");
    disk.link(&first, &second).expect("it is linked");
    write(disk, &first, b"y");
    assert_eq!(disk.read(&second).expect("it is read"), b"xy");
    let third = directory.join("third");
    write(disk, &third, b"z");
    assert_eq!(
        kind(disk.link(&first, &third)),
        io::ErrorKind::AlreadyExists
    );
    disk.remove(&first).expect("it is removed");
    assert_eq!(disk.read(&second).expect("the other name stays"), b"xy");
    assert_eq!(disk.read(&third).expect("it is read"), b"z");
}

fn what_is_open_is_read_after_its_name_is_gone(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("a");
    write(disk, &path, b"still there");
    let open = disk.open_read(&path).expect("it is opened");
    disk.remove(&path).expect("it is removed");
    assert_eq!(kind(disk.open_read(&path)), io::ErrorKind::NotFound);
    write(disk, &path, b"another one");
    assert_eq!(at(&*open, 0, 11).expect("it is read"), b"still there");
}

fn a_file_is_cut_and_appended_to_from_there(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("a");
    let mut file = disk.open_append(&path).expect("it is opened");
    file.append(b"abcdef").expect("bytes are appended");
    disk.truncate(&path, 2).expect("it is cut");
    assert_eq!(disk.length(&path).expect("it is measured"), 2);
    file.append(b"g").expect("bytes are appended");
    assert_eq!(disk.read(&path).expect("it is read"), b"abg");
}

fn room_is_taken_without_a_change_of_the_length(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("a");
    let mut file = disk.open_append(&path).expect("it is opened");
    file.append(b"a").expect("bytes are appended");
    file.reserve(1 << 16).expect("room is taken");
    assert_eq!(disk.read(&path).expect("it is read"), b"a");
    file.append(b"b").expect("bytes are appended");
    assert_eq!(disk.read(&path).expect("it is read"), b"ab");
    let space = disk.space(directory).expect("the space is measured");
    assert!(space.free <= space.total, "{space:?}");
}

fn two_handles_append_one_after_the_other(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("a");
    let mut first = disk.open_append(&path).expect("it is opened");
    let mut second = first.try_clone().expect("there is a second handle");
    let mut third = disk.open_append(&path).expect("it is opened again");
    first.append(b"1").expect("bytes are appended");
    second.append(b"2").expect("bytes are appended");
    third.append(b"3").expect("bytes are appended");
    drop(first);
    second.sync().expect("it is synced");
    assert_eq!(disk.read(&path).expect("it is read"), b"123");
}

fn what_is_not_there_is_not_found(disk: &dyn Disk, directory: &Path) {
    let (path, other) = (directory.join("a"), directory.join("b"));
    let missing = io::ErrorKind::NotFound;
    assert_eq!(kind(disk.read(&path)), missing);
    assert_eq!(kind(disk.open_read(&path)), missing);
    assert_eq!(kind(disk.length(&path)), missing);
    assert_eq!(kind(disk.truncate(&path, 0)), missing);
    assert_eq!(kind(disk.rename(&path, &other)), missing);
    assert_eq!(kind(disk.link(&path, &other)), missing);
    assert_eq!(kind(disk.remove(&path)), missing);
    assert_eq!(kind(disk.list(&path)), missing);
    assert_eq!(kind(disk.sync_directory(&path)), missing);
    assert_eq!(kind(disk.open_append(&path.join("c"))), missing);
}

fn a_lock_has_one_holder_until_it_is_dropped(disk: &dyn Disk, directory: &Path) {
    let path = directory.join("lock");
    let held = disk.lock(&path).expect("it is locked");
    assert_eq!(kind(disk.lock(&path)), io::ErrorKind::WouldBlock);
    drop(held);
    assert!(disk.lock(&path).is_ok());
}
