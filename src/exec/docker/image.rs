//! Images: whether one may be used, whether it is there, getting it, and what it says of itself.
//!
//! A name is resolved once, to the id of the image; everything after that goes by the id, whatever becomes of the name.

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt as _;

use super::daemon::Daemon;
use super::{error, login};
use crate::config::{Environment, ImagePattern, ImagePullPolicy, ImageReference, Narrowed};
use crate::error::{Code, Error, Result};
use crate::exec::dialogue::Around;
use crate::exec::{CommandEnd, EventSink};
use crate::ids::Digest;

/// Where programs are where an image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which images may be used, and how they are got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRules {
    /// An image has to be on each of these lists.
    pub allowed: Narrowed<ImagePattern>,
    /// Only images that are named by digest.
    pub require_digest: bool,
    /// When an image is pulled.
    pub pull: ImagePullPolicy,
    /// How long a pull may take.
    pub pull_timeout: Duration,
    /// How often a pull is tried.
    pub attempts: u32,
    /// The pause after the first failure; it doubles.
    pub base_delay: Duration,
}

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its id, `sha256:…`.
    pub(super) id: String,
    /// The digest it was pulled by, where it was pulled.
    pub(super) digest: Option<Digest>,
    /// Its variables.
    pub(super) env: Vec<(String, String)>,
    /// Where commands start, where it says so.
    pub(super) workdir: Option<String>,
    /// The folders it declares to be volumes.
    pub(super) volumes: Vec<String>,
    /// What it runs on.
    pub(super) architecture: String,
}

impl Image {
    /// What a command finds around it in a container of this image.
    pub(super) fn around(&self) -> Around {
        let usual = [("PATH", PATH), ("HOME", "/tmp")];
        let usual = usual.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Around {
            env: usual.into_iter().chain(self.env.clone()).collect(),
            workdir: self.workdir.clone().unwrap_or_else(|| "/".to_owned()),
        }
    }
}

impl ImageRules {
    /// What can be said about an image by its name alone.
    fn check_name(&self, image: &ImageReference) -> Result<()> {
        if self.require_digest && !image.is_pinned() {
            return Err(CommandEnd::PolicyDenied
                .error(
                    Code::E3206,
                    format!("running the image {image}: only images that are named by digest may be used here"),
                )
                .hint("Name it as `REPOSITORY@sha256:…`; `docker images --digests` shows digests."));
        }
        Ok(())
    }

    /// Whether it is on the lists, by its repository, its digest or its id.
    fn check(&self, image: &ImageReference, found: &Image) -> Result<()> {
        let mut known: Vec<Digest> = found.digest.into_iter().collect();
        known.extend(found.id.parse::<Digest>().ok());
        if self
            .allowed
            .admits(|pattern| pattern.matches(image, &known))
        {
            return Ok(());
        }
        Err(self
            .not_allowed("running", image)
            .hint(format!("Its id is {}.", found.id)))
    }

    /// Before a pull only its name is known. One that no list could have is not asked for: a pull is a request to
    /// somebody's server.
    fn check_repository(&self, image: &ImageReference) -> Result<()> {
        let may_be = |pattern: &ImagePattern| pattern.is_digest() || pattern.matches(image, &[]);
        if self.allowed.admits(may_be) {
            return Ok(());
        }
        Err(self.not_allowed("pulling", image))
    }

    fn not_allowed(&self, doing: &str, image: &ImageReference) -> Error {
        CommandEnd::PolicyDenied
            .error(
                Code::E3206,
                format!(
                    "{doing} the image {image}: it is not among the images that may be used here"
                ),
            )
            .hint("`toolhatch config show --origin` shows `docker.allowed_images`, and who set it.")
    }
}

/// Finds the image, and pulls it where the rules say so. Tells how far a pull has come.
///
/// # Errors
/// E3206 where it may not be used; E3101 where there is none; E3502 where it cannot be pulled; E3405.
pub(super) async fn resolve(
    daemon: &Daemon,
    name: &str,
    rules: &ImageRules,
    environment: &Environment,
    events: &EventSink,
) -> Result<Image> {
    let image: ImageReference = name
        .parse()
        .map_err(|why| CommandEnd::InvalidConfig.error(Code::E3004, format!("{why}")))?;
    rules.check_name(&image)?;
    let known = match rules.pull {
        ImagePullPolicy::Always => None,
        ImagePullPolicy::IfNotPresent | ImagePullPolicy::Never => inspect(daemon, &image).await?,
    };
    let is_id = matches!(image, ImageReference::Id(_));
    let found = match known {
        Some(known) => known,
        None if rules.pull == ImagePullPolicy::Never || is_id => {
            return Err(CommandEnd::ImageNotFound
                .error(
                    Code::E3101,
                    format!("looking up the image {image}: the daemon does not have it"),
                )
                .hint(if is_id {
                    "An id names an image that is there; name a repository to have it pulled.".to_owned()
                } else {
                    format!("Get it with `docker pull {image}`, or set `docker.image_pull_policy = \"if-not-present\"`.")
                }));
        }
        None => {
            rules.check_repository(&image)?;
            pull(daemon, &image, rules, environment, events).await?;
            inspect(daemon, &image).await?.ok_or_else(|| {
                CommandEnd::ImageNotFound.error(
                    Code::E3101,
                    format!("looking up the image {image}: it is not there after the pull"),
                )
            })?
        }
    };
    rules.check(&image, &found)?;
    Ok(found)
}

