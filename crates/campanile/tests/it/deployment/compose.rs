//! The compose file: nothing more open than it must be, its variables and files are there, and what is mounted in it
//! shows the machine and not the container.

use std::process::Command;

use serde_json::{Value, json};

use super::image::{Image, Root};
use super::{assert_good, project, text, uncommented, yaml};
use crate::program::{Program, directory, until};

const COMPOSE: &str = "deploy/compose/compose.yaml";
const CONFIG: &str = "deploy/compose/config/campanile.yml";

fn service() -> Value {
    yaml(COMPOSE)["services"]["campanile"].clone()
}

#[test]
fn the_container_has_no_right_that_it_does_not_need() {
    let service = service();
    assert_eq!(service["read_only"], "true");
    assert_eq!(service["cap_drop"], json!(["ALL"]));
    assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
    for key in [
        "privileged",
        "cap_add",
        "pid",
        "network_mode",
        "user",
        "devices",
    ] {
        assert!(service[key].is_null(), "{key}");
    }
    assert_eq!(
        service["ports"],
        json!(["${CAMPANILE_ADDRESS:-127.0.0.1}:${CAMPANILE_PORT:-9595}:9595"])
    );
    let volumes = service["volumes"].as_array().unwrap();
    for volume in volumes.iter().filter(|volume| volume.is_object()) {
        assert_eq!(volume["type"], "bind");
        assert_eq!(volume["read_only"], "true", "{volume}");
    }
}

#[test]
fn it_fits_the_image_and_its_files_are_there() {
    let (service, image) = (service(), Image::read());
    assert_eq!(volume_at(&service, &image.volume), "data");
    assert!(yaml(COMPOSE)["volumes"].get("data").is_some());
    let mut test = vec!["CMD".to_owned()];
    test.extend(image.healthcheck.clone());
    assert_eq!(service["healthcheck"]["test"], json!(test));
    let dockerfile = service["build"]["dockerfile"].as_str().unwrap();
    let context = service["build"]["context"].as_str().unwrap();
    assert!(
        project("deploy/compose")
            .join(context)
            .join(dockerfile)
            .exists()
    );
    let config = service["environment"]["CAMPANILE_CONFIG"].as_str().unwrap();
    let (folder, name) = config.rsplit_once('/').unwrap();
    let source = volume_at(&service, folder);
    assert!(project("deploy/compose").join(source).join(name).exists());
}

/// What is mounted there.
fn volume_at(service: &Value, target: &str) -> String {
    let volumes = service["volumes"].as_array().unwrap();
    let found = volumes.iter().find_map(|volume| match volume {
        Value::String(short) => short.strip_suffix(&format!(":{target}")),
        long => (long["target"] == target).then(|| long["source"].as_str().unwrap()),
    });
    found
        .unwrap_or_else(|| panic!("nothing is mounted at {target}"))
        .to_owned()
}

#[test]
fn each_variable_has_an_example_and_the_same_default() {
    let compose = text(COMPOSE);
    let mut names = Vec::new();
    for part in compose.split("${").skip(1) {
        let (name, rest) = part.split_once(":-").unwrap();
        let (default, _) = rest.split_once('}').unwrap();
        let line = format!("\n{name}={default}\n");
        assert!(
            text("deploy/compose/.env.example").contains(&line),
            "{line}"
        );
        names.push(name.to_owned());
    }
    assert!(names.len() >= 4, "{names:?}");
}

#[test]
fn its_configuration_is_good() {
    let image = Image::read();
    let variables: Vec<(&str, &str)> = image
        .environment
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_good(&project(CONFIG), &variables);
    let directory = directory();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let examples = uncommented(&text(CONFIG));
    assert!(examples.contains("/run/secrets/smtp_password"));
    let examples = examples.replace("/run/secrets/smtp_password", secret.to_str().unwrap());
    let file = directory.path().join("campanile.yml");
    std::fs::write(&file, examples).unwrap();
    assert_good(&file, &variables);
}

#[test]
fn the_machine_is_measured_from_inside_and_not_the_container() {
    let image = Image::read();
    let root = match Root::build(&image) {
        Ok(root) => root,
        Err(why) => {
            eprintln!("SKIPPED: no root file system of the test's own: {why}");
            return;
        }
    };
    let service = service();
    assert_eq!(volume_at(&service, "/host"), "/");
    let config = "/etc/campanile/campanile.yml";
    std::fs::create_dir_all(root.path("/host")).unwrap();
    std::fs::create_dir_all(root.path("/etc/campanile")).unwrap();
    std::fs::copy(project(CONFIG), root.path(config)).unwrap();
    // As the engine does it: all mounts of the machine, read only, with those that come later.
    let host = root.path("/host");
    let host = host.display();
    let mounts = format!(
        "mount --rbind / {host}; mount --make-rslave {host}; mount -o remount,bind,ro {host}"
    );
    let mut serve = root.serve(&image, &mounts);
    serve.env("CAMPANILE_CONFIG", config);
    // What is measured is asked for by nobody in particular.
    serve.env("CAMPANILE_AUTH", "off");
    let program = Program::start_as(serve);
    let ask = |expression: &str| {
        let query = [&*image.entrypoint[0], "query", "instant", expression];
        let answer = root.run(&image, &program, &query);
        let answer = String::from_utf8(answer.stdout).unwrap();
        let value = answer
            .lines()
            .nth(1)
            .and_then(|line| line.split_whitespace().last());
        value.and_then(|value| value.parse::<f64>().ok())
    };
    until("host metrics are stored", || ask("node_load1").is_some());

    // The container has a network of its own, with nothing but a loopback device.
    let devices = std::fs::read_to_string("/proc/1/net/dev").unwrap();
    let devices = devices
        .lines()
        .skip(2)
        .filter(|line| !line.trim().starts_with("lo:"));
    let devices = match devices.count() {
        0 => None,
        devices => Some(devices as f64),
    };
    assert_eq!(ask("count(node_network_receive_bytes_total)"), devices);

    let mounts = std::fs::read_to_string("/proc/1/mounts").unwrap();
    if mounts
        .lines()
        .any(|line| line.contains(" / ext4 ") || line.contains(" / xfs "))
    {
        let said = Command::new("stat")
            .args(["--file-system", "--format=%b %S", "/"])
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let (blocks, size) = said.trim().split_once(' ').unwrap();
        let bytes = blocks.parse::<f64>().unwrap() * size.parse::<f64>().unwrap();
        let shown = ask(r#"max(node_filesystem_size_bytes{mountpoint="/"})"#);
        assert_eq!(shown, Some(bytes));
        // The data directory of the container is none of the machine's file systems.
        let own = format!(
            r#"count(node_filesystem_size_bytes{{mountpoint="{}"}})"#,
            image.volume
        );
        assert_eq!(ask(&own), None);
    }
}
