//! What udev knows about block devices: `/run/udev/data/bMAJOR:MINOR`. Machines without udev have none of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::{InvalidLabels, MetricFamily, MetricKind};

use super::diskstats::Disk;
use super::file::read_value;

/// Where udev keeps what it knows.
pub(crate) struct Udev {
    directory: PathBuf,
}

/// A device's properties by name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Properties<'a>(BTreeMap<&'a str, &'a str>);

/// An info metric: its labels besides `device`, each with the properties of which the first that is known counts.
struct Info {
    name: &'static str,
    help: &'static str,
    /// Only devices with this property have it.
    needs: Option<&'static str>,
    labels: &'static [(&'static str, &'static [&'static str])],
}

const INFOS: [Info; 3] = [
    Info {
        name: "node_disk_info",
        help: "Info of /sys/block/<block_device>.",
        needs: None,
        labels: &[
            ("path", &["ID_PATH"]),
            ("wwn", &["ID_WWN"]),
            ("model", &["ID_MODEL"]),
            // The one that is printed on the disk comes first; the last is all that virtual disks have.
            (
                "serial",
                &["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"],
            ),
            ("revision", &["ID_REVISION"]),
        ],
    },
    Info {
        name: "node_disk_filesystem_info",
        help: "Info about disk filesystem.",
        needs: Some("ID_FS_TYPE"),
        labels: &[
            ("type", &["ID_FS_TYPE"]),
            ("usage", &["ID_FS_USAGE"]),
            ("uuid", &["ID_FS_UUID"]),
            ("version", &["ID_FS_VERSION"]),
        ],
    },
    Info {
        name: "node_disk_device_mapper_info",
        help: "Info about disk device mapper.",
        needs: Some("DM_NAME"),
        labels: &[
            ("name", &["DM_NAME"]),
            ("uuid", &["DM_UUID"]),
            ("vg_name", &["DM_VG_NAME"]),
            ("lv_name", &["DM_LV_NAME"]),
            ("lv_layer", &["DM_LV_LAYER"]),
        ],
    },
];

/// Numbers that ATA disks have: property, metric, help.
const ATA: [(&str, &str, &str); 3] = [
    (
        "ID_ATA_WRITE_CACHE",
        "node_disk_ata_write_cache",
        "ATA disk has a write cache.",
    ),
    (
        "ID_ATA_WRITE_CACHE_ENABLED",
        "node_disk_ata_write_cache_enabled",
        "ATA disk has its write cache enabled.",
    ),
    (
        "ID_ATA_ROTATION_RATE_RPM",
        "node_disk_ata_rotation_rate_rpm",
        "ATA disk rotation rate in RPMs (0 for SSDs).",
    ),
];

impl Udev {
    pub(crate) fn new(rootfs: &Path) -> Self {
        let directory = rootfs.join("run/udev/data");
        Self { directory }
    }

    /// Descriptions of the disks; one whose file is absent has only its numbers.
    pub(crate) fn families(&self, disks: &[Disk<'_>]) -> Result<Vec<MetricFamily>, InvalidLabels> {
        let gauge = |name, help| MetricFamily::new(name, MetricKind::Gauge, help);
        let mut infos = INFOS.map(|info| gauge(info.name, info.help));
        let mut numbers = ATA.map(|(_, name, help)| gauge(name, help));
        for disk in disks {
            let file = format!("b{}:{}", disk.major, disk.minor);
            let text = read_value(&self.directory.join(file)).unwrap_or_default();
            let properties = parse(&text);
            for (info, family) in INFOS.iter().zip(&mut infos) {
                push_info(family, info, disk, &properties)?;
            }
            if properties.first(&["ID_ATA"]).is_empty() {
                continue;
            }
            for ((property, ..), family) in ATA.iter().zip(&mut numbers) {
                if let Ok(value) = properties.first(&[property]).parse::<u32>() {
                    family.push(&[("device", disk.device)], f64::from(value))?;
                }
            }
        }
        Ok(infos.into_iter().chain(numbers).collect())
    }
}

impl<'a> Properties<'a> {
    /// The first of some properties that is there, or "".
    fn first(&self, names: &[&str]) -> &'a str {
        let mut values = names.iter().filter_map(|name| self.0.get(name));
        values.next().copied().unwrap_or("")
    }
}

/// Reads the lines `E:NAME=value`; the others are udev's own business.
pub(crate) fn parse(text: &str) -> Properties<'_> {
    let properties = text.lines().filter_map(|line| line.strip_prefix("E:"));
    Properties(properties.filter_map(|line| line.split_once('=')).collect())
}

fn push_info(
    family: &mut MetricFamily,
    info: &Info,
    disk: &Disk<'_>,
    properties: &Properties<'_>,
) -> Result<(), InvalidLabels> {
    if info
        .needs
        .is_some_and(|property| properties.first(&[property]).is_empty())
    {
        return Ok(());
    }
    let (major, minor) = (disk.major.to_string(), disk.minor.to_string());
    let mut labels = vec![("device", disk.device)];
    if info.needs.is_none() {
        labels.extend([("major", major.as_str()), ("minor", minor.as_str())]);
    }
    for (label, names) in info.labels {
        labels.push((label, properties.first(names)));
    }
    family.push(&labels, 1.0)
}
