//! The manifests for Kubernetes: what kustomize would need of them is there, what they name of each other fits, and
//! they fit the image and the program.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::image::Image;
use super::{assert_good, project, text, uncommented, yaml};
use crate::program::{Program, directory, get};

const VARIANTS: [&str; 2] = ["deploy/kubernetes/base", "deploy/kubernetes/daemonset"];

/// A folder with a kustomization.
struct Variant {
    path: &'static str,
    kustomization: Value,
    resources: Vec<Value>,
}

impl Variant {
    fn read(path: &'static str) -> Self {
        let kustomization = yaml(&format!("{path}/kustomization.yaml"));
        let files = texts(&kustomization["resources"]);
        let resources = files.iter().map(|file| yaml(&format!("{path}/{file}")));
        Self {
            path,
            resources: resources.collect(),
            kustomization,
        }
    }

    fn one(&self, kind: &str) -> &Value {
        let mut found = self
            .resources
            .iter()
            .filter(|resource| resource["kind"] == kind);
        let one = found
            .next()
            .unwrap_or_else(|| panic!("{}: no {kind}", self.path));
        assert!(
            found.next().is_none(),
            "{}: more than one {kind}",
            self.path
        );
        one
    }

    /// The StatefulSet or the DaemonSet.
    fn workload(&self) -> &Value {
        let mut workloads = self.resources.iter();
        let found = workloads.find(|resource| !resource["spec"]["template"].is_null());
        found.unwrap_or_else(|| panic!("{}: no workload", self.path))
    }

    fn pod(&self) -> &Value {
        &self.workload()["spec"]["template"]["spec"]
    }

