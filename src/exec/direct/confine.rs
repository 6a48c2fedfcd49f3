//! The process that becomes the command: it gives up what was not granted, looks whether it has, and only then executes it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use toolhatch_runner::protocol::{Refusal, Refused, Report};

use super::order::{Order, Reachable};
use super::paths::Reach;
use super::{limits, seccomp, sys};

/// The oldest kernel that can keep a command from everything that it must be kept from: also from signals to others.
const ENFORCED: ABI = ABI::V6;

/// Programs, what they are made of, and what the C library reads. Credentials of the system are in none of them.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/self",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/uptime",
    "/proc/version",
];

/// Devices that have nothing in them.
const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/zero"];

/// What every command can read of the system.
pub(super) fn system() -> impl Iterator<Item = &'static str> {
    SYSTEM.iter().chain(DEVICES).copied()
}

/// Becomes the command. It only returns where it could not, which was said then.
pub(super) fn main() -> io::Result<()> {
    let mut control = sys::control()?;
    sys::keep_descriptors()?;
    // The supervisor ends everything in the end; without it, there is nobody who would.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let (order, input) = Order::read(&mut control)?;
    let report = match become_command(&order, input, &mut control) {
        Ok(refused) => Report::Refused(refused),
        Err(why) => Report::Error(why),
    };
    send(&mut control, &report)
}

fn send(control: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut bytes = Vec::new();
    report
        .encode(0, &mut bytes)
        .map_err(|error| io::Error::other(error.to_string()))?;
    control.write_all(&bytes)
}

/// Confines this process and executes the command.
fn become_command(
    order: &Order,
    input: OwnedFd,
    control: &mut UnixStream,
) -> Result<Refused, String> {
    let said = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let errno = |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
    rustix::process::setsid().map_err(errno("beginning a session"))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let rules = ruleset(order)?;
    limits::set(&order.limits).map_err(said("limiting resources"))?;
    if let Err(error) = rustix::process::chdir(&order.cwd) {
        return Ok(Refused {
            refusal: Refusal::Directory,
            errno: error.raw_os_error(),
            text: error.to_string(),
        });
    }
    sys::drop_capabilities().map_err(said("giving up capabilities"))?;
    let enforced = rules
        .restrict_self()
        .map_err(|error| format!("Landlock: {error}"))?;
    if enforced.ruleset != RulesetStatus::FullyEnforced || !enforced.no_new_privs {
        return Err("Landlock does not enforce all of it".to_owned());
    }
    seccomp::apply(order.network).map_err(said("seccomp"))?;
    let posture = posture(order)?;
    let mut command = Command::new(order.argv.first().map_or("", String::as_str));
    command
        .args(order.argv.iter().skip(1))
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(input));
    limits::set_memory(&order.limits).map_err(said("limiting memory"))?;
    send(control, &Report::Probed(posture)).map_err(said("telling how it is confined"))?;
    let error = command.exec();
    let refusal = match error.kind() {
        io::ErrorKind::NotFound => Refusal::NotFound,
        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock => Refusal::Resources,
        io::ErrorKind::ArgumentListTooLong => Refusal::Invalid,
        _ => Refusal::NotExecutable,
    };
    Ok(Refused {
        refusal,
        errno: error.raw_os_error().unwrap_or_default(),
        text: error.to_string(),
    })
}

/// What Landlock is asked to enforce. Nothing is left out where the kernel cannot enforce it: that is a failure.
fn ruleset(order: &Order) -> Result<RulesetCreated, String> {
    let told = |error: landlock::RulesetError| format!("Landlock: {error}");
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ENFORCED))
        .map_err(told)?
        .scope(Scope::from_all(ENFORCED))
        .map_err(told)?;
    if order.network == Reachable::Nobody {
        ruleset = ruleset
            .handle_access(AccessNet::from_all(ENFORCED))
            .map_err(told)?;
    }
    let mut created = ruleset.create().map_err(told)?;
    for (paths, reach) in [(SYSTEM, Reach::Read), (DEVICES, Reach::Write)] {
        for path in paths {
            // Not every system has all of them.
            let Ok(folder) = PathFd::new(path) else {
                continue;
            };
            created = add(created, folder, reach, Path::new(path).is_dir())?;
        }
    }
    let own = PathFd::new(&order.temporary).map_err(|error| format!("Landlock: {error}"))?;
    created = add(created, own, Reach::Write, true)?;
    for rule in &order.rules {
        let shown = rule.path.display();
        let opened = rustix::fs::open(
            &rule.path,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let file = match opened {
            Ok(file) => File::from(file),
            Err(error) => {
                let user = rustix::process::getuid().as_raw();
                return Err(format!("opening {shown} as user {user}: {error}"));
            }
        };
        let metadata = file
            .metadata()
            .map_err(|error| format!("looking at {shown}: {error}"))?;
        // What was decided on is what is opened, and nothing that was put in its place.
        if (metadata.dev(), metadata.ino()) != rule.file {
            return Err(format!("opening {shown}: it is another file now"));
        }
        created = add(created, file, rule.access, metadata.is_dir())?;
    }
    Ok(created)
}

fn add(
    created: RulesetCreated,
    file: impl std::os::fd::AsFd,
    reach: Reach,
    is_folder: bool,
) -> Result<RulesetCreated, String> {
    let access: BitFlags<AccessFs> = match reach {
        Reach::List => AccessFs::ReadDir.into(),
        Reach::Read => AccessFs::from_read(ENFORCED),
        Reach::Write => AccessFs::from_all(ENFORCED) & !(AccessFs::MakeBlock | AccessFs::MakeChar),
    };
    let access = if is_folder {
        access
    } else {
        access & AccessFs::from_file(ENFORCED)
    };
    if access.is_empty() {
        return Ok(created);
    }
    created
        .add_rule(PathBeneath::new(file, access))
        .map_err(|error| format!("Landlock: {error}"))
}

/// What the kernel says of this process now.
///
/// # Errors
/// What is not as it should be.
fn posture(order: &Order) -> Result<String, String> {
    let mut status = String::new();
    let read =
        File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut status));
    read.map_err(|error| format!("looking at this process: {error}"))?;
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|rest| rest.trim_start_matches(':').trim())
            .unwrap_or_default()
            .to_owned()
    };
    let zeros = "0000000000000000";
    for (name, expected) in [
        ("CapEff", zeros),
        ("CapPrm", zeros),
        ("CapInh", zeros),
        ("CapAmb", zeros),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        let found = value(name);
        if found != expected {
            return Err(format!("{name} is {found} and not {expected}"));
        }
    }
    let uid = rustix::process::getuid().as_raw();
    if order.user.is_some_and(|(wanted, _)| wanted != uid) {
        return Err(format!("it runs as user {uid}"));
    }
    // What nobody is granted cannot be listed: a look that Landlock alone refuses.
    if fs::read_dir("/").is_ok() {
        return Err("Landlock lets it list the root folder".to_owned());
    }
    if order.network == Reachable::Proxy && leads_out() {
        return Err("its network leads somewhere".to_owned());
    }
    Ok(format!(
        "uid={uid} gid={} capabilities=none no_new_privs=1 seccomp=2 landlock=6 network={}",
        rustix::process::getgid().as_raw(),
        order.network.word()
    ))
}

/// True where there is a way to addresses that nobody has. To find it nothing has to be sent.
fn leads_out() -> bool {
    let v4 = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect("192.0.2.1:9"));
    let nobody = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let v6 = UdpSocket::bind("[::]:0").and_then(|socket| socket.connect((nobody, 9)));
    v4.is_ok() || v6.is_ok()
}
