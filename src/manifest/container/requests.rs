//! What a container tool asks for by being one: to run its program in its image.

use super::ContainerSpec;
use crate::error::{Code, Result};
use crate::manifest::image::{ImageRef, granted_name};
use crate::permission::{Capability, Kind, Request, SubprocessScope};

/// Adds what `containers` ask for to what is written: needed, each once, in the order of [`Kind::ALL`].
///
/// What was written for the same image and program is replaced by it: the image may have been written in another form, and
/// may have been called optional, which it is not.
///
/// # Errors
/// E3105 where a program cannot be written as a scope.
pub fn with_implied<'a>(
    mut written: Vec<Request>,
    containers: impl Iterator<Item = &'a ContainerSpec>,
) -> Result<Vec<Request>> {
    for capability in written.iter_mut().flat_map(|it| &mut it.capabilities) {
        in_full(capability)?;
    }
    let mut implied: Vec<Request> = Vec::new();
    for container in containers {
        let capability = container
            .capability()
            .map_err(|error| error.into_error(Code::E3105))?;
        written.retain(|request| !is_same(request, container));
        let request = Request::new(capability);
        if !implied.contains(&request) {
            implied.push(request);
        }
    }
    let at = written
        .iter()
        .position(|request| request.optional || request.kind > Kind::Subprocess)
        .unwrap_or(written.len());
    written.splice(at..at, implied);
    Ok(written)
}

/// Puts the full name in the place of a short one: grants and commands name images in full.
fn in_full(capability: &mut Capability) -> Result<()> {
    if let Capability::Subprocess(scope) = capability
        && let Some(image) = scope.image()
    {
        *scope = SubprocessScope::new(Some(&granted_name(image)), scope.command())
            .map_err(|error| error.into_error(Code::E3105))?;
    }
    Ok(())
}

/// True where a request is for exactly the program and the image of this container.
fn is_same(request: &Request, container: &ContainerSpec) -> bool {
    let [Capability::Subprocess(scope)] = request.capabilities.as_slice() else {
        return false;
    };
    let is_image = |image: &str| ImageRef::parse(image).is_ok_and(|image| image == container.image);
    scope.image().is_some_and(is_image) && scope.command() == Some(container.command.program())
}

#[cfg(test)]
mod tests {
    use crate::manifest::{Variables, parse_toml};

    fn asked(written: &str) -> Vec<String> {
        let tool = |name: &str, image: &str, program: &str| {
            format!(
                "[[tools]]\nname = '{name}'\ndescription = 'x'\ninput_schema = {{ type = 'object' }}\n\
                 container = {{ image = '{image}', command = ['{program}'] }}\n"
            )
        };
        let text = format!(
            "schema = 1\nname = 'x'\nversion = '1.0.0'\n{}{}{}{written}",
            tool("a", "busybox", "date"),
            tool("b", "docker.io/library/busybox:latest", "date"),
            tool("c", "busybox", "id;x"),
        );
        let variables = Variables {
            workspace: "/w".into(),
            home: None,
        };
        let manifest = parse_toml(&text, "plugin.toml").unwrap_or_else(|error| panic!("{error}"));
        let requests = manifest.requests(&variables).expect("valid");
        let line = |request: &crate::permission::Request| {
            assert!(!request.broad || request.capabilities[0].to_string() == "*");
            let optional = if request.optional { " (optional)" } else { "" };
            format!("{}{optional}", request.capabilities[0])
        };
        requests.iter().map(line).collect()
    }

    const DATE: &str = "image:docker.io/library/busybox:latest;command:date";
    const ID: &str = "image:docker.io/library/busybox:latest;command:id%3Bx";

    #[test]
    fn a_container_asks_for_its_program_and_image_once() {
        assert_eq!(asked(""), [DATE, ID]);
    }

    #[test]
    fn it_stands_where_such_permissions_stand_and_replaces_its_own() {
        let written = "[permissions]\nfile_read = ['/x']\nsubprocess = ['image:busybox;command:date', 'image:busybox', 'command:date']\ntool_invoke = ['a.b']\n\
                       [permissions.optional]\nenv = ['LANG']\nsubprocess = ['image:library/busybox:latest;command:date', '*']";
        assert_eq!(
            asked(written),
            [
                "/x",
                "image:docker.io/library/busybox:latest",
                "command:date",
                DATE,
                ID,
                "a.b",
                "LANG (optional)",
                "* (optional)",
            ]
        );
    }
}
