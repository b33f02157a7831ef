//! The Debian packages that tests compare us with, such as Prometheus. Only what is missing is installed, only by
//! root and only in a container or with `CI` set, and no service is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// Debian asks this program before it starts a service; 101 is "forbidden" (invoke-rc.d(8)).
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Exists where systemd runs the machine: someone's own one, or a runner of continuous integration.
const SYSTEMD: &str = "/run/systemd/system";

/// Another apt may be at work: it waits for that one instead of failing.
const INSTALL: &str = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 \
    --no-install-recommends --option=DPkg::Lock::Timeout=300 --option=Acquire::Retries=3";

/// Makes the packages of `.ci/packages` present, or says plainly that they are not.
///
/// Errors: only with `CI` set, when a package is missing and cannot be installed.
pub(crate) fn ensure() -> Result<()> {
    let list = fs::read_to_string(process::root()?.join(".ci/packages"))
        .context("cannot read .ci/packages")?;
    let missing: Vec<&str> = parse(&list)
        .into_iter()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        println!("all packages of .ci/packages are installed");
        return Ok(());
    }
    let Err(error) = install(&missing) else {
        return Ok(());
    };
    let names = missing.join(" ");
    if std::env::var_os("CI").is_some() {
        return Err(error.context(format!("tests need these packages: {names}")));
    }
    println!("not installed: {names} ({error:#})");
    println!("tests that compare with them will say that they are skipped; to install them:");
    println!("    sudo apt-get install --no-install-recommends {names}");
    Ok(())
}

/// One package a line; `#` starts a comment.
fn parse(list: &str) -> Vec<&str> {
    list.lines()
        .map(|line| line.split('#').next().unwrap_or("").trim())
        .filter(|package| !package.is_empty())
        .collect()
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout.ends_with(b" installed"))
}

fn install(packages: &[&str]) -> Result<()> {
    if process::output("id -u")?.trim() != "0" {
        bail!("only root can install them");
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this is no Debian: there is no apt-get");
    }
    // There, the services would start with the machine from now on: not ours to decide.
    if Path::new(SYSTEMD).exists() && std::env::var_os("CI").is_none() {
        bail!("they bring services, so a machine of your own is not changed unasked");
    }
    process::run("apt-get update --quiet=2")?;
    let _guard = ServiceGuard::set(Path::new(SERVICE_POLICY))?;
    process::run(&format!("{INSTALL} {}", packages.join(" ")))
}

/// Keeps packages from starting their services while it lives; a policy that stands already is left as it is.
struct ServiceGuard {
    ours: Option<PathBuf>,
}

impl ServiceGuard {
    fn set(policy: &Path) -> Result<Self> {
        if policy.exists() {
            return Ok(Self { ours: None });
        }
        let text = "#!/bin/sh\n# Written by campanile's `make test` while it installs; it may be removed.\nexit 101\n";
        fs::write(policy, text)
            .and_then(|()| fs::set_permissions(policy, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {}", policy.display()))?;
        Ok(Self {
            ours: Some(policy.to_owned()),
        })
    }
}

impl Drop for ServiceGuard {
    fn drop(&mut self) {
        if let Some(policy) = &self.ours
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("cannot remove {}: {error}", policy.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_packages() {
        assert_eq!(
            parse("# what tests need\n\nprometheus # promtool too\n  curl\n"),
            ["prometheus", "curl"]
        );
    }

    #[test]
    fn a_package_that_does_not_exist_is_not_installed() {
        assert!(!is_installed("no-such-package-of-debian"));
    }

    #[test]
    fn services_are_forbidden_only_while_packages_are_installed() {
        let policy = std::env::temp_dir().join(format!("policy-rc.d-{}", std::process::id()));
        let guard = ServiceGuard::set(&policy).unwrap();
        assert_eq!(Command::new(&policy).status().unwrap().code(), Some(101));
        drop(ServiceGuard::set(&policy).unwrap());
        assert!(policy.exists(), "the policy of another was removed");
        drop(guard);
        assert!(!policy.exists());
    }
}