async fn inspect(daemon: &Daemon, image: &ImageReference) -> Result<Option<Image>> {
    match daemon.api.inspect_image(&image.to_string()).await {
        Ok(found) => Image::of(image, found).map(Some),
        Err(why) if error::status(&why) == Some(404) => Ok(None),
        Err(why) => Err(error::of(&format!("looking up the image {image}"), why)),
    }
}

impl Image {
    fn of(name: &ImageReference, found: ImageInspect) -> Result<Self> {
        let digests: Vec<Digest> = found
            .repo_digests
            .unwrap_or_default()
            .iter()
            .filter_map(|entry| entry.split_once('@')?.1.parse().ok())
            .collect();
        let id = found.id.unwrap_or_default();
        if let Some(wanted) = name.digest()
            && wanted.to_string() != id
            && !digests.contains(&wanted)
        {
            return Err(Error::new(
                Code::E3109,
                format!(
                    "looking up the image {name}: the daemon has something else under this digest"
                ),
            ));
        }
        let config = found.config.unwrap_or_default();
        let env = config.env.unwrap_or_default();
        Ok(Self {
            digest: name.digest().or_else(|| digests.first().copied()),
            id,
            env: env
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            workdir: config.working_dir.filter(|folder| folder.starts_with('/')),
            volumes: config.volumes.unwrap_or_default(),
            architecture: found.architecture.unwrap_or_default(),
        })
    }
}

async fn pull(
    daemon: &Daemon,
    image: &ImageReference,
    rules: &ImageRules,
    environment: &Environment,
    events: &EventSink,
) -> Result<()> {
    let deadline = tokio::time::Instant::now() + rules.pull_timeout;
    let login = match image {
        ImageReference::Named(named) => {
            login::find(named.registry(), &daemon.address, environment, events).await
        }
        ImageReference::Id(_) => None,
    };
    let mut delay = rules.base_delay;
    let mut attempt = 1;
    loop {
        let failed = match tokio::time::timeout_at(
            deadline,
            pull_once(daemon, image, login.clone(), events),
        )
        .await
        {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failed)) => failed,
            Err(_) => {
                return Err(CommandEnd::PullFailed
                    .error(
                        Code::E3503,
                        format!(
                            "pulling the image {image}: it took longer than {} s",
                            rules.pull_timeout.as_secs()
                        ),
                    )
                    .hint("Raise `docker.pull_timeout`, or pull it beforehand."));
            }
        };
        if attempt >= rules.attempts || failed.code() == Code::E3101 || failed.code() == Code::E3507
        {
            return Err(failed);
        }
        tracing::warn!(%image, attempt, error = %failed, "a pull failed and is tried again");
        tokio::time::sleep(delay).await;
        delay *= 2;
        attempt += 1;
    }
}

async fn pull_once(
    daemon: &Daemon,
    image: &ImageReference,
    login: Option<DockerCredentials>,
    events: &EventSink,
) -> Result<()> {
    let options = CreateImageOptionsBuilder::default()
        .from_image(&image.to_string())
        .build();
    let mut stream = std::pin::pin!(daemon.api.create_image(Some(options), None, login));
    let mut layers = std::collections::BTreeMap::new();
    while let Some(step) = stream.next().await {
        let step = step.map_err(|why| pull_error(image, why))?;
        if let (Some(layer), Some(detail)) = (step.id, step.progress_detail)
            && let (Some(done), Some(total)) = (detail.current, detail.total)
        {
            layers.insert(layer, (done, total));
            let (done, total) = layers
                .values()
                .fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
            #[expect(clippy::cast_precision_loss, reason = "progress is shown in per cent")]
            events.progress(
                done as f64,
                Some(total as f64),
                Some(&format!("pulling {image}")),
            );
        }
    }
    Ok(())
}

fn pull_error(image: &ImageReference, why: bollard::errors::Error) -> Error {
    let text = why.to_string();
    let lower = text.to_lowercase();
    let doing = format!("pulling the image {image}");
    let is_missing = [
        "manifest unknown",
        "not found",
        "does not exist",
        "name unknown",
    ]
    .iter()
    .any(|words| lower.contains(words));
    if error::status(&why) == Some(404) || is_missing {
        return CommandEnd::ImageNotFound
            .error(
                Code::E3101,
                format!("{doing}: its registry does not have it"),
            )
            .hint("Check the name and the tag.")
            .caused_by(why);
    }
    let wants_login = ["unauthorized", "denied", "authentication", "no basic auth"]
        .iter()
        .any(|words| lower.contains(words));
    if wants_login {
        return CommandEnd::PullFailed
            .error(Code::E3507, format!("{doing}: its registry wants a login"))
            .hint(format!(
                "Log in with `docker login`; what that keeps is used here. `docker pull {image}` says more."
            ))
            .caused_by(why);
    }
    CommandEnd::PullFailed
        .error(
            Code::E3502,
            format!("{doing}: its registry cannot be reached or used"),
        )
        .hint(format!("Try `docker pull {image}`, which says more."))
        .caused_by(why)
}
