//! A registry that wants a login: a process of its own over the images of the shared one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user of the registry and the password, and both as htpasswd has them (bcrypt, five rounds).
pub const LOGIN: (&str, &str) = ("me", "secret");
const HTPASSWD: &str = "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Ended when it is dropped.
pub struct Registry {
    child: Child,
    /// `127.0.0.1` and its port.
    pub address: String,
}

impl Registry {
    /// Serves the images below `data`; its own files are in `folder`.
    pub fn start(data: &Path, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("created");
        let (users, config, log) = (
            folder.join("htpasswd"),
            folder.join("registry.yml"),
            folder.join("registry.log"),
        );
        toolhatch::fsx::write_atomic(&users, HTPASSWD.as_bytes(), 0o600).expect("written");
        let text = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\n\
             http: {{addr: \"127.0.0.1:0\", secret: \"toolhatch-test\"}}\n\
             auth: {{htpasswd: {{realm: tests, path: {}}}}}\n",
            data.display(),
            users.display()
        );
        toolhatch::fsx::write_atomic(&config, text.as_bytes(), 0o600).expect("written");
        let file = std::fs::File::create(&log).expect("created");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("cloned"))
            .stderr(file)
            .spawn()
            .expect("it is there where the daemon is");
        let mut registry = Self {
            child,
            address: String::new(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while registry.address.is_empty() {
            let said = std::fs::read_to_string(&log).expect("read");
            assert!(Instant::now() < deadline, "it does not listen: {said}");
            // It takes a free port, and says which.
            let port = said
                .split_once("listening on 127.0.0.1:")
                .and_then(|(_, rest)| rest.split_once(|c: char| !c.is_ascii_digit()));
            match port {
                Some((port, _)) => registry.address = format!("127.0.0.1:{port}"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