    fn container(&self) -> &Value {
        let containers = self.pod()["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        &containers[0]
    }

    fn config(&self) -> String {
        format!("{}/campanile.yml", self.path)
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// The names of the items of a list; none if there is no list.
fn names(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    let names = items.map(|item| item.get("name").unwrap_or(&item["metadata"]["name"]));
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_file_is_named_once_and_every_named_file_is_there() {
    for path in VARIANTS {
        let variant = Variant::read(path);
        let mut named: BTreeSet<String> = ["kustomization.yaml".to_owned()].into();
        named.extend(texts(&variant.kustomization["resources"]));
        for generator in variant.kustomization["configMapGenerator"]
            .as_array()
            .unwrap()
        {
            named.extend(texts(&generator["files"]));
        }
        let files = std::fs::read_dir(project(path)).unwrap();
        let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert_eq!(files.collect::<BTreeSet<_>>(), named, "{path}");

        let namespace = &variant.kustomization["namespace"];
        assert_eq!(&variant.one("Namespace")["metadata"]["name"], namespace);
        let images = names(&variant.kustomization["images"]);
        let image = variant.container()["image"].as_str().unwrap();
        assert!(images.contains(image), "{path}: {image}");
        // kustomize itself says so too, where it is.
        let kustomize = Command::new("kubectl")
            .arg("kustomize")
            .arg(project(path))
            .output();
        match kustomize {
            Ok(built) => {
                let words = String::from_utf8_lossy(&built.stderr).into_owned();
                assert!(built.status.success(), "{path}: {words}");
            }
            Err(_) => {
                eprintln!("SKIPPED: kubectl is not installed, whose kustomize would build {path}")
            }
        }
    }
}

#[test]
fn whatever_selects_a_pod_finds_it() {
    for path in VARIANTS {
        let variant = Variant::read(path);
        let spec = &variant.workload()["spec"];
        let labels = spec["template"]["metadata"]["labels"].as_object().unwrap();
        let service = &variant.one("Service")["spec"];
        let policy = &variant.one("NetworkPolicy")["spec"];
        for selector in [
            &spec["selector"]["matchLabels"],
            &service["selector"],
            &policy["podSelector"]["matchLabels"],
        ] {
            let selector = selector.as_object().unwrap();
            assert!(!selector.is_empty());
            for (name, value) in selector {
                assert_eq!(labels.get(name), Some(value), "{path}: {name}");
            }
        }
        let ports = names(&variant.container()["ports"]);
        for port in [
            &service["ports"][0]["targetPort"],
            &policy["ingress"][0]["ports"][0]["port"],
        ] {
            assert!(ports.contains(port.as_str().unwrap()), "{path}: {port}");
        }
        if let Some(governing) = spec.get("serviceName") {
            assert_eq!(governing, &variant.one("Service")["metadata"]["name"]);
        }
        let account = &variant.pod()["serviceAccountName"];
        assert_eq!(account, &variant.one("ServiceAccount")["metadata"]["name"]);
    }
}

#[test]
fn volumes_fit_the_image_and_each_other() {
    let image = Image::read();
    for path in VARIANTS {
        let variant = Variant::read(path);
        let mut volumes = names(&variant.pod()["volumes"]);
        volumes.extend(names(&variant.workload()["spec"]["volumeClaimTemplates"]));
        let mounts = &variant.container()["volumeMounts"];
        assert_eq!(names(mounts), volumes, "{path}");
        let mount = |target: &str| {
            let mut mounts = mounts.as_array().unwrap().iter();
            let found = mounts.find(|mount| mount["mountPath"] == target);
            found.unwrap_or_else(|| panic!("{path}: nothing is mounted at {target}"))
        };
        assert_eq!(mount(&image.volume)["name"], "data");
        let environment = &variant.container()["env"][0];
        assert_eq!(environment["name"], "CAMPANILE_CONFIG");
        let (folder, file) = environment["value"]
            .as_str()
            .unwrap()
            .rsplit_once('/')
            .unwrap();
        assert_eq!(mount(folder)["name"], "config");
        let generator = &variant.kustomization["configMapGenerator"][0];
        assert_eq!(generator["files"], json!([file]));
        let volumes = variant.pod()["volumes"].as_array().unwrap();
        let config = volumes
            .iter()
            .find(|volume| volume["name"] == "config")
            .unwrap();
        assert_eq!(config["configMap"]["name"], generator["name"]);
    }
}

#[test]
fn pods_keep_to_the_restricted_profile_but_for_the_nodes_folder() {
    let image = Image::read();
    let (user, group) = image.user.split_once(':').unwrap();
    for path in VARIANTS {
        let variant = Variant::read(path);
        let (pod, container) = (variant.pod(), variant.container());
        for (value, expected) in [
            (&pod["securityContext"]["runAsNonRoot"], "true"),
            (&pod["securityContext"]["runAsUser"], user),
            (&pod["securityContext"]["runAsGroup"], group),
            (&pod["securityContext"]["fsGroup"], group),
            (
                &pod["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault",
            ),
            (&pod["automountServiceAccountToken"], "false"),
            (
                &container["securityContext"]["allowPrivilegeEscalation"],
                "false",
            ),
            (
                &container["securityContext"]["readOnlyRootFilesystem"],
                "true",
            ),
            (
                &container["securityContext"]["capabilities"]["drop"][0],
                "ALL",
            ),
        ] {
            assert_eq!(value, expected, "{path}");
        }
        for key in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(
                pod.get(key).is_none_or(|value| value == "false"),
                "{path}: {key}"
            );
        }
        assert!(container["securityContext"]["capabilities"]["add"].is_null());
        assert!(!container["resources"]["limits"]["memory"].is_null());
        for volume in pod["volumes"].as_array().unwrap() {
            let Some(_) = volume.get("hostPath") else {
                continue;
            };
            assert!(path.ends_with("daemonset"), "{path}: {volume}");
            let mounts = container["volumeMounts"].as_array().unwrap();
            let mount = mounts
                .iter()
                .find(|mount| mount["name"] == volume["name"])
                .unwrap();
            assert_eq!(mount["readOnly"], "true");
            assert_eq!(mount["mountPropagation"], "HostToContainer");
        }
    }
}

#[test]
fn probes_ask_what_the_program_answers_on_the_port_where_it_listens() {
    let image = Image::read();
    let mut variables = image.environment.iter();
    let listen = variables
        .find(|(name, _)| name == "CAMPANILE_LISTEN")
        .unwrap();
    let (_, port) = listen.1.rsplit_once(':').unwrap();
    let data = directory();
    let program = Program::start(data.path(), &[]);
    program.wait_until_ready();
    for path in VARIANTS {
        let variant = Variant::read(path);
        let container = variant.container();
        assert_eq!(container["ports"][0]["containerPort"], port);
        assert_eq!(container["args"], json!(image.command));
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let asked = &container[probe]["httpGet"];
            assert_eq!(asked["port"], container["ports"][0]["name"]);
            let (status, answer) = get(&program.url(asked["path"].as_str().unwrap()));
            assert_eq!(status, 200, "{path}: {probe}: {answer}");
        }
    }
}

#[test]
fn the_configurations_are_good() {
    let image = Image::read();
    let mut variables: Vec<(&str, &str)> = Vec::new();
    for (name, value) in &image.environment {
        variables.push((name, value));
    }
    variables.push(("SMTP_PASSWORD", "secret"));
    for path in VARIANTS {
        let variant = Variant::read(path);
        assert_good(&project(&variant.config()), &variables);
        let directory = directory();
        let file = directory.path().join("campanile.yml");
        std::fs::write(&file, uncommented(&text(&variant.config()))).unwrap();
        assert_good(&file, &variables);
    }
}
