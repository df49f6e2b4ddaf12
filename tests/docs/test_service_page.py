"""The page on the service shows what examples/ holds, and its container is built as README says."""

import re

from checkout import ROOT

SERVICE = ROOT / "examples" / "service"
PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
DOCKERFILE = (SERVICE / "Dockerfile").read_text(encoding="utf-8")


def instructions():
    """Lines of the Dockerfile, continued ones joined, without comments."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [line for line in joined.splitlines() if line]


def test_the_page_shows_the_files_word_for_word():
    shown = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.S | re.M))
    assert shown.keys() == {"app.py", "Dockerfile"}
    for name, text in shown.items():
        assert text == (SERVICE / name).read_text(encoding="utf-8")


def test_the_container_installs_srkit_by_the_line_of_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    main = re.search(r"<!-- main -->\n```sh\n(.*?)\n```", readme, re.S)[1]
    # There in an environment of its own, which a container is already.
    (line,) = (part for part in main.split(" && ") if "pip install" in part)
    line = line.replace(".venv/bin/", "")
    (run,) = (line for line in instructions() if line.startswith("RUN "))
    assert run.removeprefix("RUN ").split(" && ")[0].strip() == line


def test_the_container_takes_torch_for_cpus_from_where_readme_says():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    index = re.search(r"`--extra-index-url (\S+)` behind `install`", readme)[1]
    assert f"ARG PIP_EXTRA_INDEX_URL={index}" in instructions()


def test_what_the_container_copies_is_there_and_the_service_is_not_root():
    lines = instructions()
    for line in lines:
        if line.startswith("COPY "):
            assert all((ROOT / source).exists() for source in line.split()[1:-1])
    assert re.search(r"^FROM python:3\.\d+-slim$", DOCKERFILE, re.M)
    # What the build of a wheel needs, by pyproject.toml.
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for needed in ("README.md", "LICENSE"):
        assert f'"{needed}"' in project
        assert any(line.startswith("COPY ") and needed in line.split() for line in lines)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["1000"]
    assert lines[-1].startswith("CMD ")
    assert lines.index("USER 1000") < len(lines) - 1


def test_the_container_ends_before_docker_kills_it():
    """Which is 10 seconds after it asks: `docker stop`."""
    command = re.sub(r"[\[\],\"]", " ", instructions()[-1]).split()
    assert int(command[command.index("--timeout-graceful-shutdown") + 1]) < 8


def test_what_is_copied_is_sent_to_the_build_and_no_more():
    ignored = (SERVICE / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored.index("*") < min(n for n, line in enumerate(ignored) if line.startswith("!"))
    sent = {line[1:] for line in ignored if line.startswith("!")}
    copied = [line.split()[1:-1] for line in instructions() if line.startswith("COPY ")]
    assert sent == {source for sources in copied for source in sources}
